/* SPDX-License-Identifier: MIT */
#include "qmp/sync.h"

#include "base/error.h"
#include "qmp/client.h"

#include <errno.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

struct qmp_sync {
	sd_event *event;
	struct qmp_client *client;
	qmp_sync_event_fn on_event;
	void *arg;
	struct error closed_by; /* code 0: it is open */
	sd_event_source *end; /* of all waiting; NULL: there is none */
	bool ended;
};

struct qmp_sync_pending {
	bool done;
	bool given_up; /* nobody asks for it any more: it goes when it is completed */
	json_t *result;
	struct error outcome;
};

static void on_reply(json_t *result, const char *class, const struct error *err, void *arg)
{
	struct qmp_sync_pending *p = arg;

	(void)class;
	if (p->given_up) {
		free(p);
		return;
	}
	p->done = true;
	p->outcome = err ? *err : (struct error)ERROR_INIT;
	p->result = json_incref(result);
}

static void tell_event(const char *name, json_t *message, void *arg)
{
	struct qmp_sync *s = arg;

	if (s->on_event)
		s->on_event(name, message, s->arg);
}

/* After every call was completed. */
static void on_closed(const struct error *err, void *arg)
{
	struct qmp_sync *s = arg;

	s->closed_by = *err;
}

int qmp_sync_open_on(sd_event *event, int fd, qmp_sync_event_fn on_event, void *arg,
		     struct qmp_sync **ret_sync, struct error *err)
{
	struct qmp_sync *s = calloc(1, sizeof(*s));
	const struct qmp_handlers handlers = {.event = tell_event, .closed = on_closed, .arg = s};
	int rc;

	if (!s) {
		close(fd);
		return error_oom(err);
	}
	*s = (struct qmp_sync){.event = sd_event_ref(event), .on_event = on_event, .arg = arg};
	rc = event ? 0 : sd_event_new(&s->event);
	if (rc < 0) {
		close(fd);
		rc = error_errno(err, -rc, "event loop");
	} else {
		rc = qmp_client_new(s->event, fd, &handlers, &s->client, err);
	}
	if (rc < 0)
		qmp_sync_close(s);
	else
		*ret_sync = s;
	return rc;
}

int qmp_sync_open(int fd, struct qmp_sync **ret_sync, struct error *err)
{
	return qmp_sync_open_on(NULL, fd, NULL, NULL, ret_sync, err);
}

void qmp_sync_close(struct qmp_sync *s)
{
	if (!s)
		return;
	qmp_client_free(s->client);
	sd_event_source_disable_unref(s->end);
	sd_event_unref(s->event);
	free(s);
}

static int on_end(sd_event_source *source, uint64_t usec, void *userdata)
{
	struct qmp_sync *s = userdata;

	(void)source;
	(void)usec;
	s->ended = true;
	return 0;
}

int qmp_sync_wait_until(struct qmp_sync *s, uint64_t usec, struct error *err)
{
	int rc;

	if (s->ended)
		return 0;
	s->end = sd_event_source_disable_unref(s->end);
	rc = sd_event_add_time(s->event, &s->end, CLOCK_MONOTONIC, usec, 1, on_end, s);
	return rc < 0 ? error_errno(err, -rc, "event loop") : 0;
}

sd_event *qmp_sync_loop(struct qmp_sync *s)
{
	return s->event;
}

bool qmp_sync_is_closed(const struct qmp_sync *s)
{
	return !s || s->closed_by.code;
}

int qmp_sync_turn(struct qmp_sync *s, uint64_t usec, struct error *err)
{
	int rc;

	if (s->closed_by.code)
		return error_copy(err, &s->closed_by);
	rc = sd_event_run(s->event, usec);
	return rc < 0 ? error_errno(err, -rc, "event loop") : 0;
}

static int begin(struct qmp_sync *s, const char *command, json_t *args, const int *fds,
		 size_t n_fds, uint64_t timeout_ms, struct qmp_sync_pending **ret_pending,
		 struct error *err)
{
	struct qmp_sync_pending *p = calloc(1, sizeof(*p));
	int rc;

	if (!p) {
		json_decref(args);
		return error_oom(err);
	}
	rc = qmp_client_call(s->client, command, args, fds, n_fds, timeout_ms, on_reply, p, err);
	if (rc < 0) {
		free(p);
		return rc;
	}
	*ret_pending = p;
	return 0;
}

int qmp_sync_begin(struct qmp_sync *s, const char *command, json_t *args, uint64_t timeout_ms,
		   struct qmp_sync_pending **ret_pending, struct error *err)
{
	return begin(s, command, args, NULL, 0, timeout_ms, ret_pending, err);
}

int qmp_sync_begin_text(struct qmp_sync *s, const char *command, const char *args,
			uint64_t timeout_ms, struct qmp_sync_pending **ret_pending,
			struct error *err)
{
	const struct qmp_forward what = {
		.command = command, .arguments = args, .timeout_ms = timeout_ms};
	struct qmp_sync_pending *p = calloc(1, sizeof(*p));
	int rc = p ? qmp_client_forward(s->client, &what, on_reply, p, err) : error_oom(err);

	if (rc < 0)
		free(p);
	else
		*ret_pending = p;
	return rc;
}

int qmp_sync_finish(struct qmp_sync *s, struct qmp_sync_pending *p, json_t **ret_result,
		    struct error *err)
{
	int rc;

	/* Every call is completed, by the end of the connection at the latest. */
	while (!p->done) {
		rc = s->ended ? -ETIMEDOUT : sd_event_run(s->event, UINT64_MAX);
		if (rc < 0) {
			p->given_up = true;
			return s->ended ? error_set(err, ETIMEDOUT, "no answer in time")
					: error_errno(err, -rc, "event loop");
		}
	}
	rc = error_copy(err, &p->outcome);
	if (rc == 0 && ret_result)
		*ret_result = p->result;
	else
		json_decref(p->result);
	free(p);
	return rc;
}

int qmp_sync_call(struct qmp_sync *s, const char *command, json_t *args, uint64_t timeout_ms,
		  json_t **ret_result, struct error *err)
{
	return qmp_sync_call_fds(s, command, args, NULL, 0, timeout_ms, ret_result, err);
}

int qmp_sync_call_fds(struct qmp_sync *s, const char *command, json_t *args, const int *fds,
		      size_t n_fds, uint64_t timeout_ms, json_t **ret_result, struct error *err)
{
	struct qmp_sync_pending *p = NULL;
	int rc = begin(s, command, args, fds, n_fds, timeout_ms, &p, err);

	return rc < 0 ? rc : qmp_sync_finish(s, p, ret_result, err);
}
