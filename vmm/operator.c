/* SPDX-License-Identifier: MIT */
#include "vmm/operator.h"

#include "base/cleanup.h"
#include "base/error.h"
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

struct operator
{
	const struct paths *paths;
	char *vm;
	struct operator_watch watch;
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
	struct operator* op = arg;
	json_t *data = json_object_get(message, "data");

	if (op->wanted && str_eq(name, op->wanted)) {
		json_decref(op->data);
		op->data = data ? json_incref(data) : json_object();
	}
	if (*op->job && str_eq(name, "JOB_STATUS_CHANGE") &&
	    str_eq(json_get_string(data, "id") ?: "", op->job) &&
	    str_eq(json_get_string(data, "status") ?: "", "concluded"))
		op->job_over = true;
}

/* After every call was completed. */
static void on_closed(const struct error *err, void *arg)
{
	struct operator* op = arg;

	op->closed_by = *err;
}

static int on_signal(sd_event_source *source, const struct signalfd_siginfo *info, void *userdata)
{
	struct operator* op = userdata;

	(void)source;
	(void)info;
	op->interrupted = true;
	return 0;
}

static int on_tick(sd_event_source *source, uint64_t usec, void *userdata)
{
	struct operator* op = userdata;

	(void)usec;
	op->watch.tick(op->watch.arg);
	(void)sd_event_source_set_time_relative(source, TICK_USEC);
	(void)sd_event_source_set_enabled(source, SD_EVENT_ONESHOT);
	return 0;
}

static int attach(struct operator* op, struct error *err)
{
	struct qmp_handlers handlers = {.event = on_event, .closed = on_closed, .arg = op};
	int fd, rc;

	qmp_client_free(op->client);
	op->client = NULL;
	rc = rundir_connect(op->paths, PATHS_VM, op->vm, NAME_QMP, &fd, err);
	if (rc == -ENOENT || rc == -ECONNREFUSED)
		return error_set(err, ENOTCONN, "it is not up (hv up %s)", op->vm);
	if (rc == 0)
		rc = qmp_client_new(op->event, fd, &handlers, &op->client, err);
	if (rc == 0)
		op->closed_by = (struct error)ERROR_INIT;
	return rc;
}

int operator_open(const struct paths *paths, const char *vm, const struct operator_watch *watch,
		  struct operator** ret_operator, struct error *err)
{
	struct operator* op = calloc(1, sizeof(*op));
	int rc;

	if (!op)
		return error_oom(err);
	(void)sigprocmask(SIG_BLOCK, NULL, &op->before);
	signals_block();
	op->paths = paths;
	op->vm = strdup(vm);
	if (watch)
		op->watch = *watch;
	rc = op->vm ? sd_event_new(&op->event) : -ENOMEM;
	if (rc >= 0 && op->watch.tick)
		rc = sd_event_add_time_relative(op->event, &op->ticker, CLOCK_MONOTONIC, TICK_USEC,
						0, on_tick, op);
	rc = rc < 0 ? error_errno(err, -rc, "event loop")
		    : signals_watch(op->event, on_signal, op, err);
	if (rc == 0)
		rc = attach(op, err);
	if (rc < 0)
		operator_close(op);
	else
		*ret_operator = op;
	return rc;
}

void operator_close(struct operator* op)
{
	if (!op)
		return;
	qmp_client_free(op->client);
	sd_event_source_disable_unref(op->ticker);
	sd_event_unref(op->event);
	json_decref(op->data);
	free(op->vm);
	(void)sigprocmask(SIG_SETMASK, &op->before, NULL);
	free(op);
}

bool operator_is_interrupted(const struct operator* op)
{
	return op->interrupted;
}

static int turn(struct operator* op, struct error *err)
{
	int rc = sd_event_run(op->event, UINT64_MAX);

	return rc < 0 ? error_errno(err, -rc, "event loop") : 0;
}

static int call(struct operator* op, const char *command, json_t *args, int fd, uint64_t timeout_ms,
		json_t **ret_result, struct error *err)
{
	struct answer a = {.done = false};
	int rc = 0;

	if (op->closed_by.code)
		rc = attach(op, err);
	if (rc < 0) {
		json_decref(args);
		return rc;
	}
	rc = qmp_client_call(op->client, command, args, &fd, fd >= 0, timeout_ms, on_reply, &a,
			     err);
	while (rc == 0 && !a.done)
		rc = turn(op, err);
	if (rc < 0) {
		/* Its answer must not come here any more. */
		qmp_client_free(steal_ptr(&op->client));
		op->closed_by = (struct error){.code = ECONNRESET};
		json_decref(a.result);
		return rc;
	}
	if (a.outcome.code && err)
		*err = a.outcome;
	rc = -a.outcome.code;
	if (rc == 0 && ret_result)
		*ret_result = a.result;
	else
		json_decref(a.result);
	return rc;
}

