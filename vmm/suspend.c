/* SPDX-License-Identifier: MIT */
/*
 * Theory of operation
 *
 * The guest stands, QEMU writes its state and the TPM's to a descriptor as it would for a
 * migration, and lets go of its disks. Only then is it said that there is something to resume
 * from, and only then QEMU is told to end. Up to that point all can be taken back; from there on
 * a guest that is let run after all makes what was saved void (vmm/saved.h).
 */
#include "vmm/suspend.h"

#include "base/cleanup.h"
#include "base/error.h"
#include "base/fault.h"
#include "base/str.h"
#include "vmm/json.h"
#include "vmm/names.h"
#include "vmm/saved.h"
#include "vmm/shape.h"
#include "vmm/snapshot_private.h"

#include <errno.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define FD_NAME "hv-saved"

enum { ANSWER_MS = 60 * 1000 };

/* Its default would be 128 MiB a second. */
static const json_int_t bandwidth_max = 1LL << 40;

static int prepare(struct snapshot_work *w, int fd, struct error *err)
{
	int rc;

	rc = errand_call(w->errand, "migrate-set-parameters",
			 json_pack("{s:I}", "max-bandwidth", bandwidth_max), ANSWER_MS, NULL, err);
	if (rc == 0)
		rc = errand_call(w->errand, "migrate-set-capabilities",
				 json_pack("{s:[{s:s s:b}]}", "capabilities", "capability",
					   "events", "state", 1),
				 ANSWER_MS, NULL, err);
	if (rc == 0)
		rc = errand_call_fd(w->errand, "getfd", json_pack("{s:s}", "fdname", FD_NAME), fd,
				    NULL, err);
	if (rc == 0)
		rc = errand_call(w->errand, "stop", NULL, ANSWER_MS, NULL, err);
	return rc;
}

static int why_failed(struct snapshot_work *w, struct error *err)
{
	cleanup_json json_t *info = NULL;
	const char *reason = NULL;

	if (errand_call(w->errand, "query-migrate", NULL, ANSWER_MS, &info, NULL) == 0)
		reason = json_get_string(info, "error-desc");
	return error_set(err, EIO, "QEMU could not save its state%s%s", reason ? ": " : "",
			 reason ? reason : " (is the disk full?)");
}

/* Until QEMU has written all, or given up. */
static int await_end(struct snapshot_work *w, struct error *err)
{
	bool asked = false;

	for (;;) {
		cleanup_json json_t *data = NULL;
		const char *status;
		int rc = errand_await(w->errand, !asked, &data, err);

		if (rc < 0)
			return rc;
		if (!data) {
			asked = true;
			(void)errand_call(w->errand, "migrate_cancel", NULL, ANSWER_MS, NULL, NULL);
			continue;
		}
		status = json_get_string(data, "status") ?: "";
		if (str_eq(status, "failed"))
			return why_failed(w, err);
		if (str_eq(status, "cancelled") || (str_eq(status, "completed") && asked))
			return error_set(err, EINTR, "interrupted; all is as before");
		if (str_eq(status, "completed"))
			return 0;
	}
}

static int write_state(struct snapshot_work *w, int fd, struct error *err)
{
	int rc = prepare(w, fd, err);

	fault_point("guest stands for its state");
	if (rc < 0)
		return rc;
	w->writes = true;
	snapshot_live_count(w, snapshot_live_touched(w));
	errand_expect(w->errand, "MIGRATION");
	rc = errand_call(w->errand, "migrate", json_pack("{s:s}", "uri", "fd:" FD_NAME), ANSWER_MS,
			 NULL, err);
	return rc < 0 ? rc : await_end(w, err);
}

static int add_disks(struct snapshot_work *w, json_t *list, struct error *err)
{
	cleanup_free char *nvram =
		str_printf("%s/vm/%s/" NAME_NVRAM, w->rq->paths->state, w->rq->vm->name);
	json_t *disk;
	struct stat st;
	size_t i;
	int rc = 0;

	if (!nvram)
		return error_oom(err);
	json_array_foreach (json_object_get(w->status, "disks"), i, disk) {
		rc = saved_add_disk(list, json_get_string(disk, "name") ?: "",
				    json_get_string(disk, "path") ?: "", err);
		if (rc < 0)
			return rc;
	}
	return stat(nvram, &st) < 0 ? 0 : saved_add_disk(list, "NVRAM", nvram, err);
}

static int commit(struct snapshot_work *w, int fd, json_t *shape, uint64_t *ret_bytes,
		  struct error *err)
{
	cleanup_json json_t *disks = json_array(), *saved = NULL;
	struct stat st;
	int rc = disks ? add_disks(w, disks, err) : error_oom(err);

	if (rc == 0 && fstat(fd, &st) < 0)
		rc = error_errno(err, errno, "look at the state");
	if (rc < 0)
		return rc;
	saved = json_pack("{s:I s:I s:O s:O}", "date", (json_int_t)time(NULL), "memory",
			  (json_int_t)st.st_size, "shape", shape, "disks", disks);
	if (!saved)
		return error_oom(err);
	*ret_bytes = (uint64_t)st.st_size;
	return saved_commit(w->store.state_dirfd, fd, saved, err);
}

static int save(struct snapshot_work *w, uint64_t *ret_bytes, struct error *err)
{
	cleanup_json json_t *shape = NULL;
	cleanup_close int fd = -1;
	bool committed;
	int rc;

	if (!w->errand)
		return error_set(err, ENOTCONN, "it is not up");
	if (w->store.loading)
		return error_set(err, EBUSY, "the load of snapshot '%s' was broken off",
				 w->store.loading);
	rc = shape_load(w->store.state_dirfd, &shape, err);
	if (rc == 0)
		rc = snapshot_live_check_space(w, snapshot_live_touched(w), err);
	if (rc == 0)
		rc = saved_make(w->store.state_dirfd, &fd, err);
	if (rc < 0)
		return rc;
	rc = write_state(w, fd, err);
	fault_point("state written");
	if (rc == 0)
		rc = commit(w, fd, shape, ret_bytes, err);
	committed = rc == 0;
	fault_point("state can be resumed from");
	if (rc == 0)
		rc = errand_call(w->errand, "quit", NULL, ANSWER_MS, NULL, err);
	/* It is gone before it could say so. */
	if (committed && rc == -ECONNRESET)
		rc = 0;
	if (rc == 0)
		return 0;
	saved_give_up(w->store.state_dirfd);
	/* An earlier one is void as well: the guest has run since. */
	saved_forget(w->store.state_dirfd);
	snapshot_live_go_on(w);
	return rc;
}

int suspend_save(const struct snapshot_request *rq, uint64_t *ret_bytes, struct error *err)
{
	struct snapshot_work w;
	int rc = snapshot_begin(&w, rq, err);

	if (rc == 0)
		rc = save(&w, ret_bytes, err);
	snapshot_end(&w);
	return rc;
}

bool suspend_discard(const struct paths *paths, const char *vm)
{
	cleanup_close int dirfd = -1;
	json_t *saved = NULL;
	bool was_there;

	if (paths_open_state(paths, PATHS_VM, vm, 0, &dirfd, NULL) < 0)
		return false;
	was_there = saved_read(dirfd, &saved, NULL) != -ENOENT;
	json_decref(saved);
	saved_forget(dirfd);
	return was_there;
}
