/* SPDX-License-Identifier: MIT */
/* A client of the control socket: its bytes, in and out. */
#include "vmm/supervisor/control_private.h"

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/error.h"
#include "base/log.h"
#include "vmm/json.h"
#include "vmm/supervisor/listen.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/socket.h>

void control_client_close_fds(struct control_client *c)
{
	for (size_t i = 0; i < c->n_fds; i++)
		close(c->fds[i]);
	c->server->n_fds -= c->n_fds;
	c->n_fds = 0;
}

void control_client_free(struct control_client *c)
{
	struct control_server *server = c->server;
	struct control_client **link = &server->clients;

	while (*link != c)
		link = &(*link)->next;
	*link = c->next;
	server->n_clients--;
	while (c->calls) {
		struct control_call *call = c->calls;

		c->calls = call->next;
		call->client = NULL;
		call->next = server->orphans;
		server->orphans = call;
	}
	sd_event_source_disable_unref(c->source);
	sd_event_source_disable_unref(c->drop_timer);
	control_client_close_fds(c);
	close_fd(&c->fd);
	qmp_splitter_free(c->splitter);
	strbuf_free(&c->output);
	if (server->handlers.gone)
		server->handlers.gone(c->number, server->handlers.arg);
	free(c);
}

/* Whether it asks no more and was told all. */
static bool control_client_is_done(const struct control_client *c)
{
	return c->ended && !c->output.len && (c->dropped || (!c->n_calls && !c->held));
}

/* One that asks no more is seen to once more when it was told all. */
static void control_client_watch(struct control_client *c)
{
	bool writes = c->output.len || c->held || control_client_is_done(c);

	if (c->source)
		(void)sd_event_source_set_io_events(
			c->source, (c->ended || c->held ? 0U : EPOLLIN) | (writes ? EPOLLOUT : 0U));
}

void control_client_write(struct control_client *c)
{
	while (c->output.len && !c->broken) {
		ssize_t n = send(c->fd, c->output.data, c->output.len, MSG_NOSIGNAL | MSG_DONTWAIT);

		if (n < 0 && errno == EINTR)
			continue;
		c->waits = n < 0 && errno == EAGAIN;
		if (c->waits)
			break;
		if (n < 0)
			c->broken = true;
		else
			strbuf_consume(&c->output, (size_t)n);
	}
	control_client_watch(c);
}

static int on_drop(sd_event_source *source, uint64_t usec, void *userdata)
{
	(void)source;
	(void)usec;
	control_client_free(userdata);
	return 0;
}

/* One that does not read: what it has half of is completed, then it is told. */
static void control_client_drop(struct control_client *c)
{
	static const char why[] = "{\"error\": {\"class\": \"GenericError\", \"desc\": "
				  "\"8 MiB wait that were not read; you are dropped\"}}\r\n";
	const char *end = memmem(c->output.data, c->output.len, "\r\n", 2);
	struct strbuf rest = {0};

	log_warning("a client of the control socket does not read; it is dropped");
	if (end)
		strbuf_add(&rest, c->output.data, (size_t)(end - c->output.data) + 2);
	strbuf_add(&rest, why, sizeof(why) - 1);
	strbuf_free(&c->output);
	c->output = rest;
	c->ended = c->dropped = true;
	if (rest.failed ||
	    sd_event_add_time_relative(c->server->event, &c->drop_timer, CLOCK_MONOTONIC, DROP_USEC,
				       0, on_drop, c) < 0) {
		c->broken = true;
		/* Wakes its handler up, which frees it. */
		(void)shutdown(c->fd, SHUT_RDWR);
		return;
	}
	control_client_write(c);
}

/* What was queued may go, or was too much. */
static void control_client_queued(struct control_client *c)
{
	if (c->output.failed || c->output.len > OUTPUT_MAX)
		control_client_drop(c);
	else if (!c->waits)
		control_client_write(c);
}

void control_client_queue(struct control_client *c, const char *text, size_t len)
{
	if (c->broken || c->dropped)
		return;
	strbuf_add(&c->output, text, len);
	strbuf_add(&c->output, "\r\n", 2);
	if (c->output.failed || c->output.len > OUTPUT_MAX)
		control_client_drop(c);
}

void control_client_send(struct control_client *c, const char *text, size_t len)
{
	control_client_queue(c, text, len);
	if (!c->broken && !c->dropped && !c->waits)
		control_client_write(c);
}

void control_client_answer(struct control_client *c, const char *member, const char *value,
			   size_t len, const char *id)
{
	if (c->broken || c->dropped)
		return;
	strbuf_addf(&c->output, "{\"%s\":", member);
	strbuf_add(&c->output, value, len);
	if (id) {
		strbuf_add(&c->output, ",\"id\":", 6);
		strbuf_add(&c->output, id, strlen(id));
	}
	strbuf_add(&c->output, "}\r\n", 3);
	control_client_queued(c);
}

void control_client_send_error(struct control_client *c, const char *id, const char *class,
			       const char *desc)
{
	cleanup_json json_t *error = json_pack("{s:s s:s}", "class", class, "desc", desc);
	cleanup_free char *text = error ? json_dumps(error, JSON_COMPACT) : NULL;

	if (text)
		control_client_answer(c, "error", text, strlen(text), id);
	else
		control_client_drop(c);
}

