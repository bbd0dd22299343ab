/* SPDX-License-Identifier: MIT */
#include "qmp/sync.h"

#include "base/error.h"
#include "qmp/client.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <unistd.h>

struct qmp_sync {
	sd_event *event;
	struct qmp_client *client;
	bool done, closed;
	json_t *result;
	struct error outcome;
};

static void on_reply(json_t *result, const char *class, const struct error *err, void *arg)
{
	struct qmp_sync *s = arg;

	(void)class;
	s->done = true;
	s->outcome = err ? *err : (struct error)ERROR_INIT;
	s->result = json_incref(result);
}

static void on_closed(const struct error *err, void *arg)
{
	struct qmp_sync *s = arg;

	s->closed = true;
	if (!s->done)
		s->outcome = *err;
}

/* Spins until the call is done. */
static int wait_done(struct qmp_sync *s, struct error *err)
{
	while (!s->done && !s->closed) {
		int rc = sd_event_run(s->event, UINT64_MAX);

		if (rc < 0)
			return error_errno(err, -rc, "event loop");
	}
	if (s->outcome.code) {
		if (err)
			*err = s->outcome;
		return -s->outcome.code;
	}
	return 0;
}

int qmp_sync_open(int fd, struct qmp_sync **ret_sync, struct error *err)
{
	struct qmp_sync *s = calloc(1, sizeof(*s));
	struct qmp_handlers handlers = {.closed = on_closed, .arg = s};
	int rc;

	if (!s) {
		close(fd);
		return error_oom(err);
	}
	rc = sd_event_new(&s->event);
	if (rc < 0) {
		close(fd);
		free(s);
		return error_errno(err, -rc, "event loop");
	}
	rc = qmp_client_new(s->event, fd, &handlers, &s->client, err);
	if (rc < 0) {
		qmp_sync_close(s);
		return rc;
	}
	*ret_sync = s;
	return 0;
}

void qmp_sync_close(struct qmp_sync *s)
{
	if (!s)
		return;
	qmp_client_free(s->client);
	sd_event_unref(s->event);
	json_decref(s->result);
	free(s);
}

int qmp_sync_call(struct qmp_sync *s, const char *command, json_t *args, uint64_t timeout_ms,
		  json_t **ret_result, struct error *err)
{
	int rc;

	s->done = false;
	json_decref(s->result);
	s->result = NULL;
	s->outcome = (struct error)ERROR_INIT;
	rc = qmp_client_call(s->client, command, args, NULL, 0, timeout_ms, on_reply, s, err);
	if (rc < 0)
		return rc;
	rc = wait_done(s, err);
	if (rc == 0 && ret_result) {
		*ret_result = s->result;
		s->result = NULL;
	}
	return rc;
}
