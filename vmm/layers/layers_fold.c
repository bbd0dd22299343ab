/* SPDX-License-Identifier: MIT */
/* Putting layers together again, of vmm/layers/layers.h. */
#include "vmm/layers/layers_fold.h"

#include "base/child.h"
#include "base/cleanup.h"
#include "base/error.h"
#include "base/fault.h"
#include "base/guard.h"
#include "base/interrupt.h"
#include "base/str.h"
#include "disk/record.h"
#include "vmm/inspect.h"
#include "vmm/json.h"
#include "vmm/layers/disk_journal.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/file.h>
#include <unistd.h>

#define FOLD_INIT(request_)                                                              \
	{                                                                                \
		.request = (request_), .images = MACHINE_IMAGES_INIT, .state_dirfd = -1, \
		.lock = -1, .guard = GUARD_INIT,                                         \
	}

static int open_fold(struct fold *f, bool commits, struct error *err)
{
	const struct layers_request *r = f->request;
	int rc;

	if (geteuid() != 0)
		return error_set(err, EPERM, "changing the layers of disks needs root");
	rc = machine_images_open(r->paths, r->host, r->vm, LAYERS_PREFIX, &f->images, err);
	if (rc == 0)
		rc = paths_open_state(r->paths, PATHS_VM, r->vm->name, 1, &f->state_dirfd, err);
	for (size_t i = 0; rc == 0 && i < r->vm->n_disks; i++)
		layers_sweep_nodes(&f->images, i);
	if (rc == 0)
		rc = machine_images_look(&f->images, err);
	return rc < 0 ? rc : fold_choose(f, commits, err);
}

static void close_fold(struct fold *f)
{
	for (size_t i = 0; i < f->n; i++)
		disk_chain_close(&f->disks[i].chain);
	free(f->disks);
	close_fd(&f->lock);
	close_fd(&f->state_dirfd);
	machine_images_close(&f->images);
}

static bool is_ours(json_t *entry)
{
	const char *opaque = json_get_string(entry, "opaque");

	return opaque && str_eq(opaque, LAYERS_MARK);
}

/* One of a set is there to be written by, and another not: that one has locks which are in its way.
 */
static int drop_others(struct fold *f, json_t *set, struct error *err)
{
	bool has_ours = false;
	json_t *entry;
	int rc = 0;
	size_t i;

	json_array_foreach (json_object_get(set, "fds"), i, entry)
		has_ours = has_ours || is_ours(entry);
	json_array_foreach (json_object_get(set, "fds"), i, entry)
		if (rc == 0 && has_ours && !is_ours(entry))
			rc = jobs_call(f->images.jobs, "remove-fd",
				       json_pack("{s:O s:O}", "fdset-id",
						 json_object_get(set, "fdset-id"), "fd",
						 json_object_get(entry, "fd")),
				       NULL, err);
	return rc;
}

/* Also where an earlier commit came only as far as to have added one. */
static int close_readers(struct fold *f, const char *path, struct error *err)
{
	cleanup_json json_t *sets = NULL;
	const char *number = str_after(path, "/dev/fdset/");
	uint64_t id = UINT64_MAX;
	json_t *set;
	size_t i;
	int rc = jobs_call(f->images.jobs, "query-fdsets", NULL, &sets, err);

	if (rc == 0 && (!number || !str_parse_u64(number, INT64_MAX, &id)))
		return error_set(err, EPROTO, "QEMU has no descriptor set '%s'", path);
	json_array_foreach (sets, i, set)
		if (rc == 0 &&
		    json_integer_value(json_object_get(set, "fdset-id")) == (json_int_t)id)
			rc = drop_others(f, set, err);
	return rc;
}

/* The base was opened to be read only: QEMU gets a descriptor that it may write by. */
static int open_to_write(struct fold *f, struct folded *d, struct error *err)
{
	json_t *info = fold_find_file(f, d);
	const char *path = json_get_string(info, "file");
	cleanup_close int fd = -1;
	int rc = 0;

	if (!path)
		return error_set(err, EPROTO, "QEMU has no file '%s-file'", d->nodes[d->base]);
	if (json_is_true(json_object_get(info, "ro"))) {
		rc = disk_open(d->chain.v[d->base].path, false, &fd, err);
		if (rc == 0)
			rc = jobs_add_fd_to(f->images.jobs, fd, LAYERS_MARK, path, err);
		if (rc == 0)
			rc = jobs_call(f->images.jobs, "blockdev-reopen",
				       json_pack("{s:[{s:s s:O s:s s:b s:s}]}", "options", "driver",
						 "file", "node-name",
						 json_object_get(info, "node-name"), "filename",
						 path, "read-only", 0, "discard", "unmap"),
				       NULL, err);
	}
	return rc < 0 ? rc : close_readers(f, path, err);
}

