/* SPDX-License-Identifier: MIT */
#include "vmm/backup/backup_restore_private.h"

#include "base/cleanup.h"
#include "base/error.h"
#include "base/fault.h"
#include "base/interrupt.h"
#include "disk/chain.h"
#include "vmm/backup/backup_verify.h"
#include "vmm/inspect.h"
#include "vmm/layers/disk_journal.h"
#include "vmm/layers/hold.h"
#include "vmm/layers/jobs.h"
#include "vmm/snapshot/snapshot_store.h"
#include "vmm/volumes/volume_users.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

static void show_sum(uint64_t done, uint64_t total, void *arg)
{
	const struct restore_request *r = arg;

	if (r->show)
		r->show(RESTORE_SUM, done, total, r->arg);
}

/* Bad input is found before anything is read or written. */
static int choose(struct restore *r, struct error *err)
{
	const struct restore_request *q = r->request;
	const struct backup_manifest *m = &r->folder.manifest;
	const char *name = q->name ? q->name : m->vm;

	if (q->generation >= (int64_t)m->n)
		return error_set(err, ENOENT, "'%s' has generations 0 to %zu", r->folder.path,
				 m->n - 1);
	r->from = &m->generations[q->generation < 0 ? (int64_t)m->n - 1 : q->generation];
	if (q->verify)
		return 0;
	r->vm = lab_find_vm(q->lab, name);
	if (!r->vm)
		return error_set(err, ENOENT,
				 "there is no vm '%s' in '%s' (the manifest's config is what it "
				 "was there)",
				 name, q->paths->config);
	if (r->vm->n_disks != r->from->n_disks)
		return error_set(err, EINVAL, "vm '%s' has %zu disk%s, and the backup %zu", name,
				 r->vm->n_disks, r->vm->n_disks == 1 ? "" : "s", r->from->n_disks);
	for (size_t i = 0; i < r->vm->n_disks; i++) {
		const struct spec_disk *disk = &r->vm->disks[i];
		struct stat st;
		int rc;

		if (stat(disk->path, &st) == 0 && !S_ISREG(st.st_mode))
			return error_set(err, EINVAL,
					 "disk '%s': '%s' is not a file that can be replaced "
					 "(qemu-img convert writes to devices)",
					 disk->name, disk->path);
		if (disk->size_bytes && disk->size_bytes < r->from->disks[i].virtual_bytes)
			return error_set(err, EINVAL,
					 "disk '%s': its size: is less than the backup's",
					 disk->name);
		rc = volume_check_clones(q->paths, q->lab, disk->path, err);
		if (rc < 0)
			return rc;
	}
	return 0;
}

/* Nothing may run, and nothing may start. */
static int hold_machine(struct restore *r, struct error *err)
{
	const struct paths *paths = r->request->paths;
	const char *name = r->vm->name;
	int rc;

	if (geteuid() != 0)
		return error_set(err, EPERM, "restoring needs root");
	rc = machine_hold_files(paths, r->vm, &r->rundir, err);
	if (rc == 0)
		rc = paths_open_state(paths, PATHS_VM, name, 1, &r->state_dirfd, err);
	for (size_t i = 0; rc == 0 && i < r->vm->n_disks; i++) {
		const struct spec_disk *disk = &r->vm->disks[i];
		struct disk_info info = {.in_use = false};
		int found = disk_chain_examine(disk->path, inspect_format(disk), &info, NULL);

		/* One that is missing or damaged is what a restore is for. */
		if (found == 0 && info.in_use)
			rc = error_set(err, EBUSY, "disk '%s': '%s' is in use by another process",
				       disk->name, disk->path);
	}
	return rc;
}

/* From the journal on all of it happens, whoever does it. */
static int put_in_place(struct restore *r, struct error *err)
{
	const struct disk_journal journal = {.steps = r->steps};
	cleanup_close int lock = -1;
	int rc;

	rc = disk_journal_lock(r->state_dirfd, &lock, err);
	if (rc == 0)
		rc = interrupt_check(err);
	fault_point("restore complete");
	if (rc == 0)
		rc = disk_journal_write(r->state_dirfd, &journal, err);
	if (rc < 0)
		return rc;
	strv_free(&r->new_files);
	fault_point("restore is to be named");
	return disk_journal_finish(r->state_dirfd, true, err);
}

