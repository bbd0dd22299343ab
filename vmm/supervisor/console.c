/* SPDX-License-Identifier: MIT */
#include "vmm/supervisor/console.h"

#include "base/cleanup.h"
#include "base/error.h"
#include "base/log.h"
#include "base/str.h"
#include "vmm/supervisor/console_log.h"
#include "vmm/supervisor/console_replay.h"
#include "vmm/supervisor/listen.h"
#include "vmm/supervisor/peer.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
	VIEWERS_MAX = 16,
	VIEWERS_OF_PROCESS_MAX = 8,
	VIEWER_BEHIND_MAX = 256 * 1024,
	DROP_USEC = 10 * 1000 * 1000,
	INPUT_MAX = 64 * 1024,
	REPLAY_BYTES = 4096, /* about a screenful, for a new viewer */
};

struct viewer {
	struct console *console;
	struct viewer *next;
	int fd;
	pid_t process; /* 0: not known */
	sd_event_source *source, *drop_timer;
	struct strbuf output;
	bool dropped; /* it is told why, and nothing else */
	bool deaf; /* it hung up; what it typed before is still read */
};

struct console {
	sd_event *event;
	int serial_fd, listen_fd;
	struct console_handlers handlers;
	sd_event_source *serial_source, *listen_source, *rest_timer;
	struct strbuf input; /* for the guest */
	struct strbuf recent; /* its last words */
	struct viewer *viewers;
	size_t n_viewers;
	uint64_t log_bytes;
};

static void viewer_free(struct viewer *v)
{
	struct viewer **link = &v->console->viewers;

	while (*link != v)
		link = &(*link)->next;
	*link = v->next;
	v->console->n_viewers--;
	sd_event_source_disable_unref(v->source);
	sd_event_source_disable_unref(v->drop_timer);
	close_fd(&v->fd);
	strbuf_free(&v->output);
	free(v);
}

static void viewer_write(struct viewer *v)
{
	while (v->output.len) {
		ssize_t n = send(v->fd, v->output.data, v->output.len, MSG_NOSIGNAL | MSG_DONTWAIT);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && errno == EAGAIN)
			break;
		v->deaf = v->deaf || n < 0;
		strbuf_consume(&v->output, n < 0 ? v->output.len : (size_t)n);
	}
	(void)sd_event_source_set_io_events(v->source, (v->dropped ? 0U : EPOLLIN) |
							       (v->output.len ? EPOLLOUT : 0U));
}

static int on_drop(sd_event_source *source, uint64_t usec, void *userdata)
{
	(void)source;
	(void)usec;
	viewer_free(userdata);
	return 0;
}

/* What it did not read is forgotten, and why takes its place; it has some
 * seconds to read that. False where it is to be freed at once. */
static bool viewer_drop(struct viewer *v)
{
	static const char behind[] = "\r\n[hv: this viewer was too slow and is dropped]\r\n";

	v->dropped = true;
	strbuf_free(&v->output);
	strbuf_add(&v->output, behind, sizeof(behind) - 1);
	if (v->output.failed ||
	    sd_event_add_time_relative(v->console->event, &v->drop_timer, CLOCK_MONOTONIC,
				       DROP_USEC, 0, on_drop, v) < 0)
		return false;
	viewer_write(v);
	return v->output.len > 0;
}

/* False where the viewer is to be freed. */
static bool viewer_send(struct viewer *v, const char *data, size_t len)
{
	if (v->deaf || v->dropped)
		return true;
	if (v->output.len + len > VIEWER_BEHIND_MAX)
		return viewer_drop(v);
	strbuf_add(&v->output, data, len);
	viewer_write(v);
	return !v->output.failed;
}

static void input_write(struct console *c)
{
	while (c->input.len && c->serial_fd >= 0) {
		ssize_t n = send(c->serial_fd, c->input.data, c->input.len,
				 MSG_NOSIGNAL | MSG_DONTWAIT);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			break;
		strbuf_consume(&c->input, (size_t)n);
	}
	if (c->serial_source)
		(void)sd_event_source_set_io_events(c->serial_source,
						    EPOLLIN | (c->input.len ? EPOLLOUT : 0U));
}

static int on_viewer(sd_event_source *source, int fd, uint32_t revents, void *userdata)
{
	struct viewer *v = userdata;
	struct console *c = v->console;
	bool alive = true;
	char chunk[4096];

	(void)source;
	if (revents & EPOLLOUT)
		viewer_write(v);
	if (v->dropped) {
		alive = v->output.len && !(revents & (EPOLLHUP | EPOLLERR));
	} else if (revents & (EPOLLIN | EPOLLHUP | EPOLLERR)) {
		ssize_t n = read(fd, chunk, sizeof(chunk));

		alive = n > 0 || (n < 0 && (errno == EAGAIN || errno == EINTR));
		/* A guest that reads nothing loses keys, as a real line does. */
		if (n > 0 && c->input.len + (size_t)n <= INPUT_MAX) {
			strbuf_add(&c->input, chunk, (size_t)n);
			input_write(c);
		}
	}
	if (!alive)
		viewer_free(v);
	return 0;
}

static size_t viewers_of(const struct console *c, pid_t process)
{
	size_t n = 0;

	for (const struct viewer *v = c->viewers; v; v = v->next)
		n += process && v->process == process;
	return n;
}

