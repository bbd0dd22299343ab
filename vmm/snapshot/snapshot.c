/* SPDX-License-Identifier: MIT */
/*
 * Theory of operation
 *
 * Whoever changes a machine's snapshots holds its store's lock, and a machine does not start
 * meanwhile (snapshot_store_may_start()); so one that is stopped stays so.
 *
 * A save first writes a record that says "pending", then makes the snapshot in every image, then
 * writes "complete". A removal writes "leaving" first. What a crash leaves between the two is in
 * no list and cannot be loaded; whoever has the lock next clears it away.
 */
#include "vmm/snapshot/snapshot_private.h"

#include "base/cleanup.h"
#include "base/error.h"
#include "base/fault.h"
#include "base/file.h"
#include "base/interrupt.h"
#include "base/str.h"
#include "disk/snapshots.h"
#include "vmm/fork/template.h"
#include "vmm/json.h"
#include "vmm/layers/disk_journal.h"
#include "vmm/layers/machine_images.h"
#include "vmm/rundir.h"
#include "vmm/shape.h"
#include "vmm/snapshot/snapshot_place.h"
#include "vmm/vm_status.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <time.h>

int snapshot_look(struct snapshot_work *w, struct error *err)
{
	const struct snapshot_request *rq = w->rq;
	enum rundir_state run;
	const char *state;
	int rc;

	rundir_settle(rq->paths, PATHS_VM, rq->vm->name);
	rc = vm_status_read(rq->paths, rq->vm, &w->status, err);
	if (rc == 0)
		rc = rundir_check_held(rq->paths, PATHS_VM, rq->vm->name, err);
	if (rc == 0)
		rc = rundir_look(rq->paths, PATHS_VM, rq->vm->name, &run, err);
	if (rc < 0)
		return rc;
	state = json_get_string(w->status, "state") ?: "";
	if (str_eq(state, "running") || str_eq(state, "paused")) {
		if (json_is_null(json_object_get(w->status, "supervisor")))
			return error_set(err, EBUSY,
					 "it has no supervisor (hv up %s takes it over)",
					 rq->vm->name);
		w->live = true;
		w->qemu = (pid_t)json_integer_value(json_object_get(w->status, "pid"));
		return 0;
	}
	if (str_eq(state, "starting") || str_eq(state, "stopping"))
		return error_set(err, EBUSY, "it is %s", state);
	if (run == RUNDIR_SERVED)
		return error_set(err, EBUSY, "it starts again by itself (hv kill %s ends that)",
				 rq->vm->name);
	if (json_is_object(json_object_get(w->status, "saved")) && !w->looks)
		return error_set(err, EBUSY,
				 "it is suspended to disk (hv up %s resumes it, hv up "
				 "--discard-state %s forgets that)",
				 rq->vm->name, rq->vm->name);
	return 0;
}

/* What was never started keeps nothing, and is not to because somebody looked at it. */
static bool is_new(const struct snapshot_request *rq)
{
	cleanup_close int fd = -1;

	return paths_open_state(rq->paths, PATHS_VM, rq->vm->name, 0, &fd, NULL) == -ENOENT;
}

int snapshot_open(struct snapshot_work *w, const struct snapshot_request *rq, bool looks,
		  struct error *err)
{
	int rc;

	*w = (struct snapshot_work){
		.rq = rq, .store = SNAPSHOT_STORE_INIT, .images_fd = -1, .looks = looks};
	rc = looks && is_new(rq) ? 0 : snapshot_store_lock(rq->paths, rq->vm->name, &w->store, err);
	if (rc == 0)
		rc = snapshot_look(w, err);
	if (rc == 0 && w->live)
		rc = snapshot_live_open(w, err);
	return rc;
}

int snapshot_begin(struct snapshot_work *w, const struct snapshot_request *rq, struct error *err)
{
	int rc = snapshot_open(w, rq, false, err);

	if (rc == 0 && !w->live)
		rc = disk_journal_settle(w->store.state_dirfd, err);
	if (rc == 0 && !w->live)
		rc = template_check_writable(rq->paths, NULL, rq->vm, err);
	return rc;
}

int snapshot_check_interrupt(struct error *err)
{
	return interrupt_asked() ? error_set(err, EINTR, "interrupted; all is as before") : 0;
}

int snapshot_hold_images(struct snapshot_work *w, struct error *err)
{
	if (!w->errand || w->images_fd >= 0)
		return 0;
	return machine_images_lock(w->rq->paths, w->rq->vm->name, &w->images_fd, err);
}

void snapshot_end(struct snapshot_work *w)
{
	close_fd(&w->images_fd);
	errand_close(w->errand);
	snapshot_store_close(&w->store);
	json_decref(w->status);
}

