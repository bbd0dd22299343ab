/* SPDX-License-Identifier: MIT */
/*
 * Snapshots by QEMU's own jobs: the save of a guest that stands already, every load, every removal.
 *
 * Theory of operation: every writable disk and the NVRAM hold an internal snapshot of the same
 * name. The machine's state, with the TPM's in it, goes into an image of its own that is plugged
 * in as one more node for the time of the job and holds nothing else. So a save that fails, or a
 * QEMU that is killed within one, leaves nothing of it in the disks: removing that file gives all
 * of the space back, and so does removing the snapshot later.
 *
 * QEMU does the work in one go and hears nobody meanwhile. How far it is tell the kernel's counts
 * of what the process has read and written. It cannot be cancelled either: an interrupt waits,
 * and then takes away what was made.
 */
#include "vmm/snapshot/snapshot_private.h"

#include "base/cleanup.h"
#include "base/error.h"
#include "base/fault.h"
#include "base/file.h"
#include "base/str.h"
#include "disk/empty.h"
#include "disk/snapshots.h"
#include "vmm/json.h"
#include "vmm/snapshot/one_processor.h"
#include "vmm/snapshot/read_ahead.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/statvfs.h>
#include <unistd.h>

#define MEMORY_NODE "hv-memory"
#define OPAQUE "hv snap" /* of its descriptor */

enum {
	ANSWER_MS = 60 * 1000,
	PROC_BYTES_MAX = 64 * 1024,
	/* Devices, tables, and the disks' own bookkeeping. */
	MARGIN_BYTES = 32 * 1024 * 1024,
};

/* "KEY: NUMBER" in a file of /proc/PID; 0 where it cannot be read. */
static uint64_t proc_number(pid_t pid, const char *file, const char *key)
{
	cleanup_free char *text = NULL;
	char path[48], *at;

	(void)str_format(path, sizeof(path), "/proc/%d/%s", (int)pid, file);
	if (pid <= 0 || file_read(AT_FDCWD, path, PROC_BYTES_MAX, &text, NULL, NULL) < 0)
		return 0;
	at = strstr(text, key);
	return at ? strtoull(at + strlen(key), NULL, 10) : 0;
}

static uint64_t io_now(const struct snapshot_work *w)
{
	return proc_number(w->qemu, "io", w->writes ? "wchar: " : "rchar: ");
}

uint64_t snapshot_live_touched(const struct snapshot_work *w)
{
	return proc_number(w->qemu, "status", "RssShmem:") * 1024;
}

void snapshot_live_count(struct snapshot_work *w, uint64_t total)
{
	w->io_before = io_now(w);
	w->io_total = total;
}

static void on_tick(void *arg)
{
	struct snapshot_work *w = arg;
	uint64_t done = io_now(w);

	done = done > w->io_before ? done - w->io_before : 0;
	if (w->ahead)
		read_ahead_tell(w->ahead, done);
	if (!w->rq->hooks.progress || !w->io_total)
		return;
	w->rq->hooks.progress(done < w->io_total ? done : w->io_total, w->io_total,
			      w->rq->hooks.arg);
}

/* QEMU closes a descriptor of a set only while its guest runs: what was taken out of one while the
 * guest stood keeps the space of a file that is removed later. */
static void drop_descriptors(struct snapshot_work *w)
{
	cleanup_json json_t *sets = NULL;
	json_t *set;
	size_t i;

	if (errand_call(w->errand, "query-fdsets", NULL, ANSWER_MS, &sets, NULL) < 0)
		return;
	json_array_foreach (sets, i, set) {
		json_t *first = json_array_get(json_object_get(set, "fds"), 0);

		if (str_eq(json_get_string(first, "opaque") ?: "", OPAQUE))
			(void)errand_call(
				w->errand, "remove-fd",
				json_pack("{s:O}", "fdset-id", json_object_get(set, "fdset-id")),
				ANSWER_MS, NULL, NULL);
	}
}

