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
	bool closed;
	struct error closed_by;
};

struct qmp_sync_pending {
	bool done;
	json_t *result;
	struct error outcome;
};

static void on_reply(json_t *result, const char *class, const struct error *err, void *arg)
{
	struct qmp_sync_pending *p = arg;

	(void)class;
	p->done = true;
	p->outcome = err ? *err : (struct error)ERROR_INIT;
	p->result = json_incref(result);
}

/* After every call was completed. */
static void on_closed(const struct error *err, void *arg)
{
	struct qmp_sync *s = arg;

	s->closed = true;
	s->closed_by = *err;
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
	free(s);
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
	int rc = 0;

	while (!p->done && !s->closed) {
		rc = sd_event_run(s->event, UINT64_MAX);
		/* Its answer may come yet, and finds it there. */
		if (rc < 0)
			return error_errno(err, -rc, "event loop");
	}
	if (!p->done)
		p->outcome = s->closed_by;
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
