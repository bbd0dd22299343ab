/* SPDX-License-Identifier: MIT */
/*
 * A QMP client with its peer in the test's own hand: both ends of a socketpair,
 * one loop, no thread. The peer says what the test sends, spin() lets the
 * client take it in, and what happened is noted.
 */
#ifndef HV_TESTS_QMP_PEER_H
#define HV_TESTS_QMP_PEER_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/cleanup.h"
#include "base/error.h"
#include "base/fd.h"
#include "base/log.h"
#include "base/str.h"
#include "qmp/client.h"

#include <errno.h>
#include <sys/socket.h>
#include <unistd.h>

#define GREETING                                                                           \
	"{\"QMP\": {\"version\": {\"qemu\": {\"micro\": 22, \"minor\": 2, \"major\": 7}, " \
	"\"package\": \"\"}, \"capabilities\": [\"oob\"]}}\r\n"
#define NEGOTIATE "{\"execute\":\"qmp_capabilities\",\"id\":0}\r\n"
#define NEGOTIATED "{\"return\": {}, \"id\": 0}\r\n"

struct peer {
	sd_event *event;
	struct qmp_client *client;
	int fd; /* the peer's end; -1 when it has gone */
	int n_ready, n_events, n_closed, n_replies;
	int closed_code;
	int replies_at_close; /* -1 before */
	char last_event[64];
	bool free_on_ready, free_on_event, free_on_closed;
};

/* What became of one call. */
struct outcome {
	struct peer *peer;
	int n; /* how often it was completed */
	int order; /* among all replies, from 1 */
	int code;
	char class[64], text[256];
	json_t *result;
	bool free_client; /* from within the callback */
};

static inline void peer_free_client(struct peer *p)
{
	qmp_client_free(steal_ptr(&p->client));
}

static inline void peer_on_ready(json_t *greeting, void *arg)
{
	struct peer *p = arg;

	assert_true(json_is_object(json_object_get(greeting, "version")));
	p->n_ready++;
	if (p->free_on_ready)
		peer_free_client(p);
}

static inline void peer_on_event(const char *name, json_t *message, void *arg)
{
	struct peer *p = arg;

	assert_string_equal(json_string_value(json_object_get(message, "event")), name);
	(void)str_format(p->last_event, sizeof(p->last_event), "%s", name);
	p->n_events++;
	if (p->free_on_event)
		peer_free_client(p);
}

static inline void peer_on_closed(const struct error *err, void *arg)
{
	struct peer *p = arg;

	assert_non_null(err);
	assert_int_not_equal(err->code, 0);
	p->n_closed++;
	p->closed_code = err->code;
	p->replies_at_close = p->n_replies;
	if (p->free_on_closed)
		peer_free_client(p);
}

static inline void peer_open_as(struct peer *p, bool wants_oob, bool in_order)
{
	struct qmp_handlers handlers = {
		.ready = peer_on_ready,
		.event = peer_on_event,
		.closed = peer_on_closed,
		.wants_oob = wants_oob,
		.answers_in_order = in_order,
		.arg = p,
	};
	int fd;

	*p = (struct peer){.replies_at_close = -1};
	log_set_level(LOG_LEVEL_ERROR);
	assert_int_equal(sd_event_new(&p->event), 0);
	assert_int_equal(fd_socketpair(&p->fd, &fd, NULL), 0);
	assert_int_equal(qmp_client_new(p->event, fd, &handlers, &p->client, NULL), 0);
}

static inline void peer_open(struct peer *p)
{
	peer_open_as(p, false, false);
}

static inline void peer_close(struct peer *p)
{
	peer_free_client(p);
	close_fd(&p->fd);
	sd_event_unref(p->event);
}

/* Runs the loop until nothing is left to do. */
static inline void peer_spin(struct peer *p)
{
	int rc;

	do
		rc = sd_event_run(p->event, 0);
	while (rc > 0);
	assert_int_equal(rc, 0);
}

/* Runs the loop until a timer has completed the call. */
static inline void peer_wait(struct peer *p, const struct outcome *o)
{
	while (!o->n)
		assert_true(sd_event_run(p->event, UINT64_MAX) >= 0);
}

static inline void peer_send_bytes(struct peer *p, const void *data, size_t len)
{
	if (len)
		assert_int_equal(send(p->fd, data, len, MSG_NOSIGNAL | MSG_DONTWAIT), (int)len);
}

static inline void peer_say(struct peer *p, const char *text)
{
	peer_send_bytes(p, text, strlen(text));
	peer_spin(p);
}

/* What the client has sent since the last look, as one string. */
static inline const char *peer_heard(struct peer *p)
{
	static char heard[65536];
	ssize_t n;

	n = recv(p->fd, heard, sizeof(heard) - 1, MSG_DONTWAIT);
	heard[n > 0 ? n : 0] = '\0';
	return heard;
}

/* Through the handshake. */
static inline void peer_ready(struct peer *p)
{
	peer_open(p);
	peer_say(p, GREETING);
	assert_string_equal(peer_heard(p), NEGOTIATE);
	peer_say(p, NEGOTIATED);
	assert_int_equal(p->n_ready, 1);
}

static inline void peer_on_reply(json_t *result, const char *class, const struct error *err,
				 void *arg)
{
	struct outcome *o = arg;

	assert_true((result == NULL) != (err == NULL));
	assert_true(!class || err);
	o->n++;
	o->order = ++o->peer->n_replies;
	o->code = err ? err->code : 0;
	(void)str_format(o->class, sizeof(o->class), "%s", class ? class : "");
	(void)str_format(o->text, sizeof(o->text), "%s", err ? err->text : "");
	json_decref(o->result);
	o->result = json_incref(result);
	if (o->free_client)
		peer_free_client(o->peer);
}

static inline void outcome_clear(struct outcome *o)
{
	json_decref(o->result);
	*o = (struct outcome){.peer = o->peer};
}

static inline void peer_call(struct peer *p, const char *command, uint64_t timeout_ms,
			     struct outcome *o)
{
	o->peer = p;
	assert_int_equal(qmp_client_call(p->client, command, NULL, NULL, 0, timeout_ms,
					 peer_on_reply, o, NULL),
			 0);
}

/* Bytes that the process holds on its heap. */
size_t __sanitizer_get_current_allocated_bytes(void) __attribute__((weak));

#endif
