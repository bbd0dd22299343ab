/* SPDX-License-Identifier: MIT */
/*
 * Theory of operation
 *
 * The guest stands, QEMU writes its state and the TPM's to a descriptor as it would for a
 * migration, and lets go of its disks. Only then is it said that there is something to resume
 * from, and only then QEMU is told to end. Up to that point all can be taken back; from there on
 * a guest that is let run after all makes what was saved void (vmm/snapshot/saved.h).
 */
#include "vmm/snapshot/suspend.h"

#include "base/cleanup.h"
#include "base/error.h"
#include "base/fault.h"
#include "base/str.h"
#include "vmm/json.h"
#include "vmm/names.h"
#include "vmm/shape.h"
#include "vmm/snapshot/saved.h"
#include "vmm/snapshot/snapshot_private.h"

#include <errno.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

enum { ANSWER_MS = 60 * 1000 };

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
	bool stands, committed;
	struct outgoing o;
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
	rc = snapshot_stream_write(w, &o, fd, NULL, true, err);
	stands = rc == 0;
	if (rc == 0)
		rc = commit(w, fd, shape, ret_bytes, err);
	committed = rc == 0;
	fault_point("state can be resumed from");
	/* From here on nobody lets it run should this process end. */
	if (rc == 0)
		rc = outgoing_end(&o, true, err);
	if (rc == 0)
		rc = errand_call(w->errand, "quit", NULL, ANSWER_MS, NULL, err);
	/* It is gone before it could say so. */
	if (committed && rc == -ECONNRESET)
		rc = 0;
	if (rc < 0) {
		saved_give_up(w->store.state_dirfd);
		/* An earlier one is void as well: the guest has run since. */
		saved_forget(w->store.state_dirfd);
		if (stands && !committed)
			(void)outgoing_end(&o, false, NULL);
		else if (stands)
			snapshot_live_go_on(w);
	}
	outgoing_close(&o);
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
