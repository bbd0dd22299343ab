/* SPDX-License-Identifier: MIT */
/*
 * QEMU brings no snapshot back into an image that has dirty bitmaps. Those that hv backup left are
 * no loss: after a load they would say nothing true, and the next generation is whole. Somebody
 * else's are his.
 */
#include "vmm/snapshot/snapshot_private.h"

#include "base/cleanup.h"
#include "base/error.h"
#include "base/str.h"
#include "disk/bitmaps.h"
#include "vmm/backup/backup.h"
#include "vmm/json.h"

#include <errno.h>

enum { ANSWER_MS = 60 * 1000 };

static int check_one(const struct snapshot_work *w, const char *disk, const char *bitmap,
		     struct error *err)
{
	return str_after(bitmap, BACKUP_PREFIX)
		       ? 0
		       : error_set(
				 err, EBUSY,
				 "disk '%s' has a dirty bitmap that hvup did not make, '%s', and "
				 "QEMU loads no snapshot into such (it goes with hv qmp %s "
				 "block-dirty-bitmap-remove, or qemu-img bitmap --remove where it is "
				 "stopped)",
				 disk, bitmap, w->rq->vm->name);
}

static int remove_live(struct snapshot_work *w, const char *node, const char *bitmap,
		       struct error *err)
{
	return errand_call(w->errand, "block-dirty-bitmap-remove",
			   json_pack("{s:s s:s}", "node", node, "name", bitmap), ANSWER_MS, NULL,
			   err);
}

/* Those of one entry of query-block. */
static int look_at_block(struct snapshot_work *w, json_t *block, const struct snapshot_record *now,
			 bool drop, struct error *err)
{
	json_t *inserted = json_object_get(block, "inserted"), *bitmap;
	const char *node = json_get_string(inserted, "node-name");
	const struct snapshot_disk *disk = NULL;
	size_t k;

	for (size_t i = 0; node && i < now->n_disks; i++)
		if (str_eq(now->disks[i].node, node))
			disk = &now->disks[i];
	if (!disk)
		return 0;
	json_array_foreach (json_object_get(inserted, "dirty-bitmaps"), k, bitmap) {
		const char *name = json_get_string(bitmap, "name");
		int rc = name ? check_one(w, disk->name, name, err) : 0;

		if (rc == 0 && json_is_true(json_object_get(bitmap, "busy")))
			rc = error_set(err, EBUSY, "a backup of disk '%s' is under way",
				       disk->name);
		if (rc == 0 && drop && name)
			rc = error_wrap_if(err, remove_live(w, node, name, err), "disk '%s'",
					   disk->name);
		if (rc < 0)
			return rc;
	}
	return 0;
}

static int look_live(struct snapshot_work *w, const struct snapshot_record *now, bool drop,
		     struct error *err)
{
	cleanup_json json_t *blocks = NULL;
	json_t *block;
	size_t i;
	int rc = errand_call(w->errand, "query-block", NULL, ANSWER_MS, &blocks, err);

	if (rc < 0)
		return rc;
	json_array_foreach (blocks, i, block) {
		rc = look_at_block(w, block, now, drop, err);
		if (rc < 0)
			return rc;
	}
	return 0;
}

static int look_still(const struct snapshot_work *w, const struct snapshot_disk *disk, bool drop,
		      struct error *err)
{
	cleanup_strv struct strv names = {0};
	int rc = disk->path ? disk_bitmaps_read_path(disk->path, &names, err) : 0;

	for (size_t i = 0; rc == 0 && i < names.n; i++)
		rc = check_one(w, disk->name, names.v[i], err);
	for (size_t i = 0; rc == 0 && drop && i < names.n; i++)
		rc = disk_bitmap_remove(disk->path, names.v[i], err);
	return rc;
}

static int look(struct snapshot_work *w, const struct snapshot_record *now, bool drop,
		struct error *err)
{
	int rc = 0;

	if (w->errand)
		return look_live(w, now, drop, err);
	for (size_t i = 0; rc == 0 && i < now->n_disks; i++)
		rc = look_still(w, &now->disks[i], drop, err);
	return rc;
}

int snapshot_bitmaps_check(struct snapshot_work *w, const struct snapshot_record *now,
			   struct error *err)
{
	return look(w, now, false, err);
}

int snapshot_bitmaps_drop(struct snapshot_work *w, const struct snapshot_record *now,
			  struct error *err)
{
	return look(w, now, true, err);
}