int snapshot_live_open(struct snapshot_work *w, struct error *err)
{
	const struct errand_watch watch = {.tick = on_tick, .arg = w};
	cleanup_json json_t *status = NULL;
	int rc;

	rc = errand_open(w->rq->paths, w->rq->vm->name, &watch, &w->errand, err);
	if (rc == 0)
		rc = errand_call(w->errand, "query-status", NULL, ANSWER_MS, &status, err);
	if (rc < 0)
		return rc;
	w->was_running = json_is_true(json_object_get(status, "running"));
	if (w->was_running)
		drop_descriptors(w);
	return 0;
}

int snapshot_live_cont(struct snapshot_work *w, struct error *err)
{
	int rc = errand_call(w->errand, "cont", NULL, ANSWER_MS, NULL, err);

	if (rc == 0)
		drop_descriptors(w);
	return rc;
}

void snapshot_live_go_on(struct snapshot_work *w)
{
	if (w->was_running)
		(void)snapshot_live_cont(w, NULL);
}

static void unplug_memory(struct snapshot_work *w)
{
	/* Where it is not there, that is as well. */
	(void)errand_call(w->errand, "blockdev-del", json_pack("{s:s}", "node-name", MEMORY_NODE),
			  ANSWER_MS, NULL, NULL);
}

/* An image that an earlier version made has other tables than ours, and is only read. */
static json_t *pack_memory(const char *path, bool ours)
{
	json_t *j = json_pack("{s:s s:s s:n s:{s:s s:s}}", "driver", "qcow2", "node-name",
			      MEMORY_NODE, "backing", "file", "driver", "file", "filename", path);

	if (j && ours)
		(void)json_object_set_new(j, "l2-cache-entry-size",
					  json_integer(DISK_EMPTY_TABLE_BYTES));
	return j;
}

static int plug_memory(struct snapshot_work *w, int fd, bool ours, struct error *err)
{
	json_t *result = NULL;
	json_int_t set;
	char path[48];
	int rc;

	unplug_memory(w);
	rc = errand_call_fd(w->errand, "add-fd", json_pack("{s:s}", "opaque", OPAQUE), fd, &result,
			    err);
	if (rc < 0)
		return rc;
	set = json_integer_value(json_object_get(result, "fdset-id"));
	json_decref(result);
	(void)str_format(path, sizeof(path), "/dev/fdset/%" JSON_INTEGER_FORMAT, set);
	rc = errand_call(w->errand, "blockdev-add", pack_memory(path, ours), ANSWER_MS, NULL, err);
	/* The node has a duplicate. */
	(void)errand_call(w->errand, "remove-fd", json_pack("{s:I}", "fdset-id", set), ANSWER_MS,
			  NULL, NULL);
	return rc;
}

/* The nodes of a snapshot's disks, and the memory's where it has some. */
static json_t *nodes_of(const struct snapshot_record *r, bool memory)
{
	json_t *list = json_array();

	for (size_t i = 0; i < r->n_disks; i++)
		(void)json_array_append_new(list, json_string(r->disks[i].node));
	if (memory)
		(void)json_array_append_new(list, json_string(MEMORY_NODE));
	return list;
}

static int run_job(struct snapshot_work *w, const char *command, const char *tag,
		   const struct snapshot_record *disks, bool memory, struct error *err)
{
	json_t *args = json_pack("{s:s s:o}", "tag", tag, "devices", nodes_of(disks, memory));
	struct one_processor p;
	int rc;

	if (!memory)
		return errand_job(w->errand, command, args, err);
	if (args)
		(void)json_object_set_new(args, "vmstate", json_string(MEMORY_NODE));
	one_processor_begin(&p, w->qemu);
	rc = errand_job(w->errand, command, args, err);
	one_processor_end(&p);
	return rc;
}