/* A QEMU that was there and has gone meanwhile is no way to an image any more; nor is one that is
 * there to an image that was taken out of the machine since. */
static int delete_everywhere(struct snapshot_work *w, const struct snapshot_record *r,
			     const char *tag, struct error *err)
{
	struct snapshot_record now = {0};
	int rc = -ECONNRESET;

	if (w->errand) {
		rc = snapshot_disks_find(w, &now, err);
		if (rc == 0)
			rc = snapshot_live_delete(w, &now, tag, err);
		if (rc == 0)
			rc = snapshot_still_delete(r, &now, tag, err);
		snapshot_record_free(&now);
	}
	if (rc == -ECONNRESET || rc == -ENOTCONN)
		rc = snapshot_still_delete(r, NULL, tag, err);
	return rc;
}

int snapshot_clear(struct snapshot_work *w, const char *tag, struct error *err)
{
	const struct snapshot_record *r = snapshot_store_find(&w->store, tag);
	size_t n = 1;
	int rc = 0;

	if (!r)
		return 0;
	/* Below a layer that came since nobody reaches it, and it would be there again one day. */
	rc = snapshot_place_check(w->rq->vm, r, err);
	if (rc < 0)
		return rc;
	/* An image that cannot be read may have it. */
	(void)snapshot_disks_count(r, tag, &n, NULL, NULL);
	if (n)
		rc = delete_everywhere(w, r, tag, err);
	fault_point("snapshot out of the images");
	return rc < 0 ? rc : snapshot_store_remove(&w->store, tag, err);
}

/* What a crash left and a layer hides has to wait until that is folded in. */
static bool may_clear(const struct snapshot_work *w, const struct snapshot_record *r)
{
	cleanup_free char *layer = NULL;

	return r->stage != SNAPSHOT_COMPLETE &&
	       (snapshot_place_find(w->rq->vm, r, &layer, NULL) < 0 || !layer);
}

int snapshot_clear_partial(struct snapshot_work *w, struct error *err)
{
	for (size_t i = 0; i < w->store.n;) {
		const struct snapshot_record *r = &w->store.v[i];
		int rc;

		if (!may_clear(w, r)) {
			i++;
			continue;
		}
		rc = snapshot_clear(w, r->tag, err);
		if (rc < 0)
			return error_wrap(err, rc, "what was left of snapshot '%s'", r->tag);
	}
	return 0;
}

static int check_new(struct snapshot_work *w, const struct snapshot_record *r, struct error *err)
{
	const struct snapshot_record *there = snapshot_store_find(&w->store, r->tag);
	size_t n;
	int rc = 0;

	if (there && there->stage != SNAPSHOT_COMPLETE)
		rc = error_wrap_if(err, snapshot_place_check(w->rq->vm, there, err),
				   "an earlier '%s' was never complete", r->tag);
	if (rc < 0)
		return rc;
	if (there)
		return error_set(err, EEXIST,
				 "snapshot '%s' is there already (hv snap rm %s %s removes it)",
				 r->tag, w->rq->vm->name, r->tag);
	rc = snapshot_disks_count(r, r->tag, &n, NULL, err);
	if (rc == 0 && n)
		rc = error_set(err, EEXIST,
			       "somebody else's snapshot '%s' is in its images (hv check --images "
			       "names them)",
			       r->tag);
	return rc;
}

static int describe(struct snapshot_work *w, struct snapshot_record *r, struct error *err)
{
	const struct snapshot_request *rq = w->rq;
	struct timespec now = {0};
	int rc;

	(void)clock_gettime(CLOCK_REALTIME, &now);
	*r = (struct snapshot_record){
		.tag = strdup(rq->tag),
		.note = rq->note ? strdup(rq->note) : NULL,
		.parent = w->store.current ? strdup(w->store.current) : NULL,
		.stage = SNAPSHOT_PENDING,
		.guest = !w->errand ? SNAPSHOT_GUEST_STOPPED
				    : (w->was_running ? SNAPSHOT_GUEST_RUNNING
						      : SNAPSHOT_GUEST_PAUSED),
		.date = (uint64_t)now.tv_sec,
		.date_ns = (uint32_t)now.tv_nsec,
	};
	if (!r->tag || (rq->note && !r->note) || (w->store.current && !r->parent))
		return error_oom(err);
	rc = snapshot_disks_find(w, r, err);
	if (rc == 0 && w->errand)
		rc = error_wrap_if(err, shape_load(w->store.state_dirfd, &r->shape, err),
				   "what its guest has seen of the machine");
	return rc < 0 ? rc : check_new(w, r, err);
}

