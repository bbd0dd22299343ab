/* SPDX-License-Identifier: MIT */
/*
 * Theory of operation
 *
 * A save is there or it is not; a load is the other way round: nothing but the machine itself
 * can be half brought back. The file `loading` stands from before the first image is touched
 * until all of it fits together. While it is there the machine does not start, but for the load
 * itself; loading once more, that or another snapshot, mends it.
 *
 * Into a guest that runs QEMU loads at once. A machine that is stopped is started for it, and its
 * guest waits.
 */
#include "vmm/snapshot/snapshot_private.h"

#include "base/cleanup.h"
#include "base/error.h"
#include "base/fault.h"
#include "base/interrupt.h"
#include "base/str.h"
#include "disk/snapshots.h"
#include "vmm/json.h"
#include "vmm/shape.h"
#include "vmm/snapshot/snapshot_place.h"

#include <errno.h>

enum { ANSWER_MS = 60 * 1000 };

/* Every image has it, and the memory is there as it was left. */
static int check_whole(struct snapshot_work *w, const struct snapshot_record *r,
		       const struct snapshot_record *now, struct error *err)
{
	const struct snapshot_disk *lacks = NULL;
	const struct disk_snapshot *memory;
	struct disk_snapshots list;
	cleanup_close int fd = -1;
	size_t n;
	int rc;

	rc = snapshot_disks_compare(r, now, err);
	if (rc == 0)
		rc = snapshot_disks_count(now, r->tag, &n, &lacks, err);
	if (rc == 0 && lacks)
		rc = snapshot_place_check(w->rq->vm, r, err);
	if (rc == 0 && lacks)
		rc = error_set(err, EINVAL,
			       "disk '%s' has no snapshot '%s' any more: it cannot be loaded (hv "
			       "snap rm %s %s removes the rest)",
			       lacks->name, r->tag, w->rq->vm->name, r->tag);
	if (rc < 0 || r->guest == SNAPSHOT_GUEST_STOPPED)
		return rc;
	rc = snapshot_store_open_memory(&w->store, r->tag, false, &fd, err);
	if (rc == 0)
		rc = disk_snapshots_read(fd, &list, err);
	if (rc < 0)
		return error_wrap(err, rc, "the memory of snapshot '%s'", r->tag);
	memory = disk_snapshots_find(&list, r->tag);
	if (!memory || memory->memory_bytes != r->memory_bytes)
		rc = error_set(err, EINVAL, "the memory of snapshot '%s' is not what was saved",
			       r->tag);
	disk_snapshots_free(&list);
	return rc;
}

/* The memory fits into the machine that runs. Into one that is to be started, the keeper
 * looks. */
static int check_shape(struct snapshot_work *w, const struct snapshot_record *r, struct error *err)
{
	cleanup_json json_t *now = NULL;
	int rc = 0;

	if (!w->errand || r->guest == SNAPSHOT_GUEST_STOPPED)
		return 0;
	rc = shape_load(w->store.state_dirfd, &now, err);
	if (rc == 0)
		rc = shape_compare(r->shape, now, err);
	return error_wrap_if(err, rc, "snapshot '%s' is of another machine", r->tag);
}

static int end_machine(struct snapshot_work *w, struct error *err)
{
	errand_close(steal_ptr(&w->errand));
	close_fd(&w->images_fd);
	w->live = false;
	return w->rq->hooks.kill(w->rq->hooks.arg, err);
}

/* The guest is neither what it was nor what it was to become. */
static int give_up(struct snapshot_work *w, const struct snapshot_record *r, int rc,
		   struct error *err)
{
	struct error why = ERROR_INIT;

	if (rc == -ECONNRESET || rc == -ENOTCONN)
		return error_set(err, -rc,
				 "QEMU has gone in the middle of it, so disks and memory may not "
				 "fit together (hv snap load %s %s once more)",
				 w->rq->vm->name, r->tag);
	if (end_machine(w, &why) < 0)
		return error_wrap(err, rc,
				  "its guest is half brought back and must not go on, and could "
				  "not be ended (%s; hv kill %s)",
				  why.text, w->rq->vm->name);
	return error_wrap(err, rc,
			  "its guest was half brought back and had to be ended (hv snap load %s %s "
			  "once more, or another snapshot)",
			  w->rq->vm->name, r->tag);
}

/* Into a guest that runs, stands, or waits to begin. */
static int load_live(struct snapshot_work *w, const struct snapshot_record *r,
		     const struct snapshot_record *now, bool run, struct error *err)
{
	int rc = snapshot_hold_images(w, err);

	if (rc == 0)
		rc = errand_call(w->errand, "stop", NULL, ANSWER_MS, NULL, err);
	if (rc == 0 && interrupt_asked())
		rc = error_set(err, EINTR, "interrupted; nothing was touched");
	if (rc == 0)
		rc = snapshot_bitmaps_drop(w, now, err);
	if (rc == 0)
		rc = snapshot_store_set_loading(&w->store, r->tag, err);
	if (rc < 0) {
		snapshot_live_go_on(w);
		return rc;
	}
	fault_point("load begun");
	w->touched = true;
	rc = snapshot_live_load(w, r, now, err);
	if (rc < 0)
		return give_up(w, r, rc, err);
	rc = snapshot_store_set_current(&w->store, r->tag, err);
	if (rc == 0)
		rc = snapshot_store_set_loading(&w->store, NULL, err);
	if (rc == 0 && run)
		rc = snapshot_live_cont(w, err);
	return rc;
}