int snapshot_live_check_space(const struct snapshot_work *w, uint64_t bytes, struct error *err)
{
	struct statvfs fs;
	uint64_t there;

	if (fstatvfs(w->store.dirfd, &fs) < 0)
		return error_errno(err, errno, "look for space");
	there = (uint64_t)fs.f_bavail * fs.f_frsize;
	if (there < bytes + MARGIN_BYTES) {
		char needed[32], found[32];

		str_format_size(needed, sizeof(needed), bytes + MARGIN_BYTES);
		str_format_size(found, sizeof(found), there);
		return error_set(err, ENOSPC,
				 "its memory may take %s, and '%s' has %s left (hv snap rm makes "
				 "space)",
				 needed, w->rq->paths->state, found);
	}
	return 0;
}

/* What the job has made of the memory's image. */
static int measure_memory(int fd, const char *tag, uint64_t *ret_bytes, struct error *err)
{
	const struct disk_snapshot *snapshot;
	struct disk_snapshots list;
	int rc = disk_snapshots_read(fd, &list, err);

	if (rc < 0)
		return rc;
	snapshot = disk_snapshots_find(&list, tag);
	*ret_bytes = snapshot ? snapshot->memory_bytes : 0;
	disk_snapshots_free(&list);
	return *ret_bytes ? 0 : error_set(err, EIO, "QEMU has saved no memory");
}

int snapshot_live_make_memory(struct snapshot_work *w, const struct snapshot_record *r, int *ret_fd,
			      struct error *err)
{
	cleanup_close int fd = -1;
	int rc;

	rc = snapshot_live_check_space(w, snapshot_live_touched(w), err);
	if (rc == 0)
		rc = snapshot_store_open_memory(&w->store, r->tag, true, &fd, err);
	if (rc == 0)
		rc = snapshot_check_interrupt(err);
	if (rc == 0)
		*ret_fd = steal_fd(&fd);
	return rc;
}

int snapshot_live_save(struct snapshot_work *w, struct snapshot_record *r, struct error *err)
{
	cleanup_close int fd = -1;
	int rc;

	rc = snapshot_live_make_memory(w, r, &fd, err);
	if (rc == 0)
		rc = disk_write_empty(fd, err);
	if (rc == 0)
		rc = plug_memory(w, fd, true, err);
	fault_point("memory's image plugged in");
	if (rc < 0)
		return rc;
	w->writes = true;
	snapshot_live_count(w, snapshot_live_touched(w));
	rc = run_job(w, "snapshot-save", r->tag, r, true, err);
	fault_point("snapshot job done");
	unplug_memory(w);
	if (rc == 0 && fdatasync(fd) < 0)
		rc = error_errno(err, errno, "fsync the memory");
	if (rc == 0)
		rc = measure_memory(fd, r->tag, &r->memory_bytes, err);
	return rc;
}

int snapshot_live_load(struct snapshot_work *w, const struct snapshot_record *r,
		       const struct snapshot_record *now, struct error *err)
{
	cleanup_close int fd = -1;
	struct read_ahead ahead;
	int rc;

	rc = snapshot_store_open_memory(&w->store, r->tag, false, &fd, err);
	if (rc == 0)
		rc = plug_memory(w, fd, false, err);
	fault_point("memory's image plugged in");
	if (rc < 0)
		return rc;
	w->writes = false;
	snapshot_live_count(w, r->memory_bytes);
	read_ahead_begin(&ahead, fd);
	w->ahead = &ahead;
	rc = run_job(w, "snapshot-load", r->tag, now, true, err);
	w->ahead = NULL;
	read_ahead_end(&ahead);
	fault_point("load job done");
	unplug_memory(w);
	return rc;
}

int snapshot_live_delete(struct snapshot_work *w, const struct snapshot_record *now,
			 const char *tag, struct error *err)
{
	unplug_memory(w);
	return run_job(w, "snapshot-delete", tag, now, false, err);
}
