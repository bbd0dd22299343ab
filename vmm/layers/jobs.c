/* SPDX-License-Identifier: MIT */
#include "vmm/layers/jobs.h"

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/error.h"
#include "base/interrupt.h"
#include "base/str.h"
#include "qmp/said.h"
#include "qmp/sync.h"
#include "vmm/json.h"
#include "vmm/signals.h"

#include <errno.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdlib.h>
#include <unistd.h>

enum {
	CALL_MS = 60 * 1000,
	LOOK_USEC = 250 * 1000, /* bytes done have no event */
	SWEEPS = 4, /* a node's own file is named only when the node has gone */
};

struct jobs {
	struct qmp_sync *sync;
	bool changed; /* since it was last looked */
};

static void on_event(const char *name, json_t *message, void *arg)
{
	struct jobs *j = arg;

	(void)message;
	if (str_eq(name, "JOB_STATUS_CHANGE"))
		j->changed = true;
}

int jobs_open(int fd, struct jobs **ret_jobs, struct error *err)
{
	struct jobs *j = calloc(1, sizeof(*j));
	int rc;

	if (!j) {
		close(fd);
		return error_oom(err);
	}
	rc = qmp_sync_open_on(NULL, fd, on_event, j, &j->sync, err);
	if (rc == 0)
		rc = signals_note(qmp_sync_loop(j->sync), err);
	if (rc < 0)
		jobs_close(j);
	else
		*ret_jobs = j;
	return rc;
}

void jobs_close(struct jobs *j)
{
	if (!j)
		return;
	qmp_sync_close(j->sync);
	free(j);
}

/* The other end is the supervisor, which knows more where it is there again. */
static int tell_gone(int rc, struct error *err)
{
	return rc == -ECONNRESET
		       ? error_set(err, ECONNRESET,
				   "QEMU or what looks after it has gone in the middle of it "
				   "(hv status tells how the machine is)")
		       : rc;
}

int jobs_call(struct jobs *j, const char *command, json_t *args, json_t **ret_result,
	      struct error *err)
{
	return tell_gone(qmp_sync_call(j->sync, command, args, CALL_MS, ret_result, err), err);
}

int jobs_add_fd(struct jobs *j, int fd, const char *prefix, char ret_path[static JOBS_PATH_SIZE],
		struct error *err)
{
	cleanup_json json_t *result = NULL;
	int rc = qmp_sync_call_fds(j->sync, "add-fd", json_pack("{s:s}", "opaque", prefix), &fd, 1,
				   CALL_MS, &result, err);

	if (rc == 0)
		(void)str_format(ret_path, JOBS_PATH_SIZE, "/dev/fdset/%" JSON_INTEGER_FORMAT,
				 json_integer_value(json_object_get(result, "fdset-id")));
	return tell_gone(rc, err);
}

int jobs_add_fd_to(struct jobs *j, int fd, const char *prefix, const char *path, struct error *err)
{
	const char *number = str_after(path, "/dev/fdset/");
	uint64_t set;

	if (!number || !str_parse_u64(number, INT64_MAX, &set))
		return error_set(err, EPROTO, "QEMU has no descriptor set '%s'", path);
	return qmp_sync_call_fds(
		j->sync, "add-fd",
		json_pack("{s:s s:I}", "opaque", prefix, "fdset-id", (json_int_t)set), &fd, 1,
		CALL_MS, NULL, err);
}

/* What query-jobs says of those with our prefix. */
struct state {
	size_t n, n_there, n_concluded;
	uint64_t done_bytes, total_bytes;
	char error[512]; /* of the first that failed */
};

static void add_job(struct state *s, json_t *job)
{
	const char *status = json_get_string(job, "status"), *error = json_get_string(job, "error");
	json_int_t done = json_integer_value(json_object_get(job, "current-progress"));
	json_int_t total = json_integer_value(json_object_get(job, "total-progress"));
	bool concluded = status && str_eq(status, "concluded");

	s->n++;
	s->n_concluded += concluded;
	s->n_there += concluded || (status && str_eq(status, "ready"));
	if (done > 0 && total > 0) {
		s->done_bytes += (uint64_t)done;
		s->total_bytes += (uint64_t)total;
	}
	if (error && !s->error[0])
		(void)str_format(s->error, sizeof(s->error), "%s", error);
}

static int look(struct jobs *j, const char *prefix, struct state *ret_state, struct error *err)
{
	cleanup_json json_t *list = NULL;
	struct state state = {.n = 0};
	json_t *job;
	size_t i;
	int rc = jobs_call(j, "query-jobs", NULL, &list, err);

	if (rc < 0)
		return rc;
	json_array_foreach (list, i, job) {
		const char *id = json_get_string(job, "id");

		if (id && str_after(id, prefix))
			add_job(&state, job);
	}
	*ret_state = state;
	return 0;
}