static int begin_commit(struct fold *f, struct folded *d, struct error *err)
{
	char id[40];
	int rc = open_to_write(f, d, err);

	(void)str_format(id, sizeof(id), LAYERS_PREFIX "disk%zu", d->index);
	if (rc == 0)
		rc = jobs_call(f->images.jobs, "block-commit",
			       json_pack("{s:s s:s s:s s:b s:I}", "job-id", id, "device",
					 d->nodes[0], "base-node", d->nodes[d->base],
					 "auto-dismiss", 0, "speed",
					 (json_int_t)f->request->limit_bytes),
			       NULL, err);
	return error_wrap_if(err, rc, "disk '%s'", d->disk->name);
}

int layers_wait_for_turn(const struct paths *paths, const char *vm)
{
	cleanup_close int fd = -1;
	int rc = paths_open_run(paths, PATHS_VM, vm, 0, &fd, NULL);

	return rc < 0 ? rc : flock(fd, LOCK_EX) < 0 ? -errno : 0;
}

/* Of a verb that was killed while the guest stood: the names follow QEMU, and it goes on. */
static void let_run(void *arg)
{
	struct fold *f = arg;
	struct machine_images im = MACHINE_IMAGES_INIT;
	sigset_t before;
	int rc;

	fault_off();
	interrupt_hold(&before);
	do {
		rc = layers_wait_for_turn(f->request->paths, f->request->vm->name);
		if (rc == 0)
			rc = machine_images_open_running(f->request->paths, f->request->vm,
							 LAYERS_PREFIX, &im, NULL);
	} while (rc == -EBUSY);
	if (rc == 0 && im.running)
		(void)jobs_call(im.jobs, "cont", NULL, NULL, NULL);
	machine_images_close(&im);
}

/* QEMU writes out what it has in its caches when it is told to stop, also where nothing runs. */
static int write_out(struct fold *f, struct error *err)
{
	return jobs_call(f->images.jobs, "stop", NULL, NULL, err);
}

static int stop_guest(struct fold *f, struct error *err)
{
	bool runs = false;
	int rc = f->images.running ? fold_find_runs(f, &runs, err) : 0;

	/* One that stands already is not ours to let go. */
	if (rc == 0 && runs) {
		rc = guard_start(&f->guard, "hv-resume", let_run, f, err);
		f->stands = rc == 0;
	}
	return rc < 0 ? rc : write_out(f, err);
}

static int resume_guest(struct fold *f, struct error *err)
{
	int rc;

	if (!f->stands)
		return 0;
	f->stands = false;
	rc = jobs_call(f->images.jobs, "cont", NULL, NULL, err);
	/* Where that failed, the guard tries once more. */
	if (rc == 0)
		guard_dismiss(&f->guard);
	return rc;
}

static int plan_names(const struct folded *d, json_t *steps, json_t *nodes, struct error *err)
{
	const char *base = d->chain.v[d->base].path;
	cleanup_disk_record struct disk_record below = {0};
	char index[24];
	int rc = disk_record_read(base, &below, err);

	if (rc < 0)
		return rc;
	/* A name of the folder is one in the disk's folder then, where the two are not the same. */
	if (below.backing && d->base + 1 < d->chain.n)
		disk_steps_record(steps, d->disk->path, below.backing, below.backing_format);
	else
		disk_steps_record(steps, d->disk->path, NULL, DISK_FORMAT_QCOW2);
	disk_steps_rename(steps, base, d->disk->path);
	for (size_t k = 1; k <= d->base; k++) {
		if (k < d->base)
			disk_steps_unlink(steps, d->chain.v[k].path);
		disk_steps_record(steps, d->chain.v[k].path, NULL, DISK_FORMAT_QCOW2);
	}
	(void)str_format(index, sizeof(index), "%zu", d->index);
	(void)json_object_set_new(nodes, index, json_string(d->nodes[d->base]));
	return 0;
}

static int change_names(struct fold *f, struct error *err)
{
	struct disk_journal journal = {
		.steps = json_array(),
		.undo = json_array(),
		.nodes = json_object(),
	};
	int rc = disk_journal_lock(f->state_dirfd, &f->lock, err);

	for (size_t i = 0; rc == 0 && i < f->n; i++)
		rc = plan_names(&f->disks[i], journal.steps, journal.nodes, err);
	if (rc == 0)
		rc = disk_journal_write(f->state_dirfd, &journal, err);
	fault_point("commit is to be named");
	if (rc == 0)
		rc = jobs_complete(f->images.jobs, LAYERS_PREFIX, err);
	if (rc == 0)
		rc = jobs_wait(f->images.jobs, LAYERS_PREFIX, f->n, JOBS_ENDED, NULL, NULL, err);
	fault_point("commit changed over");
	/* What QEMU copied in the end is not on the disk yet, and the overlay goes. */
	if (rc == 0)
		rc = write_out(f, err);
	if (rc == 0) {
		json_decref(journal.nodes);
		journal.nodes = NULL;
		rc = disk_journal_write(f->state_dirfd, &journal, err);
	}
	if (rc == 0)
		rc = disk_journal_finish(f->state_dirfd, true, err);
	else if (f->lock >= 0 && rc != -ECONNRESET && machine_images_look(&f->images, NULL) == 0)
		(void)machine_images_settle(&f->images, NULL);
	fault_point("commit named");
	disk_journal_free(&journal);
	close_fd(&f->lock);
	return rc;
}