/* A machine is made for it, whose guest waits. */
static int load_into_new(struct snapshot_work *w, const struct snapshot_record *r, bool run,
			 struct error *err)
{
	struct snapshot_record now = {0};
	bool had = w->store.loading != NULL;
	int rc;

	rc = snapshot_store_set_loading(&w->store, r->tag, err);
	fault_point("load written down");
	if (rc == 0)
		rc = w->rq->hooks.start(w->rq->hooks.arg, err);
	if (rc < 0) {
		/* Nothing was touched, unless an earlier load did. */
		if (!had)
			(void)snapshot_store_set_loading(&w->store, NULL, NULL);
		return rc;
	}
	fault_point("machine waits for its memory");
	json_decref(steal_ptr(&w->status));
	rc = snapshot_look(w, err);
	if (rc == 0)
		rc = snapshot_live_open(w, err);
	if (rc == 0)
		rc = snapshot_disks_find(w, &now, err);
	if (rc == 0)
		rc = load_live(w, r, &now, run, err);
	if (rc < 0 && !w->touched) {
		(void)end_machine(w, NULL);
		if (!had)
			(void)snapshot_store_set_loading(&w->store, NULL, NULL);
	}
	snapshot_record_free(&now);
	return rc;
}

static int load_stopped(struct snapshot_work *w, const struct snapshot_record *r, struct error *err)
{
	int rc = 0;

	if (w->errand && !w->rq->force)
		return error_set(err, EBUSY,
				 "snapshot '%s' has no memory, for the machine was stopped (hv "
				 "down %s first, or --force ends it at once)",
				 r->tag, w->rq->vm->name);
	if (w->errand)
		rc = end_machine(w, err);
	if (rc == 0)
		rc = snapshot_bitmaps_drop(w, r, err);
	if (rc == 0)
		rc = snapshot_store_set_loading(&w->store, r->tag, err);
	fault_point("load written down");
	if (rc < 0)
		return rc;
	rc = snapshot_still_load(w, r, err);
	if (rc < 0)
		return error_wrap(err, rc,
				  "its disks are half brought back (hv snap load %s %s once more)",
				  w->rq->vm->name, r->tag);
	rc = snapshot_store_set_current(&w->store, r->tag, err);
	return rc < 0 ? rc : snapshot_store_set_loading(&w->store, NULL, err);
}

/* Flash that QEMU writes to waits after a load for the guest to run, and QEMU dies of a second load
 * before that. Whether there was a first one does not show, so a guest that stands gets a new
 * QEMU. */
static bool needs_new(const struct snapshot_work *w, const struct snapshot_record *now)
{
	for (size_t i = 0; i < now->n_disks; i++)
		if (str_eq(now->disks[i].node, SNAPSHOT_NVRAM_NODE))
			return !w->was_running;
	return false;
}

static int load_memory(struct snapshot_work *w, const struct snapshot_record *r,
		       const struct snapshot_record *now, bool run, struct error *err)
{
	int rc = 0;

	if (w->errand && !needs_new(w, now))
		return load_live(w, r, now, run, err);
	if (w->errand)
		rc = end_machine(w, err);
	return rc < 0 ? rc : load_into_new(w, r, run, err);
}

static int load(struct snapshot_work *w, struct snapshot_outcome *ret_outcome, struct error *err)
{
	const struct snapshot_request *rq = w->rq;
	struct snapshot_record now = {0};
	const struct snapshot_record *r;
	bool run;
	int rc;

	rc = snapshot_store_get(&w->store, rq->tag, &r, err);
	if (rc == 0 && !w->errand)
		rc = snapshot_disks_compare_wanted(r, rq->vm, err);
	if (rc == 0)
		rc = snapshot_hold_images(w, err);
	if (rc == 0)
		rc = snapshot_disks_find(w, &now, err);
	if (rc == 0 && w->errand && needs_new(w, &now))
		rc = snapshot_disks_compare_wanted(r, rq->vm, err);
	if (rc == 0)
		rc = check_whole(w, r, &now, err);
	if (rc == 0)
		rc = check_shape(w, r, err);
	if (rc == 0)
		rc = snapshot_bitmaps_check(w, &now, err);
	if (rc == 0)
		rc = snapshot_check_interrupt(err);
	if (rc < 0) {
		snapshot_record_free(&now);
		return rc;
	}
	run = rq->running || (!rq->paused && r->guest == SNAPSHOT_GUEST_RUNNING);
	if (r->guest == SNAPSHOT_GUEST_STOPPED)
		rc = load_stopped(w, r, err);
	else
		rc = load_memory(w, r, &now, run, err);
	if (rc == 0)
		*ret_outcome = (struct snapshot_outcome){
			.memory_bytes = r->memory_bytes,
			.runs = run && r->guest != SNAPSHOT_GUEST_STOPPED,
			.stopped = r->guest == SNAPSHOT_GUEST_STOPPED,
		};
	snapshot_record_free(&now);
	return rc;
}

int snapshot_load(const struct snapshot_request *rq, struct snapshot_outcome *ret_outcome,
		  struct error *err)
{
	struct snapshot_work w;
	int rc = snapshot_begin(&w, rq, err);

	if (rc == 0)
		rc = load(&w, ret_outcome, err);
	snapshot_end(&w);
	return rc;
}
