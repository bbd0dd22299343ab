/* SPDX-License-Identifier: MIT */
/* Layers that nobody needs any more, of vmm/layers/layers.h. */
#include "vmm/layers/layers_private.h"

#include "base/cleanup.h"
#include "base/error.h"
#include "base/fault.h"
#include "base/str.h"
#include "disk/record.h"
#include "vmm/layers/disk_journal.h"
#include "vmm/volumes/volume_users.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

/* *ret_below: what it lay on; NULL: nothing, or it stays. */
static int drop_one(const struct paths *paths, const struct lab *lab, const char *path,
		    struct strv *users, char **ret_below, struct error *err)
{
	cleanup_disk_record struct disk_record record = {0};
	cleanup_free char *below = NULL;
	int rc = disk_record_read(path, &record, err);

	*ret_below = NULL;
	if (rc < 0 || !record.shared || !lab->n_vms)
		return rc;
	volume_users_find(lab, path, users);
	rc = users->failed ? error_oom(err) : volume_clones_find(paths, lab, path, users, err);
	if (rc < 0 || users->n)
		return rc;
	below = record.backing ? disk_record_resolve(path, record.backing) : NULL;
	if (record.backing && !below)
		return error_oom(err);
	if (unlink(path) < 0 && errno != ENOENT)
		return error_errno(err, errno, "remove '%s'", path);
	fault_point("layer removed");
	rc = disk_record_remove(path, err);
	if (rc == 0)
		*ret_below = steal_ptr(&below);
	return rc;
}

int layers_drop(const struct paths *paths, const struct lab *lab, const char *path,
		struct strv *ret_users, struct error *err)
{
	cleanup_free char *at = strdup(path);
	bool first = true;
	int rc = at ? 0 : error_oom(err);

	while (rc == 0 && at) {
		cleanup_strv struct strv users = {0};
		char *below = NULL;

		rc = drop_one(paths, lab, at, first && ret_users ? ret_users : &users, &below, err);
		free(at);
		at = below;
		first = false;
	}
	return rc;
}

static void add_once(struct strv *list, const char *text)
{
	for (size_t i = 0; i < list->n; i++)
		if (str_eq(list->v[i], text))
			return;
	strv_add(list, text);
}

/* Of one disk: the lowest of those on top that nobody else needs. */
static int find_unused(const struct paths *paths, const struct lab *lab, const struct spec_vm *vm,
		       const char *disk, struct strv *ret_tags, struct error *err)
{
	cleanup_strv struct strv layers = {0};
	size_t n = 0;
	int rc = 0;

	layers_follow(disk, &layers);
	for (; rc == 0 && n < layers.n; n++) {
		cleanup_disk_record struct disk_record record = {0};
		bool needed = false;

		rc = disk_record_read(layers.v[n], &record, err);
		if (rc == 0 && record.shared)
			rc = layers_is_needed(paths, lab, vm, layers.v[n], &needed, err);
		if (rc < 0 || !record.shared || needed)
			break;
	}
	if (rc == 0 && n) {
		cleanup_free char *tag = layers_tag(layers.v[n - 1], disk);

		if (!tag)
			return error_oom(err);
		add_once(ret_tags, tag);
	}
	return rc == 0 && (layers.failed || ret_tags->failed) ? error_oom(err) : rc;
}

int layers_find_unused(const struct paths *paths, const struct lab *lab, const struct spec_vm *vm,
		       struct strv *ret_tags, struct error *err)
{
	cleanup_close int state_dirfd = -1;
	int rc = 0;

	/* What lies on what is about to change. */
	if (paths_open_state(paths, PATHS_VM, vm->name, 0, &state_dirfd, NULL) == 0 &&
	    faccessat(state_dirfd, NAME_DISK_JOURNAL, F_OK, AT_SYMLINK_NOFOLLOW) == 0)
		return 0;
	for (size_t i = 0; rc == 0 && i < vm->n_disks; i++)
		if (!vm->disks[i].read_only)
			rc = find_unused(paths, lab, vm, vm->disks[i].path, ret_tags, err);
	return rc;
}