int operator_call(struct operator* op, const char *command, json_t *args, uint64_t timeout_ms,
		  json_t **ret_result, struct error *err)
{
	return call(op, command, args, -1, timeout_ms, ret_result, err);
}

int operator_call_fd(struct operator* op, const char *command, json_t *args, int fd,
		     json_t **ret_result, struct error *err)
{
	return call(op, command, args, fd, ANSWER_MS, ret_result, err);
}

/* The job in QEMU's list, borrowed from *ret_list; NULL: it is not there. */
static int find_job(struct operator* op, json_t **ret_list, json_t **ret_job, struct error *err)
{
	json_t *list = NULL, *job;
	size_t i;
	int rc;

	/* QEMU may be at work and not answer meanwhile. */
	rc = operator_call(op, "query-jobs", NULL, 0, &list, err);
	if (rc < 0)
		return rc;
	*ret_list = list;
	*ret_job = NULL;
	json_array_foreach (list, i, job)
		if (str_eq(json_get_string(job, "id") ?: "", op->job))
			*ret_job = job;
	return 0;
}

/* Its supervisor has gone: another one comes, or the machine has ended. What became of the
 * job is asked, for its event may have been told to nobody. */
static int find_again(struct operator* op, struct error *err)
{
	int rc = -ECONNRESET;

	for (int i = 0; i < RECONNECTS_MAX && rc == -ECONNRESET; i++) {
		cleanup_json json_t *list = NULL;
		json_t *job = NULL;

		rc = find_job(op, &list, &job, err);
		if (rc == 0 && !job)
			return error_set(err, ECONNRESET, "QEMU knows nothing of the job any more");
		if (rc == 0 && str_eq(json_get_string(job, "status") ?: "", "concluded"))
			op->job_over = true;
	}
	return rc == -ENOTCONN ? error_set(err, ECONNRESET, "the machine has ended") : rc;
}

/* How it ended; then nobody needs it in QEMU's list any more. */
static int conclude(struct operator* op, struct error *err)
{
	cleanup_json json_t *list = NULL;
	const char *error;
	json_t *job = NULL;
	int rc = find_job(op, &list, &job, err);

	if (rc < 0)
		return rc;
	error = json_get_string(job, "error");
	rc = operator_call(op, "job-dismiss", json_pack("{s:s}", "id", op->job), ANSWER_MS, NULL,
			   err);
	return error ? error_set(err, EREMOTEIO, "%s", error) : rc;
}

static int await_job(struct operator* op, struct error *err)
{
	bool asked = false;
	int rc = 0;

	while (rc == 0 && !op->job_over) {
		if (op->closed_by.code) {
			rc = find_again(op, err);
			continue;
		}
		if (op->interrupted && !asked) {
			asked = true;
			/* Not every job can; its end is waited for in any case. */
			(void)operator_call(op, "job-cancel", json_pack("{s:s}", "id", op->job), 0,
					    NULL, NULL);
			continue;
		}
		rc = turn(op, err);
	}
	return rc;
}

int operator_job(struct operator* op, const char *command, json_t *args, struct error *err)
{
	static unsigned number;
	int rc;

	(void)str_format(op->job, sizeof(op->job), "hv-%d-%u", (int)getpid(), ++number);
	op->job_over = false;
	if (!args || json_object_set_new(args, "job-id", json_string(op->job)) < 0) {
		json_decref(args);
		return error_oom(err);
	}
	rc = operator_call(op, command, args, 0, NULL, err);
	if (rc == -ECONNRESET)
		rc = find_again(op, err);
	if (rc == 0)
		rc = await_job(op, err);
	if (rc == 0)
		rc = conclude(op, err);
	op->job[0] = '\0';
	return rc;
}

void operator_expect(struct operator* op, const char *event)
{
	op->wanted = event;
	json_decref(steal_ptr(&op->data));
}

int operator_await(struct operator* op, json_t **ret_data, struct error *err)
{
	int rc = 0;

	while (rc == 0 && !op->data && !op->interrupted) {
		if (op->closed_by.code) {
			*err = op->closed_by;
			rc = -op->closed_by.code;
		} else {
			rc = turn(op, err);
		}
	}
	if (rc == 0)
		*ret_data = steal_ptr(&op->data);
	return rc;
}