/* They are in the disks that are replaced, and a backup has none. */
static int check_snapshots(struct restore *r, struct error *err)
{
	cleanup_strbuf struct strbuf tags = {0};
	struct snapshot_store store;
	int rc = snapshot_store_read(r->request->paths, r->vm->name, &store, err);

	if (rc < 0)
		return rc;
	for (size_t i = 0; i < store.n; i++)
		if (store.v[i].stage == SNAPSHOT_COMPLETE)
			strbuf_addf(&tags, "%s%s", tags.len ? ", " : "", store.v[i].tag);
	snapshot_store_close(&store);
	if (!tags.len || r->request->drop_snapshots)
		return 0;
	return error_set(err, EEXIST,
			 "it has snapshots, which go with the disks that are replaced: %s (--force "
			 "gives them up)",
			 tags.data ? tags.data : "");
}

static int drop_snapshots(struct restore *r, struct error *err)
{
	struct snapshot_store store;
	int rc = snapshot_store_read(r->request->paths, r->vm->name, &store, err);
	bool any = rc == 0 && (store.n || store.loading);

	if (rc == 0)
		snapshot_store_close(&store);
	if (any)
		rc = snapshot_store_lock(r->request->paths, r->vm->name, &store, err);
	if (rc < 0 || !any)
		return rc;
	while (rc == 0 && store.n)
		rc = snapshot_store_remove(&store, store.v[0].tag, err);
	/* A load that was broken off is over as well. */
	if (rc == 0 && store.loading)
		rc = snapshot_store_set_loading(&store, NULL, err);
	snapshot_store_close(&store);
	return error_wrap_if(err, rc,
			     "its disks are brought back, what was known of its snapshots");
}

static int write_machine(struct restore *r, struct error *err)
{
	const struct restore_request *q = r->request;
	int rc;

	r->steps = json_array();
	rc = r->steps ? storage_start(q->paths, q->host, r->vm->name, &r->storage, &r->jobs, err)
		      : error_oom(err);
	if (rc == 0)
		rc = restore_write_disks(r, err);
	if (rc == 0)
		rc = restore_write_nvram(r, err);
	if (rc == 0)
		rc = restore_write_tpm(r, err);
	if (rc == 0)
		rc = restore_write_pins(r, err);
	/* It has let go of the images before they get their names. */
	storage_end(&r->storage, r->jobs);
	jobs_close(steal_ptr(&r->jobs));
	if (rc == 0)
		rc = put_in_place(r, err);
	return rc == 0 ? drop_snapshots(r, err) : rc;
}

static int verify(struct restore *r, struct error *err)
{
	struct backup_verify v = {
		.folder = &r->folder, .show = show_sum, .arg = (void *)r->request};
	int rc = r->vm ? backup_verify_generation(&v, r->from, err) : backup_verify_all(&v, err);

	r->checked_bytes = v.checked_bytes;
	return rc;
}

static int restore(struct restore *r, struct error *err)
{
	int rc = backup_folder_open(r->request->folder, &r->folder, err);

	if (rc == 0)
		rc = choose(r, err);
	if (rc == 0 && r->vm)
		rc = hold_machine(r, err);
	if (rc == 0 && r->vm)
		rc = error_wrap_if(err, check_snapshots(r, err), "vm '%s'", r->vm->name);
	if (rc == 0)
		rc = verify(r, err);
	if (rc == 0 && r->vm)
		rc = error_wrap_if(err, write_machine(r, err), "vm '%s'", r->vm->name);
	return rc;
}

int backup_restore(const struct restore_request *request, struct restore_report *ret_report,
		   struct error *err)
{
	struct restore r = {
		.request = request,
		.folder = BACKUP_FOLDER_INIT,
		.rundir = RUNDIR_INIT,
		.storage = STORAGE_INIT,
		.state_dirfd = -1,
	};
	int rc = restore(&r, err);

	if (rc == 0) {
		*ret_report = (struct restore_report){
			.generation = r.vm ? r.from->number : (unsigned)r.folder.manifest.n,
			.bytes = r.checked_bytes,
		};
		(void)str_format(ret_report->vm, sizeof(ret_report->vm), "%s",
				 r.vm ? r.vm->name : r.folder.manifest.vm);
		(void)str_format(ret_report->time, sizeof(ret_report->time), "%s", r.from->time);
	}
	storage_end(&r.storage, r.jobs);
	jobs_close(r.jobs);
	for (size_t i = 0; i < r.new_files.n; i++)
		(void)unlink(r.new_files.v[i]);
	strv_free(&r.new_files);
	json_decref(r.steps);
	close_fd(&r.state_dirfd);
	if (r.rundir.lockfd >= 0)
		rundir_remove(&r.rundir, request->paths, PATHS_VM, r.vm->name);
	backup_folder_close(&r.folder);
	return rc;
}
