/* SPDX-License-Identifier: MIT */
/*
 * Theory of operation
 *
 * The handshake is an enum; each message that arrives takes it one step on:
 * GREETING (the peer speaks first) → NEGOTIATING (our qmp_capabilities is out)
 * → READY. Calls made before READY wait in the outbox, so that nothing overtakes
 * the negotiation.
 *
 * What was asked and waits for its answer is in qmp/calls. One timer stands at the nearest
 * deadline, and at none where no call has one, so an idle client never wakes up.
 *
 * The peer goes by end of file, a broken line, a line beyond the bound, or
 * silence during the handshake: client_fail() completes every pending call with
 * that reason and then tells `closed`. Callbacks may free the client; a
 * reference count keeps its memory until the outermost entry has returned.
 */
#include "qmp/client.h"

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/error.h"
#include "base/fd.h"
#include "base/str.h"
#include "qmp/calls.h"
#include "qmp/decode.h"
#include "qmp/framer.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
	LINE_BYTES_MAX = 8 * 1024 * 1024,
	HANDSHAKE_MS = 60 * 1000,
	/* Read per wake-up: a flood of events does not starve the loop. */
	READ_BYTES = 64 * 1024,
	/* One less than QEMU's queue, so that what is out of band is seen at once. */
	OOB_WINDOW = 7,
};

enum handshake { HANDSHAKE_GREETING, HANDSHAKE_NEGOTIATING, HANDSHAKE_READY, HANDSHAKE_GONE };

struct qmp_client {
	unsigned references;
	bool freed; /* by its owner: no more callbacks */
	sd_event *event;
	sd_event_source *io, *timer;
	int fd;
	enum handshake handshake;
	uint64_t handshake_deadline_usec;
	struct qmp_handlers handlers;
	json_t *greeting; /* kept until the handshake is over */
	struct qmp_framer *framer;
	struct qmp_calls calls;
	bool oob;
	const char *text; /* of the message that is told */
	size_t text_len;
};

static void client_unref(struct qmp_client *c)
{
	if (--c->references)
		return;
	sd_event_unref(c->event);
	free(c);
}

/* Takes everything down but the memory. */
static void client_close(struct qmp_client *c)
{
	c->handshake = HANDSHAKE_GONE;
	c->io = sd_event_source_disable_unref(c->io);
	c->timer = sd_event_source_disable_unref(c->timer);
	close_fd(&c->fd);
	qmp_outbox_clear(&c->calls.outbox);
	qmp_framer_free(steal_ptr(&c->framer));
	json_decref(steal_ptr(&c->greeting));
}

static void client_fail(struct qmp_client *c, const struct error *why)
{
	if (c->handshake == HANDSHAKE_GONE)
		return;
	client_close(c);
	qmp_calls_fail(&c->calls, why);
	if (!c->freed && c->handlers.closed)
		c->handlers.closed(why, c->handlers.arg);
}

/* Puts the timer at the nearest deadline. */
static void arm_timer(struct qmp_client *c)
{
	uint64_t nearest = qmp_calls_deadline(&c->calls);

	if (c->handshake < HANDSHAKE_READY && (!nearest || c->handshake_deadline_usec < nearest))
		nearest = c->handshake_deadline_usec;
	if (!c->timer)
		return;
	if (nearest)
		(void)sd_event_source_set_time(c->timer, nearest);
	(void)sd_event_source_set_enabled(c->timer, nearest ? SD_EVENT_ONESHOT : SD_EVENT_OFF);
}

/* Most calls go at once. What goes wrong here goes wrong again when the loop writes, and
 * has to be heard of by `closed`, not by the caller. */
static void write_soon(struct qmp_client *c)
{
	if (c->handshake == HANDSHAKE_READY && qmp_outbox_write(&c->calls.outbox, c->fd, NULL) != 0)
		(void)sd_event_source_set_io_events(c->io, EPOLLIN | EPOLLOUT);
}

/* When all that came has been looked at: what an answer lets go. */
static void write_released(struct qmp_client *c)
{
	if (c->calls.released)
		write_soon(c);
	c->calls.released = false;
}

static int on_timer(sd_event_source *source, uint64_t usec, void *userdata)
{
	struct qmp_client *c = userdata;
	struct error err = ERROR_INIT;
	uint64_t now = clock_now_usec();

	(void)source;
	(void)usec;
	c->references++;
	if (c->handshake < HANDSHAKE_READY && c->handshake_deadline_usec <= now) {
		(void)error_set(&err, ETIMEDOUT, "the peer did not complete the QMP handshake");
		client_fail(c, &err);
	}
	qmp_calls_expire(&c->calls, now);
	arm_timer(c);
	write_released(c);
	client_unref(c);
	return 0;
}