static int on_connect(sd_event_source *source, int listen_fd, uint32_t revents, void *userdata)
{
	static const char full[] = "[hv: too many viewers of this console]\r\n";
	static const char refused[] = "[hv: " PEER_REFUSED "]\r\n";
	struct console *c = userdata;
	cleanup_strbuf struct strbuf replay = {0};
	cleanup_close int fd = accept4(listen_fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
	struct viewer *v;

	(void)source;
	(void)revents;
	if (fd < 0)
		listen_rest(c->listen_source, c->rest_timer, errno);
	if (fd < 0)
		return 0;
	if (!peer_is_allowed(fd, c->handlers.group)) {
		(void)send(fd, refused, sizeof(refused) - 1, MSG_NOSIGNAL | MSG_DONTWAIT);
		return 0;
	}
	if (c->n_viewers >= VIEWERS_MAX ||
	    viewers_of(c, listen_process(fd)) >= VIEWERS_OF_PROCESS_MAX) {
		(void)send(fd, full, sizeof(full) - 1, MSG_NOSIGNAL | MSG_DONTWAIT);
		return 0;
	}
	v = calloc(1, sizeof(*v));
	if (!v)
		return 0;
	v->console = c;
	v->process = listen_process(fd);
	v->fd = steal_fd(&fd);
	v->next = c->viewers;
	c->viewers = v;
	c->n_viewers++;
	console_add_replay(&replay, c->recent.data, c->recent.len);
	if (sd_event_add_io(c->event, &v->source, v->fd, EPOLLIN, on_viewer, v) < 0 ||
	    replay.failed || !viewer_send(v, replay.data, replay.len))
		viewer_free(v);
	return 0;
}

static void count_log(struct console *c, size_t more)
{
	c->log_bytes += more;
	if (c->log_bytes < CONSOLE_LOG_BYTES_MAX)
		return;
	c->log_bytes = 0;
	c->handlers.log_full(c->handlers.arg);
}

static void pass_on(struct console *c, const char *data, size_t len)
{
	struct viewer *next;

	for (struct viewer *v = c->viewers; v; v = next) {
		next = v->next;
		if (!viewer_send(v, data, len))
			viewer_free(v);
	}
	strbuf_add(&c->recent, data, len);
	if (c->recent.len > REPLAY_BYTES)
		strbuf_consume(&c->recent, c->recent.len - REPLAY_BYTES);
	count_log(c, len);
}

/* Reads what is there, at most once round the loop; false at the end. */
static bool read_serial(struct console *c)
{
	char chunk[16384];
	ssize_t n = recv(c->serial_fd, chunk, sizeof(chunk), MSG_DONTWAIT);

	if (n < 0)
		return errno == EAGAIN || errno == EINTR;
	if (n > 0)
		pass_on(c, chunk, (size_t)n);
	return n > 0;
}

static int on_serial(sd_event_source *source, int fd, uint32_t revents, void *userdata)
{
	struct console *c = userdata;

	(void)source;
	(void)fd;
	if (revents & EPOLLOUT)
		input_write(c);
	if ((revents & (EPOLLIN | EPOLLHUP | EPOLLERR)) && !read_serial(c)) {
		c->serial_source = sd_event_source_disable_unref(c->serial_source);
		close_fd(&c->serial_fd);
	}
	return 0;
}

int console_new(sd_event *event, int serial_fd, int listen_fd, uint64_t log_bytes,
		const struct console_handlers *handlers, struct console **ret_console,
		struct error *err)
{
	struct console *c = calloc(1, sizeof(*c));
	int rc;

	if (!c) {
		close(serial_fd);
		close(listen_fd);
		return error_oom(err);
	}
	*c = (struct console){
		.event = sd_event_ref(event),
		.serial_fd = serial_fd,
		.listen_fd = listen_fd,
		.log_bytes = log_bytes,
		.handlers = *handlers,
	};
	rc = sd_event_add_io(event, &c->serial_source, serial_fd, EPOLLIN, on_serial, c);
	if (rc >= 0)
		rc = sd_event_add_io(event, &c->listen_source, listen_fd, EPOLLIN, on_connect, c);
	if (rc >= 0)
		rc = listen_rest_prepare(c->listen_source, &c->rest_timer);
	if (rc < 0) {
		console_free(c);
		return error_errno(err, -rc, "watch the serial console");
	}
	*ret_console = c;
	return 0;
}

void console_free(struct console *c)
{
	char chunk[4096];
	ssize_t n;

	if (!c)
		return;
	while (c->serial_fd >= 0 &&
	       (n = recv(c->serial_fd, chunk, sizeof(chunk), MSG_DONTWAIT)) > 0)
		pass_on(c, chunk, (size_t)n);
	while (c->viewers)
		viewer_free(c->viewers);
	sd_event_source_disable_unref(c->serial_source);
	sd_event_source_disable_unref(c->listen_source);
	sd_event_source_disable_unref(c->rest_timer);
	close_fd(&c->serial_fd);
	close_fd(&c->listen_fd);
	strbuf_free(&c->input);
	strbuf_free(&c->recent);
	sd_event_unref(c->event);
	free(c);
}
