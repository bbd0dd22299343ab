/* SPDX-License-Identifier: MIT */
#include "vmm/snapshot/errand.h"

#include "base/cleanup.h"
#include "base/error.h"
#include "base/interrupt.h"
#include "base/str.h"
#include "qmp/sync.h"
#include "vmm/json.h"
#include "vmm/rundir.h"
#include "vmm/signals.h"

#include <errno.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

enum {
	TICK_USEC = 200 * 1000,
	ANSWER_MS = 60 * 1000,
	RECONNECTS_MAX = 5,
};

struct errand {
	const struct paths *paths;
	char *vm;
	struct errand_watch watch;
	sd_event *event;
	sd_event_source *ticker;
	struct qmp_sync *sync;

	/* What is waited for. */
	char job[48]; /* "": none */
	bool job_over;
};

static void on_event(const char *name, json_t *message, void *arg)
{
	struct errand *e = arg;
	json_t *data = json_object_get(message, "data");

	if (*e->job && str_eq(name, "JOB_STATUS_CHANGE") &&
	    str_eq(json_get_string(data, "id") ?: "", e->job) &&
	    str_eq(json_get_string(data, "status") ?: "", "concluded"))
		e->job_over = true;
}

static int on_tick(sd_event_source *source, uint64_t usec, void *userdata)
{
	struct errand *e = userdata;

	(void)usec;
	e->watch.tick(e->watch.arg);
	(void)sd_event_source_set_time_relative(source, TICK_USEC);
	(void)sd_event_source_set_enabled(source, SD_EVENT_ONESHOT);
	return 0;
}

/* In place of the connection that there was. */
static int attach(struct errand *e, struct error *err)
{
	struct qmp_sync *sync;
	int fd, rc = rundir_connect_vm(e->paths, e->vm, &fd, err);

	if (rc == 0)
		rc = qmp_sync_open_on(e->event, fd, on_event, e, &sync, err);
	if (rc < 0)
		return rc;
	qmp_sync_close(e->sync);
	e->sync = sync;
	return 0;
}

int errand_open(const struct paths *paths, const char *vm, const struct errand_watch *watch,
		struct errand **ret_errand, struct error *err)
{
	struct errand *e = calloc(1, sizeof(*e));
	int rc;

	if (!e)
		return error_oom(err);
	e->paths = paths;
	e->vm = strdup(vm);
	if (watch)
		e->watch = *watch;
	rc = e->vm ? sd_event_new(&e->event) : -ENOMEM;
	if (rc >= 0 && e->watch.tick)
		rc = sd_event_add_time_relative(e->event, &e->ticker, CLOCK_MONOTONIC, TICK_USEC, 0,
						on_tick, e);
	rc = rc < 0 ? error_errno(err, -rc, "event loop") : signals_note(e->event, err);
	if (rc == 0)
		rc = attach(e, err);
	if (rc < 0)
		errand_close(e);
	else
		*ret_errand = e;
	return rc;
}

void errand_close(struct errand *e)
{
	if (!e)
		return;
	qmp_sync_close(e->sync);
	sd_event_source_disable_unref(e->ticker);
	sd_event_unref(e->event);
	free(e->vm);
	free(e);
}

sd_event *errand_event(struct errand *e)
{
	return e->event;
}

static int call(struct errand *e, const char *command, json_t *args, int fd, uint64_t timeout_ms,
		json_t **ret_result, struct error *err)
{
	int rc = qmp_sync_is_closed(e->sync) ? attach(e, err) : 0;

	if (rc < 0) {
		json_decref(args);
		return rc;
	}
	return qmp_sync_call_fds(e->sync, command, args, &fd, fd >= 0, timeout_ms, ret_result, err);
}

int errand_call(struct errand *e, const char *command, json_t *args, uint64_t timeout_ms,
		json_t **ret_result, struct error *err)
{
	return call(e, command, args, -1, timeout_ms, ret_result, err);
}

int errand_call_fd(struct errand *e, const char *command, json_t *args, int fd, json_t **ret_result,
		   struct error *err)
{
	return call(e, command, args, fd, ANSWER_MS, ret_result, err);
}

/* The job in QEMU's list, borrowed from *ret_list; NULL: it is not there. */
static int find_job(struct errand *e, json_t **ret_list, json_t **ret_job, struct error *err)
{
	json_t *list = NULL, *job;
	size_t i;
	int rc;

	/* QEMU may be at work and not answer meanwhile. */
	rc = errand_call(e, "query-jobs", NULL, 0, &list, err);
	if (rc < 0)
		return rc;
	*ret_list = list;
	*ret_job = NULL;
	json_array_foreach (list, i, job)
		if (str_eq(json_get_string(job, "id") ?: "", e->job))
			*ret_job = job;
	return 0;
}

/* Its supervisor has gone: another one comes, or the machine has ended. What became of the
 * job is asked, for its event may have been told to nobody. */
static int find_again(struct errand *e, struct error *err)
{
	int rc = -ECONNRESET;

	for (int i = 0; i < RECONNECTS_MAX && rc == -ECONNRESET; i++) {
		cleanup_json json_t *list = NULL;
		json_t *job = NULL;

		rc = find_job(e, &list, &job, err);
		if (rc == 0 && !job)
			return error_set(err, ECONNRESET, "QEMU knows nothing of the job any more");
		if (rc == 0 && str_eq(json_get_string(job, "status") ?: "", "concluded"))
			e->job_over = true;
	}
	return rc == -ENOTCONN ? error_set(err, ECONNRESET, "the machine has ended") : rc;
}

/* How it ended; then nobody needs it in QEMU's list any more. */
static int conclude(struct errand *e, struct error *err)
{
	cleanup_json json_t *list = NULL;
	const char *error;
	json_t *job = NULL;
	int rc = find_job(e, &list, &job, err);

	if (rc < 0)
		return rc;
	error = json_get_string(job, "error");
	rc = errand_call(e, "job-dismiss", json_pack("{s:s}", "id", e->job), ANSWER_MS, NULL, err);
	return error ? error_set(err, EREMOTEIO, "%s", error) : rc;
}

static int await_job(struct errand *e, struct error *err)
{
	bool asked = false;
	int rc = 0;

	while (rc == 0 && !e->job_over) {
		if (qmp_sync_is_closed(e->sync)) {
			rc = find_again(e, err);
			continue;
		}
		if (interrupt_asked() && !asked) {
			asked = true;
			/* Not every job can; its end is waited for in any case. */
			(void)errand_call(e, "job-cancel", json_pack("{s:s}", "id", e->job), 0,
					  NULL, NULL);
			continue;
		}
		rc = qmp_sync_turn(e->sync, UINT64_MAX, err);
	}
	return rc;
}

int errand_job(struct errand *e, const char *command, json_t *args, struct error *err)
{
	static unsigned number;
	int rc;

	(void)str_format(e->job, sizeof(e->job), "hv-%d-%u", (int)getpid(), ++number);
	e->job_over = false;
	if (!args || json_object_set_new(args, "job-id", json_string(e->job)) < 0) {
		json_decref(args);
		return error_oom(err);
	}
	rc = errand_call(e, command, args, 0, NULL, err);
	if (rc == -ECONNRESET)
		rc = find_again(e, err);
	if (rc == 0)
		rc = await_job(e, err);
	if (rc == 0)
		rc = conclude(e, err);
	e->job[0] = '\0';
	return rc;
}