/* Nodes of layers that are no part of a disk any more. */
static void remove_layers(struct fold *f)
{
	if (machine_images_look(&f->images, NULL) < 0)
		return;
	for (size_t i = 0; i < f->n; i++)
		for (size_t k = 0; k < f->disks[i].chain.n; k++)
			if (!str_eq(f->disks[i].nodes[k], f->images.disks[f->disks[i].index].node))
				layers_remove_node(&f->images, f->disks[i].nodes[k]);
}

static int commit(struct fold *f, struct error *err)
{
	const struct layers_request *r = f->request;
	struct error later = ERROR_INIT;
	size_t begun = 0;
	int rc = open_fold(f, true, err), resumed;

	for (; rc == 0 && begun < f->n; begun++)
		rc = begin_commit(f, &f->disks[begun], err);
	fault_point("commit begun");
	if (rc == 0)
		rc = jobs_wait(f->images.jobs, LAYERS_PREFIX, f->n, JOBS_READY, r->show, r->arg,
			       err);
	if (rc == 0)
		rc = stop_guest(f, err);
	fault_point("guest stands");
	if (rc == 0)
		rc = change_names(f, err);
	if (rc < 0 && f->images.jobs)
		jobs_cancel(f->images.jobs, LAYERS_PREFIX);
	resumed = resume_guest(f, &later);
	if (rc < 0)
		return begun ? error_wrap(err, rc,
					  "the disks are what they were; the image below is no "
					  "more what it was when it was saved")
			     : rc;
	if (resumed < 0)
		return error_copy(err, &later);
	(void)jobs_dismiss(f->images.jobs, LAYERS_PREFIX, NULL);
	if (f->images.running)
		remove_layers(f);
	return 0;
}

int layers_commit(const struct layers_request *request, struct error *err)
{
	struct fold f = FOLD_INIT(request);
	int rc = commit(&f, err);

	close_fold(&f);
	/* It waits for its turn, which is ours until here. */
	guard_let_act(&f.guard);
	return rc;
}

/* A header that names nothing below is on the disk before what was copied is. Until that is there,
 * too, the record is what counts. Data first, while the guest runs. */
static int keep_copied(struct fold *f, struct error *err)
{
	struct error later = ERROR_INIT;
	int rc = 0, resumed;

	for (size_t i = 0; rc == 0 && i < f->n; i++)
		if (fdatasync(f->disks[i].chain.v[0].fd) < 0)
			rc = error_errno(err, errno, "disk '%s': write it out",
					 f->disks[i].disk->name);
	if (rc == 0)
		rc = stop_guest(f, err);
	resumed = resume_guest(f, &later);
	return rc == 0 && resumed < 0 ? error_copy(err, &later) : rc;
}

static int rebase(struct fold *f, struct error *err)
{
	const struct layers_request *r = f->request;
	int rc = open_fold(f, false, err);

	for (size_t i = 0; rc == 0 && i < f->n; i++) {
		char id[40];

		(void)str_format(id, sizeof(id), LAYERS_PREFIX "disk%zu", f->disks[i].index);
		rc = jobs_call(f->images.jobs, "block-stream",
			       json_pack("{s:s s:s s:b s:I}", "job-id", id, "device",
					 f->disks[i].nodes[0], "auto-dismiss", 0, "speed",
					 (json_int_t)r->limit_bytes),
			       NULL, err);
		rc = error_wrap_if(err, rc, "disk '%s'", f->disks[i].disk->name);
	}
	fault_point("rebase begun");
	if (rc == 0)
		rc = jobs_wait(f->images.jobs, LAYERS_PREFIX, f->n, JOBS_CONCLUDED, r->show, r->arg,
			       err);
	fault_point("rebase copied");
	if (f->images.jobs)
		jobs_cancel(f->images.jobs, LAYERS_PREFIX);
	if (rc == 0)
		rc = keep_copied(f, err);
	fault_point("rebase written out");
	for (size_t i = 0; rc == 0 && i < f->n; i++)
		rc = disk_record_remove(f->disks[i].disk->path, err);
	if (rc == 0 && f->images.running)
		remove_layers(f);
	for (size_t i = 0; rc == 0 && i < f->n; i++)
		rc = layers_drop(r->paths, r->lab, f->disks[i].chain.v[1].path, NULL, err);
	return rc;
}

int layers_rebase(const struct layers_request *request, struct error *err)
{
	struct fold f = FOLD_INIT(request);
	int rc = rebase(&f, err);

	close_fold(&f);
	guard_let_act(&f.guard);
	return rc;
}
