/* SPDX-License-Identifier: MIT */
#include "vmm/errand.h"

#include "base/cleanup.h"
#include "base/error.h"
#include "base/interrupt.h"
#include "base/str.h"
#include "qmp/client.h"
#include "vmm/json.h"
#include "vmm/names.h"
#include "vmm/rundir.h"
#include "vmm/signals.h"

#include <errno.h>
#include <signal.h>
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
	sigset_t before; /* what was blocked */
	sd_event *event;
	sd_event_source *ticker;
	struct qmp_client *client;
	struct error closed_by; /* code 0: it is connected */
	bool interrupted;

	/* What is waited for. */
	char job[48]; /* "": none */
	bool job_over;
	const char *wanted; /* an event's name; NULL: none */
	json_t *data; /* of the last one that came */
};

/* One command's answer. */
struct answer {
	bool done;
	json_t *result;
	struct error outcome;
};

static void on_reply(json_t *result, const char *class, const struct error *err, void *arg)
{
	struct answer *a = arg;

	(void)class;
	a->done = true;
	a->outcome = err ? *err : (struct error)ERROR_INIT;
	a->result = json_incref(result);
}

static void on_event(const char *name, json_t *message, void *arg)
{
	struct errand *e = arg;
	json_t *data = json_object_get(message, "data");

	if (e->wanted && str_eq(name, e->wanted)) {
		json_decref(e->data);
		e->data = data ? json_incref(data) : json_object();
	}
	if (*e->job && str_eq(name, "JOB_STATUS_CHANGE") &&
	    str_eq(json_get_string(data, "id") ?: "", e->job) &&
	    str_eq(json_get_string(data, "status") ?: "", "concluded"))
		e->job_over = true;
}

/* After every call was completed. */
static void on_closed(const struct error *err, void *arg)
{
	struct errand *e = arg;

	e->closed_by = *err;
}

static int on_signal(sd_event_source *source, const struct signalfd_siginfo *info, void *userdata)
{
	struct errand *e = userdata;

	(void)source;
	(void)info;
	e->interrupted = true;
	return 0;
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

static int attach(struct errand *e, struct error *err)
{
	struct qmp_handlers handlers = {.event = on_event, .closed = on_closed, .arg = e};
	int fd, rc;

	qmp_client_free(e->client);
	e->client = NULL;
	rc = rundir_connect(e->paths, PATHS_VM, e->vm, NAME_QMP, &fd, err);
	if (rc == -ENOENT || rc == -ECONNREFUSED)
		return error_set(err, ENOTCONN, "it is not up (hv up %s)", e->vm);
	if (rc == 0)
		rc = qmp_client_new(e->event, fd, &handlers, &e->client, err);
	if (rc == 0)
		e->closed_by = (struct error)ERROR_INIT;
	return rc;
}

int errand_open(const struct paths *paths, const char *vm, const struct errand_watch *watch,
		struct errand **ret_errand, struct error *err)
{
	struct errand *e = calloc(1, sizeof(*e));
	int rc;

	if (!e)
		return error_oom(err);
	(void)sigprocmask(SIG_BLOCK, NULL, &e->before);
	signals_block();
	e->paths = paths;
	e->vm = strdup(vm);
	if (watch)
		e->watch = *watch;
	rc = e->vm ? sd_event_new(&e->event) : -ENOMEM;
	if (rc >= 0 && e->watch.tick)
		rc = sd_event_add_time_relative(e->event, &e->ticker, CLOCK_MONOTONIC, TICK_USEC, 0,
						on_tick, e);
	rc = rc < 0 ? error_errno(err, -rc, "event loop")
		    : signals_watch(e->event, on_signal, e, err);
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
	qmp_client_free(e->client);
	sd_event_source_disable_unref(e->ticker);
	sd_event_unref(e->event);
	json_decref(e->data);
	free(e->vm);
	(void)sigprocmask(SIG_SETMASK, &e->before, NULL);
	free(e);
}

bool errand_is_interrupted(const struct errand *e)
{
	return e->interrupted || interrupt_asked();
}

static int turn(struct errand *e, struct error *err)
{
	int rc = sd_event_run(e->event, UINT64_MAX);

	return rc < 0 ? error_errno(err, -rc, "event loop") : 0;
}

static int call(struct errand *e, const char *command, json_t *args, int fd, uint64_t timeout_ms,
		json_t **ret_result, struct error *err)
{
	struct answer a = {.done = false};
	int rc = 0;

	if (e->closed_by.code)
		rc = attach(e, err);
	if (rc < 0) {
		json_decref(args);
		return rc;
	}
	rc = qmp_client_call(e->client, command, args, &fd, fd >= 0, timeout_ms, on_reply, &a, err);
	while (rc == 0 && !a.done)
		rc = turn(e, err);
	if (rc < 0) {
		/* Its answer must not come here any more. */
		qmp_client_free(steal_ptr(&e->client));
		e->closed_by = (struct error){.code = ECONNRESET};
		json_decref(a.result);
		return rc;
	}
	rc = error_copy(err, &a.outcome);
	if (rc == 0 && ret_result)
		*ret_result = a.result;
	else
		json_decref(a.result);
	return rc;
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
		if (e->closed_by.code) {
			rc = find_again(e, err);
			continue;
		}
		if (e->interrupted && !asked) {
			asked = true;
			/* Not every job can; its end is waited for in any case. */
			(void)errand_call(e, "job-cancel", json_pack("{s:s}", "id", e->job), 0,
					  NULL, NULL);
			continue;
		}
		rc = turn(e, err);
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

void errand_expect(struct errand *e, const char *event)
{
	e->wanted = event;
	json_decref(steal_ptr(&e->data));
}

int errand_await(struct errand *e, bool interruptible, json_t **ret_data, struct error *err)
{
	int rc = 0;

	while (rc == 0 && !e->data && !(interruptible && e->interrupted)) {
		if (e->closed_by.code)
			rc = error_copy(err, &e->closed_by);
		else
			rc = turn(e, err);
	}
	if (rc == 0)
		*ret_data = steal_ptr(&e->data);
	return rc;
}
