/* SPDX-License-Identifier: MIT */
/* What of a machine can hold a snapshot: of one that runs QEMU is asked, for disks may have been
 * plugged in; of one that does not, its configuration. */
#include "vmm/snapshot/snapshot_private.h"

#include "base/cleanup.h"
#include "base/error.h"
#include "base/str.h"
#include "disk/chain.h"
#include "disk/snapshots.h"
#include "vmm/inspect.h"
#include "vmm/json.h"
#include "vmm/names.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>

enum { QUERY_MS = 60 * 1000 };

#define NVRAM_WORDS "NVRAM"

static int refuse_raw(const char *name, struct error *err)
{
	return error_set(err, ENOTSUP,
			 "disk '%s' is raw, which cannot hold a snapshot (qemu-img convert -O "
			 "qcow2 makes it an image that can; read_only: true leaves it out)",
			 name);
}

static char *nvram_path(const struct snapshot_request *rq)
{
	return str_printf("%s/vm/%s/" NAME_NVRAM, rq->paths->state, rq->vm->name);
}

/* The disk of the configuration that a device is, by the names of vmm/qemu_args.c: "disk0-dev",
 * also within a path of QEMU's. NULL: it is none of those. */
static json_t *configured_disk(json_t *status, const char *qdev)
{
	const char *at = strstr(qdev, "disk");
	char number[8];
	uint64_t i;
	size_t n;

	if (!at)
		return NULL;
	at += strlen("disk");
	n = strspn(at, "0123456789");
	if (!n || !str_after(at + n, "-dev") ||
	    !str_format(number, sizeof(number), "%.*s", (int)n, at) ||
	    !str_parse_u64(number, SNAPSHOT_DISKS_MAX, &i))
		return NULL;
	return json_array_get(json_object_get(status, "disks"), (size_t)i);
}

/* One entry of query-block. */
static int add_block(struct snapshot_work *w, json_t *block, struct snapshot_record *r,
		     struct error *err)
{
	json_t *inserted = json_object_get(block, "inserted"), *known;
	const char *node = json_get_string(inserted, "node-name");
	const char *driver = json_get_string(inserted, "drv");
	const char *qdev = json_get_string(block, "qdev");
	json_int_t bytes = json_integer_value(
		json_object_get(json_object_get(inserted, "image"), "virtual-size"));
	cleanup_free char *path = NULL;
	const char *name;

	if (!inserted || !json_is_false(json_object_get(inserted, "ro")))
		return 0;
	if (!node || !driver)
		return error_set(err, EPROTO, "QEMU does not say what node a disk has");
	known = configured_disk(w->status, qdev ? qdev : "");
	name = known ? json_get_string(known, "name") : NULL;
	if (known) {
		path = strdup(json_get_string(known, "path") ?: "");
	} else if (str_eq(node, SNAPSHOT_NVRAM_NODE)) {
		name = NVRAM_WORDS;
		path = nvram_path(w->rq);
	}
	if ((known || str_eq(node, SNAPSHOT_NVRAM_NODE)) && !path)
		return error_oom(err);
	if (!str_eq(driver, "qcow2"))
		return refuse_raw(name ? name : node, err);
	return snapshot_record_add(r, node, name ? name : node, path, (uint64_t)bytes, err);
}

static void look_live(struct snapshot_work *w, struct snapshot_record *r, snapshot_unfit_fn unfit,
		      void *arg)
{
	cleanup_json json_t *blocks = NULL;
	struct error err = ERROR_INIT;
	json_t *block;
	size_t i;
	int rc;

	rc = errand_call(w->errand, "query-block", NULL, QUERY_MS, &blocks, &err);
	if (rc < 0)
		unfit(rc, &err, arg);
	json_array_foreach (blocks, i, block) {
		rc = add_block(w, block, r, &err);
		if (rc < 0)
			unfit(rc, &err, arg);
	}
}

static int add_disk(const struct snapshot_work *w, size_t i, struct snapshot_record *r,
		    struct error *err)
{
	const struct spec_vm *vm = w->rq->vm;
	const struct spec_disk *disk = &vm->disks[i];
	struct disk_info info;
	char node[32];
	int rc;

	if (disk->read_only)
		return 0;
	if (inspect_format(disk) != DISK_FORMAT_QCOW2)
		return refuse_raw(disk->name, err);
	rc = disk_chain_examine(disk->path, DISK_FORMAT_QCOW2, &info, err);
	if (rc == -ENOENT && json_is_object(json_object_get(w->status, "saved")))
		return error_set(err, ENOENT,
				 "disk '%s' is missing, and what was suspended to disk goes with "
				 "it: '%s' (put it back)",
				 disk->name, disk->path);
	if (rc == -ENOENT)
		return error_set(err, ENOENT, "disk '%s' does not exist yet (hv up %s makes it)",
				 disk->name, vm->name);
	if (rc == 0 && info.in_use && !w->shares)
		rc = error_set(err, EBUSY, "it is in use by another process");
	if (rc < 0)
		return error_wrap(err, rc, "disk '%s'", disk->name);
	(void)str_format(node, sizeof(node), "disk%zu", i);
	return snapshot_record_add(r, node, disk->name, disk->path, info.virtual_bytes, err);
}