/* Writes what the socket takes, once the handshake is over. */
static int client_write(struct qmp_client *c, struct error *err)
{
	int rc = c->handshake == HANDSHAKE_READY ? qmp_outbox_write(&c->calls.outbox, c->fd, err)
						 : 0;

	if (rc >= 0)
		(void)sd_event_source_set_io_events(c->io, EPOLLIN | (rc > 0 ? EPOLLOUT : 0U));
	return rc < 0 ? rc : 0;
}

static bool offers_oob(json_t *greeting)
{
	json_t *capability;
	size_t i;

	json_array_foreach (json_object_get(greeting, "capabilities"), i, capability)
		if (json_is_string(capability) && str_eq(json_string_value(capability), "oob"))
			return true;
	return false;
}

static int handle_greeting(struct qmp_client *c, json_t *message, struct error *err)
{
	static const char plain[] = "{\"execute\":\"qmp_capabilities\",\"id\":0}\r\n";
	static const char with_oob[] = "{\"execute\":\"qmp_capabilities\",\"arguments\":"
				       "{\"enable\":[\"oob\"]},\"id\":0}\r\n";
	json_t *greeting = json_object_get(message, "QMP");
	const char *negotiate;

	if (!json_is_object(greeting))
		return error_set(err, EPROTO, "the peer does not greet as a QMP server does");
	c->handshake = HANDSHAKE_NEGOTIATING;
	c->oob = c->handlers.wants_oob && offers_oob(greeting);
	c->calls.outbox.window = c->oob ? OOB_WINDOW : 0;
	negotiate = c->oob ? with_oob : plain;
	/* The first bytes on a fresh socket: its buffer takes them whole. */
	if (send(c->fd, negotiate, strlen(negotiate), MSG_NOSIGNAL | MSG_DONTWAIT) !=
	    (ssize_t)strlen(negotiate))
		return error_set(err, ECONNRESET, "qmp_capabilities could not be sent");
	c->greeting = json_incref(greeting);
	return 0;
}

static int handle_negotiation(struct qmp_client *c, json_t *message, struct error *err)
{
	json_t *failure = json_object_get(message, "error"), *greeting;

	if (failure)
		return error_set(err, EPROTO, "qmp_capabilities: %s",
				 json_string_value(json_object_get(failure, "desc")) ?: "refused");
	c->handshake = HANDSHAKE_READY;
	arm_timer(c);
	greeting = steal_ptr(&c->greeting);
	if (c->handlers.ready)
		c->handlers.ready(greeting, c->handlers.arg);
	json_decref(greeting);
	/* The callback may have freed the client. */
	return c->handshake == HANDSHAKE_READY ? client_write(c, err) : 0;
}

/* One message. Events may come at any time, also before the handshake is over. */
static int handle_message(struct qmp_client *c, json_t *message, struct error *err)
{
	const char *event = json_string_value(json_object_get(message, "event"));
	int rc;

	if (event) {
		if (c->handlers.event)
			c->handlers.event(event, message, c->handlers.arg);
		return 0;
	}
	if (c->handshake == HANDSHAKE_GREETING)
		return handle_greeting(c, message, err);
	if (!json_object_get(message, "return") && !json_object_get(message, "error"))
		return error_set(err, EPROTO, "a message that is neither answer nor event");
	if (c->handshake == HANDSHAKE_NEGOTIATING)
		return handle_negotiation(c, message, err);
	rc = qmp_calls_answer(&c->calls, message, err);
	if (rc == 0 && !c->freed)
		arm_timer(c);
	return rc;
}

static int handle_line(struct qmp_client *c, const char *line, size_t len, struct error *err)
{
	json_t *message = NULL;
	int rc = qmp_decode(line, len, &message, err);

	if (rc == 0) {
		c->text = line;
		c->text_len = len;
		rc = handle_message(c, message, err);
		c->text = NULL;
	}
	json_decref(message);
	return rc;
}

static int client_read(struct qmp_client *c, struct error *err)
{
	char chunk[READ_BYTES];
	const char *line;
	size_t len;
	ssize_t n = recv(c->fd, chunk, sizeof(chunk), MSG_DONTWAIT);
	int rc, pushed;

	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return 0;
	if (n < 0)
		return error_errno(err, errno, "receive");
	if (n == 0)
		return error_set(err, ECONNRESET, "the peer closed the connection");
	pushed = qmp_framer_push(c->framer, chunk, (size_t)n);
	while (c->handshake != HANDSHAKE_GONE && qmp_framer_next(c->framer, &line, &len)) {
		rc = handle_line(c, line, len, err);
		if (rc < 0)
			return rc;
	}
	if (pushed < 0 && c->handshake != HANDSHAKE_GONE)
		return error_set(err, -pushed, "the peer sent a line beyond %d MiB",
				 LINE_BYTES_MAX >> 20);
	return 0;
}