/* Until a job tells a change, it is time to look again, or somebody interrupts. */
static int rest(struct jobs *j, bool interruptible, struct error *err)
{
	uint64_t now = clock_now_usec(), end = now + LOOK_USEC;
	int rc = 0;

	for (; rc == 0 && now < end && !j->changed && !(interruptible && interrupt_asked());
	     now = clock_now_usec())
		rc = qmp_sync_turn(j->sync, end - now, err);
	return tell_gone(rc, err);
}

int jobs_wait(struct jobs *j, const char *prefix, size_t n, enum jobs_until until,
	      jobs_show_fn show, void *arg, struct error *err)
{
	for (;;) {
		struct state s;
		int rc;

		j->changed = false;
		rc = look(j, prefix, &s, err);
		if (rc < 0)
			return rc;
		if (s.error[0])
			return error_set(err, qmp_said_no_space(s.error) ? ENOSPC : EIO, "%s",
					 s.error);
		if (s.n < n)
			return error_set(err, ECONNRESET, "a job of QEMU's has gone");
		if (show)
			show(s.done_bytes, s.total_bytes, arg);
		if ((until == JOBS_READY ? s.n_there : s.n_concluded) >= n)
			return 0;
		rc = until == JOBS_ENDED ? 0 : interrupt_check(err);
		if (rc == 0)
			rc = rest(j, until != JOBS_ENDED, err);
		if (rc < 0)
			return rc;
	}
}

/* The same command for each job of ours. */
static int each(struct jobs *j, const char *prefix, const char *command, bool force,
		struct error *err)
{
	cleanup_json json_t *list = NULL;
	json_t *job;
	size_t i;
	int rc = jobs_call(j, "query-jobs", NULL, &list, err);

	json_array_foreach (list, i, job) {
		const char *id = json_get_string(job, "id");
		json_t *args = id ? json_pack("{s:s}", force ? "device" : "id", id) : NULL;

		if (force && args)
			(void)json_object_set_new(args, "force", json_true());
		if (rc == 0 && id && str_after(id, prefix))
			rc = jobs_call(j, command, json_incref(args), NULL, force ? NULL : err);
		rc = force ? 0 : rc;
		json_decref(args);
	}
	return rc;
}

int jobs_complete(struct jobs *j, const char *prefix, struct error *err)
{
	return each(j, prefix, "job-complete", false, err);
}

int jobs_dismiss(struct jobs *j, const char *prefix, struct error *err)
{
	return each(j, prefix, "job-dismiss", false, err);
}

void jobs_cancel(struct jobs *j, const char *prefix)
{
	struct error err = ERROR_INIT;
	struct state s;

	/* By force: a job that is ready would complete with job-cancel. */
	(void)each(j, prefix, "block-job-cancel", true, NULL);
	for (;;) {
		j->changed = false;
		if (look(j, prefix, &s, &err) < 0 || s.n_concluded == s.n)
			break;
		if (rest(j, false, &err) < 0)
			break;
	}
	(void)jobs_dismiss(j, prefix, NULL);
}

void jobs_remove_nodes(struct jobs *j, const char *prefix)
{
	cleanup_json json_t *sets = NULL;
	json_t *set, *fd;
	size_t i, k;

	for (int sweep = 0, removed = 1; removed && sweep < SWEEPS; sweep++) {
		cleanup_json json_t *nodes = NULL;
		json_t *node;

		removed = 0;
		if (jobs_call(j, "query-named-block-nodes", json_pack("{s:b}", "flat", 1), &nodes,
			      NULL) < 0)
			return;
		json_array_foreach (nodes, i, node) {
			const char *name = json_get_string(node, "node-name");

			if (name && str_after(name, prefix) &&
			    jobs_call(j, "blockdev-del", json_pack("{s:s}", "node-name", name),
				      NULL, NULL) == 0)
				removed = 1;
		}
	}
	if (jobs_call(j, "query-fdsets", NULL, &sets, NULL) < 0)
		return;
	json_array_foreach (sets, i, set)
		json_array_foreach (json_object_get(set, "fds"), k, fd) {
			const char *opaque = json_get_string(fd, "opaque");

			if (opaque && str_after(opaque, prefix))
				(void)jobs_call(j, "remove-fd",
						json_pack("{s:O s:O}", "fdset-id",
							  json_object_get(set, "fdset-id"), "fd",
							  json_object_get(fd, "fd")),
						NULL, NULL);
		}
}
