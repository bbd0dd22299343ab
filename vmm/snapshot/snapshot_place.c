/* SPDX-License-Identifier: MIT */
#include "vmm/snapshot/snapshot_place.h"

#include "base/cleanup.h"
#include "base/error.h"
#include "base/str.h"
#include "disk/snapshots.h"
#include "vmm/layers/layers_private.h"

#include <errno.h>

static bool has_disk(const struct snapshot_record *r, const char *name)
{
	for (size_t i = 0; i < r->n_disks; i++)
		if (str_eq(r->disks[i].name, name))
			return true;
	return false;
}

/* 1: the image holds it; -errno. */
static int holds(const char *path, const char *tag, struct error *err)
{
	struct disk_snapshots list;
	int rc = disk_snapshots_read_path(path, &list, err);

	if (rc < 0)
		return rc;
	rc = disk_snapshots_find(&list, tag) != NULL;
	disk_snapshots_free(&list);
	return rc;
}

static int find_below(const struct spec_disk *disk, const char *tag, char **ret_layer,
		      struct error *err)
{
	cleanup_strv struct strv layers = {0};
	int rc;

	layers_follow(disk->path, &layers);
	if (!layers.n)
		return layers.failed ? error_oom(err) : 0;
	rc = holds(disk->path, tag, err);
	for (size_t k = 0; rc == 0 && k < layers.n; k++) {
		rc = holds(layers.v[k], tag, err);
		if (rc > 0) {
			*ret_layer = layers_tag(layers.v[k], disk->path);
			return *ret_layer ? 0 : error_oom(err);
		}
	}
	return rc < 0 ? error_wrap(err, rc, "disk '%s'", disk->name) : 0;
}

int snapshot_place_find(const struct spec_vm *vm, const struct snapshot_record *r, char **ret_tag,
			struct error *err)
{
	cleanup_free char *tag = NULL;
	int rc = 0;

	for (size_t i = 0; rc == 0 && !tag && i < vm->n_disks; i++)
		if (!vm->disks[i].read_only && has_disk(r, vm->disks[i].name))
			rc = find_below(&vm->disks[i], r->tag, &tag, err);
	if (rc == 0)
		*ret_tag = steal_ptr(&tag);
	return rc;
}

int snapshot_place_check(const struct spec_vm *vm, const struct snapshot_record *r,
			 struct error *err)
{
	cleanup_free char *layer = NULL;
	int rc = snapshot_place_find(vm, r, &layer, err);

	if (rc < 0 || !layer)
		return rc;
	return error_set(err, EBUSY,
			 "snapshot '%s' lies in layer '%s', below what its disks write to now (hv "
			 "snap commit %s %s folds that in and brings it back)",
			 r->tag, layer, vm->name, layer);
}