/* Whoever had no space does not say where. */
static int name_full(struct snapshot_work *w, const struct snapshot_record *r, int rc,
		     struct error *err)
{
	if (file_system_is_full(w->store.dirfd))
		return error_wrap(err, rc, "the file system of '%s' is full", w->rq->paths->state);
	for (size_t i = 0; i < r->n_disks; i++) {
		cleanup_close int fd =
			r->disks[i].path ? open(r->disks[i].path, O_PATH | O_CLOEXEC) : -1;

		if (file_system_is_full(fd))
			return error_wrap(err, rc, "the file system of '%s' is full",
					  r->disks[i].path);
	}
	return rc;
}

static int make(struct snapshot_work *w, struct error *err)
{
	struct snapshot_record fresh = {0}, *r;
	int rc = describe(w, &fresh, err);

	if (rc == 0)
		rc = snapshot_store_put(&w->store, &fresh, err);
	snapshot_record_free(&fresh);
	if (rc < 0)
		return rc;
	r = snapshot_store_find(&w->store, w->rq->tag);
	if (!w->errand)
		rc = snapshot_still_save(w, r, err);
	else if (w->was_running)
		rc = snapshot_stream_save(w, r, err);
	else
		rc = snapshot_live_save(w, r, err);
	if (rc == -ECONNRESET || rc == -ENOTCONN)
		rc = error_set(
			err, -rc,
			"QEMU or what looks after it has gone in the middle of it, so there is "
			"no snapshot '%s' (hv status %s)",
			r->tag, w->rq->vm->name);
	else if (rc < 0 && rc != -EINTR)
		rc = name_full(w, r, rc, err);
	else if (rc == 0)
		rc = snapshot_check_interrupt(err);
	if (rc == 0) {
		r->stage = SNAPSHOT_COMPLETE;
		rc = snapshot_store_put(&w->store, r, err);
	}
	if (rc == 0)
		return snapshot_store_set_current(&w->store, r->tag, err);
	/* What is left all the same, the next one clears away. */
	(void)snapshot_clear(w, w->rq->tag, NULL);
	return rc;
}

int snapshot_save(const struct snapshot_request *rq, struct snapshot_outcome *ret_outcome,
		  struct error *err)
{
	const struct snapshot_record *r;
	struct snapshot_work w;
	int rc;

	rc = snapshot_tag_check(rq->tag, err);
	if (rc < 0)
		return rc;
	rc = snapshot_begin(&w, rq, err);
	if (rc == 0 && w.store.loading)
		rc = error_set(err, EBUSY,
			       "the load of snapshot '%s' was broken off (hv snap load %s %s once "
			       "more)",
			       w.store.loading, rq->vm->name, w.store.loading);
	if (rc == 0)
		rc = snapshot_hold_images(&w, err);
	if (rc == 0)
		rc = snapshot_clear_partial(&w, err);
	if (rc == 0)
		rc = make(&w, err);
	if (rc == 0) {
		r = snapshot_store_find(&w.store, rq->tag);
		*ret_outcome = (struct snapshot_outcome){
			.memory_bytes = r->memory_bytes,
			.stood_usec = w.stood_usec,
			.runs = w.errand && w.was_running,
			.stopped = !w.errand,
		};
	}
	snapshot_end(&w);
	return rc;
}

/* Of an image that cannot be read nothing can be taken away, and half of a snapshot is none. With
 * an image that has gone its part has gone. */
static int check_readable(const struct snapshot_record *r, struct error *err)
{
	size_t n;
	int rc = snapshot_disks_count(r, r->tag, &n, NULL, err);

	return rc == -ENOENT ? 0 : rc;
}

int snapshot_remove(const struct snapshot_request *rq, struct error *err)
{
	const struct snapshot_record *found;
	struct snapshot_record *r;
	struct snapshot_work w;
	int rc;

	rc = snapshot_begin(&w, rq, err);
	if (rc == 0)
		rc = snapshot_store_get(&w.store, rq->tag, &found, err);
	if (rc == 0 && w.store.loading && str_eq(w.store.loading, rq->tag))
		rc = error_set(err, EBUSY, "its load was broken off and needs it");
	if (rc == 0)
		rc = snapshot_place_check(rq->vm, found, err);
	if (rc == 0)
		rc = check_readable(found, err);
	if (rc == 0)
		rc = snapshot_hold_images(&w, err);
	if (rc == 0) {
		r = snapshot_store_find(&w.store, rq->tag);
		r->stage = SNAPSHOT_LEAVING;
		rc = snapshot_store_put(&w.store, r, err);
	}
	if (rc == 0)
		rc = snapshot_clear(&w, rq->tag, err);
	snapshot_end(&w);
	return rc;
}
