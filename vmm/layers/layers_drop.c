/* SPDX-License-Identifier: MIT */
/* Layers that nobody needs any more, of vmm/layers/layers.h. */
#include "vmm/layers/layers.h"

#include "base/cleanup.h"
#include "base/error.h"
#include "base/fault.h"
#include "disk/record.h"
#include "vmm/volumes/volume_users.h"

#include <errno.h>
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