static int add_nvram(const struct snapshot_work *w, struct snapshot_record *r, struct error *err)
{
	const struct spec_vm *vm = w->rq->vm;
	cleanup_free char *path = nvram_path(w->rq);
	struct disk_info info;
	int rc;

	if (vm->firmware != SPEC_FIRMWARE_UEFI && vm->firmware != SPEC_FIRMWARE_SECURE_BOOT)
		return 0;
	if (!path)
		return error_oom(err);
	rc = disk_chain_examine(path, DISK_FORMAT_QCOW2, &info, err);
	if (rc == -ENOENT)
		return 0;
	if (rc < 0)
		return error_wrap(err, rc, NVRAM_WORDS);
	return snapshot_record_add(r, SNAPSHOT_NVRAM_NODE, NVRAM_WORDS, path, info.virtual_bytes,
				   err);
}

static void look_still(struct snapshot_work *w, struct snapshot_record *r, snapshot_unfit_fn unfit,
		       void *arg)
{
	struct error err = ERROR_INIT;
	int rc;

	for (size_t i = 0; i < w->rq->vm->n_disks; i++) {
		rc = add_disk(w, i, r, &err);
		if (rc < 0)
			unfit(rc, &err, arg);
	}
	rc = add_nvram(w, r, &err);
	if (rc < 0)
		unfit(rc, &err, arg);
}

void snapshot_disks_look(struct snapshot_work *w, struct snapshot_record *r,
			 snapshot_unfit_fn unfit, void *arg)
{
	if (w->errand)
		look_live(w, r, unfit, arg);
	else
		look_still(w, r, unfit, arg);
}

struct first_unfit {
	int rc;
	struct error *err;
};

static void keep_first(int rc, const struct error *why, void *arg)
{
	struct first_unfit *first = arg;

	if (first->rc < 0)
		return;
	first->rc = rc;
	(void)error_copy(first->err, why);
}

int snapshot_disks_find(struct snapshot_work *w, struct snapshot_record *r, struct error *err)
{
	struct first_unfit first = {.err = err};

	snapshot_disks_look(w, r, keep_first, &first);
	if (first.rc == 0 && !r->n_disks)
		return error_set(err, ENOTSUP,
				 "it has no writable disk and no NVRAM that could hold a snapshot");
	return first.rc;
}

static const struct snapshot_disk *find_by_name(const struct snapshot_record *r, const char *name)
{
	for (size_t i = 0; i < r->n_disks; i++)
		if (str_eq(r->disks[i].name, name))
			return &r->disks[i];
	return NULL;
}

static int tell_new(const struct snapshot_record *r, const char *name, struct error *err)
{
	return error_set(err, EINVAL,
			 "the machine has disk '%s', which snapshot '%s' has not (take it out, or "
			 "make it read_only)",
			 name, r->tag);
}

int snapshot_disks_compare_wanted(const struct snapshot_record *r, const struct spec_vm *vm,
				  struct error *err)
{
	for (size_t i = 0; i < vm->n_disks; i++)
		if (!vm->disks[i].read_only && !find_by_name(r, vm->disks[i].name))
			return tell_new(r, vm->disks[i].name, err);
	return 0;
}

int snapshot_disks_compare(const struct snapshot_record *r, const struct snapshot_record *now,
			   struct error *err)
{
	for (size_t i = 0; i < r->n_disks; i++)
		if (!find_by_name(now, r->disks[i].name))
			return error_set(err, EINVAL,
					 "snapshot '%s' has disk '%s', and the machine has it no "
					 "more (put it back)",
					 r->tag, r->disks[i].name);
	for (size_t i = 0; i < now->n_disks; i++)
		if (!find_by_name(r, now->disks[i].name))
			return tell_new(r, now->disks[i].name, err);
	return 0;
}

int snapshot_disks_count(const struct snapshot_record *r, const char *tag, size_t *ret_n,
			 const struct snapshot_disk **ret_lacks, struct error *err)
{
	const struct snapshot_disk *lacks = NULL;
	size_t n = 0;

	for (size_t i = 0; i < r->n_disks; i++) {
		struct disk_snapshots list;
		int rc;

		/* Of one that was plugged in QEMU alone knows. */
		if (!r->disks[i].path) {
			n++;
			continue;
		}
		rc = disk_snapshots_read_path(r->disks[i].path, &list, err);
		if (rc < 0)
			return error_wrap(err, rc, "disk '%s'", r->disks[i].name);
		if (disk_snapshots_find(&list, tag))
			n++;
		else if (!lacks)
			lacks = &r->disks[i];
		disk_snapshots_free(&list);
	}
	*ret_n = n;
	if (ret_lacks)
		*ret_lacks = lacks;
	return 0;
}