static int on_io(sd_event_source *source, int fd, uint32_t revents, void *userdata)
{
	struct qmp_client *c = userdata;
	struct error err = ERROR_INIT;
	int rc = 0;

	(void)source;
	(void)fd;
	c->references++;
	if (revents & EPOLLOUT)
		rc = client_write(c, &err);
	/* Also when writing failed: the peer's last words may be there. */
	if ((revents & (EPOLLIN | EPOLLHUP | EPOLLERR)) && c->handshake != HANDSHAKE_GONE) {
		int read_rc = client_read(c, rc < 0 ? NULL : &err);

		rc = rc < 0 ? rc : read_rc;
	}
	if (rc < 0)
		client_fail(c, &err);
	write_released(c);
	client_unref(c);
	return 0;
}

int qmp_client_new(sd_event *event, int fd, const struct qmp_handlers *handlers,
		   struct qmp_client **ret_client, struct error *err)
{
	struct qmp_client *c = calloc(1, sizeof(*c));
	int rc;

	if (!c) {
		close(fd);
		return error_oom(err);
	}
	*c = (struct qmp_client){
		.references = 1,
		.event = sd_event_ref(event),
		.fd = fd,
		.handlers = *handlers,
		.handshake_deadline_usec = clock_now_usec() + (uint64_t)HANDSHAKE_MS * 1000,
	};
	qmp_calls_init(&c->calls, handlers->answers_in_order);
	rc = fd_set_nonblock(fd, err);
	if (rc == 0 && qmp_framer_new(LINE_BYTES_MAX, &c->framer) < 0)
		rc = error_oom(err);
	if (rc == 0) {
		rc = sd_event_add_io(event, &c->io, fd, EPOLLIN, on_io, c);
		if (rc >= 0)
			rc = sd_event_add_time(event, &c->timer, CLOCK_MONOTONIC,
					       c->handshake_deadline_usec, 0, on_timer, c);
		rc = rc < 0 ? error_errno(err, -rc, "watch the QMP socket") : 0;
	}
	if (rc < 0) {
		qmp_client_free(c);
		return rc;
	}
	*ret_client = c;
	return 0;
}

void qmp_client_free(struct qmp_client *c)
{
	struct error err = ERROR_INIT;

	if (!c)
		return;
	c->freed = true;
	client_close(c);
	(void)error_set(&err, ECANCELED, "the connection was closed");
	qmp_calls_fail(&c->calls, &err);
	client_unref(c);
}

static int client_call(struct qmp_client *c, const struct qmp_forward *what, qmp_reply_fn reply,
		       void *arg, struct error *err)
{
	int rc;

	if (c->handshake == HANDSHAKE_GONE)
		return error_set(err, ECONNRESET, "the connection is gone");
	rc = qmp_calls_add(&c->calls, what, reply, arg, err);
	if (rc < 0)
		return rc;
	if (what->timeout_ms)
		arm_timer(c);
	write_soon(c);
	return 0;
}

int qmp_client_call(struct qmp_client *c, const char *command, json_t *args, const int *fds,
		    size_t n_fds, uint64_t timeout_ms, qmp_reply_fn reply, void *arg,
		    struct error *err)
{
	cleanup_free char *text = args ? json_dumps(args, JSON_COMPACT) : NULL;
	const struct qmp_forward what = {
		.command = command,
		.arguments = text,
		.timeout_ms = timeout_ms,
		.fds = fds,
		.n_fds = n_fds,
	};
	bool lost = args && !text;

	json_decref(args);
	return lost ? error_oom(err) : client_call(c, &what, reply, arg, err);
}

int qmp_client_forward(struct qmp_client *c, const struct qmp_forward *what, qmp_reply_fn reply,
		       void *arg, struct error *err)
{
	return client_call(c, what, reply, arg, err);
}

void qmp_client_withdraw(struct qmp_client *c, unsigned owner)
{
	c->references++;
	qmp_calls_withdraw(&c->calls, owner);
	client_unref(c);
}

bool qmp_client_has_oob(const struct qmp_client *c)
{
	return c->oob && c->handshake == HANDSHAKE_READY;
}

const char *qmp_client_text(const struct qmp_client *c, size_t *ret_len)
{
	*ret_len = c->text ? c->text_len : 0;
	return c->text;
}

size_t qmp_client_pending(const struct qmp_client *c)
{
	return c->calls.n;
}