/* Does what was asked: all, or as far as its answers are read. */
static int control_client_push(struct control_client *c, const char *data, size_t size, bool all)
{
	const char *value;
	size_t len;

	(void)qmp_splitter_push(c->splitter, data, size);
	while (!c->broken && !c->dropped && (all || c->output.len <= OUTPUT_PAUSE) &&
	       qmp_splitter_next(c->splitter, &value, &len))
		control_client_handle_value(c, value, len);
	c->held = !c->broken && !c->dropped && c->output.len > OUTPUT_PAUSE;
	/* Tells whether the splitter has failed meanwhile. */
	return qmp_splitter_push(c->splitter, NULL, 0);
}

/* What did not fit into a request is told, once. False: nothing can follow. */
static bool control_client_may_go_on(struct control_client *c, int rc)
{
	if (rc == 0)
		return true;
	if (!c->ended)
		control_client_send_error(c, NULL, "GenericError",
					  "the request is larger than 1 MiB");
	return false;
}

/* Reads once. False at the end. */
static bool control_client_read(struct control_client *c)
{
	char chunk[16384];
	const char *before = NULL;
	int fds[FD_PASS_MAX];
	size_t n_fds = 0, done = 0;
	ssize_t n;
	int rc = 0;

	n = fd_receive(c->fd, chunk, sizeof(chunk), fds, &n_fds, NULL);
	if (n == -EAGAIN || n == -EINTR)
		return true;
	if (n == -EMSGSIZE)
		control_client_send_error(c, NULL, "GenericError",
					  "more than 16 descriptors with one request");
	if (n <= 0)
		return false;
	if (c->server->n_fds - c->n_fds + n_fds > WAITING_FDS_MAX) {
		while (n_fds)
			close(fds[--n_fds]);
		control_client_send_error(c, NULL, "GenericError",
					  "too many descriptors wait for their request");
		return false;
	}
	if (n_fds) {
		/* One read ends with the bytes that carry descriptors but may begin
		 * with others: they are those of the last request in it. */
		before = memrchr(chunk, '\n', (size_t)n - 1);
		done = before ? (size_t)(before - chunk) + 1 : 0;
		/* What does not wait here cannot take them later. */
		rc = done ? control_client_push(c, chunk, done, true) : 0;
		control_client_close_fds(c);
		memcpy(c->fds, fds, n_fds * sizeof(int));
		c->n_fds = n_fds;
		c->server->n_fds += n_fds;
	}
	if (rc == 0)
		rc = control_client_push(c, chunk + done, (size_t)n - done, n_fds > 0);
	return control_client_may_go_on(c, rc);
}

static int on_client(sd_event_source *source, int fd, uint32_t revents, void *userdata)
{
	struct control_client *c = userdata;
	bool alive = true;

	(void)source;
	(void)fd;
	if (revents & EPOLLOUT)
		control_client_write(c);
	if (c->held && c->output.len <= OUTPUT_PAUSE)
		alive = control_client_may_go_on(c, control_client_push(c, NULL, 0, false));
	else if (!c->ended && !c->held && (revents & (EPOLLIN | EPOLLHUP | EPOLLERR)))
		alive = control_client_read(c);
	/* It has gone, and what it asked goes with it. */
	if (c->held && (revents & (EPOLLHUP | EPOLLERR)))
		alive = false;
	/* It may have hung up on one side only, as socat does at the end of its
	 * input. */
	if (!alive && !(revents & (EPOLLHUP | EPOLLERR)) && (c->n_calls || c->output.len)) {
		c->ended = alive = true;
		control_client_write(c);
	}
	if (control_client_is_done(c) || (c->ended && revents & (EPOLLHUP | EPOLLERR)))
		alive = false;
	if (!alive || c->broken)
		control_client_free(c);
	else
		control_client_watch(c);
	return 0;
}

void control_client_add(struct control_server *server, int fd)
{
	cleanup_json json_t *greeting = NULL;
	cleanup_free char *text = NULL;
	struct control_client *c = calloc(1, sizeof(*c));

	if (!c) {
		close(fd);
		return;
	}
	c->server = server;
	c->fd = fd;
	c->process = listen_process(fd);
	c->number = server->next_number++;
	c->next = server->clients;
	server->clients = c;
	server->n_clients++;
	if (qmp_splitter_new(REQUEST_MAX, &c->splitter) < 0 ||
	    sd_event_add_io(server->event, &c->source, fd, EPOLLIN, on_client, c) < 0) {
		control_client_free(c);
		return;
	}
	greeting = json_pack("{s:{s:O s:o}}", "QMP", "version", server->version, "capabilities",
			     server->offers_oob ? json_pack("[s]", "oob") : json_array());
	text = greeting ? json_dumps(greeting, JSON_COMPACT) : NULL;
	if (text)
		control_client_send(c, text, strlen(text));
	else
		control_client_drop(c);
}

void control_client_flush(struct control_client *c, uint64_t deadline_ms)
{
	struct pollfd p = {.fd = c->fd, .events = POLLOUT};

	for (control_client_write(c); c->output.len && !c->broken; control_client_write(c)) {
		uint64_t now = clock_now_usec() / 1000;

		if (now >= deadline_ms || poll(&p, 1, (int)(deadline_ms - now)) <= 0)
			return;
	}
}
