/* SPDX-License-Identifier: MIT */
/* The disks of machines that begin with a state, of vmm/fork/prepared.h. */
#include "vmm/fork/prepared.h"

#include "base/cleanup.h"
#include "base/error.h"
#include "base/str.h"
#include "disk/chain.h"
#include "disk/empty.h"
#include "disk/record.h"
#include "vmm/pins.h"
#include "vmm/volumes/volume_users.h"

#include <errno.h>

const char *prepared_layer(const struct prepared *p, size_t i)
{
	return json_string_value(json_array_get(json_object_get(p->state, "layers"), i));
}

/* One that a start made which got no further is as good as new; what somebody wrote to is his. */
static int check_overlay(const char *path, const char *layer, struct error *err)
{
	cleanup_disk_record struct disk_record record = {0};
	cleanup_free char *below = NULL;
	bool untouched = false;
	struct disk_chain chain;
	int rc;

	rc = disk_chain_open(path, DISK_FORMAT_QCOW2, true, &chain, NULL, err);
	if (rc < 0)
		return rc == -ENOENT ? 0 : rc;
	rc = disk_record_read(path, &record, err);
	if (rc == 0)
		rc = disk_is_untouched(chain.v[0].fd, &untouched, err);
	disk_chain_close(&chain);
	below = record.backing ? disk_record_resolve(path, record.backing) : NULL;
	if (rc < 0 || (untouched && below && volume_is_same(below, layer)))
		return rc;
	return error_set(
		err, EEXIST,
		"'%s' is there already, and a machine that begins with a state begins with "
		"that one's disks, too (with another name, or moved away, it stays)",
		path);
}

int prepared_check_disks(const struct prepared *p, const struct spec_vm *vm, struct error *err)
{
	for (size_t i = 0; i < vm->n_disks; i++) {
		const struct spec_disk *disk = &vm->disks[i];
		const char *layer = prepared_layer(p, i);
		int rc = 0;

		if (!layer)
			continue;
		if (disk->format != SPEC_FORMAT_QCOW2)
			rc = error_set(err, ENOTSUP,
				       "format: raw, but it is to be an overlay on the state's "
				       "(format: qcow2)");
		else
			rc = check_overlay(disk->path, layer, err);
		if (rc < 0)
			return error_wrap(err, rc, "disk '%s'", disk->name);
	}
	return 0;
}

bool prepared_brings_disks(const struct paths *paths, const struct spec_vm *vm)
{
	struct vm_pins pins = {0};
	cleanup_close int dirfd = -1;
	bool brings;

	if (paths_open_state(paths, PATHS_VM, vm->name, 0, &dirfd, NULL) == 0 &&
	    vm_pins_load(dirfd, &pins, NULL) < 0)
		return false;
	brings = prepared_choose(vm, &pins) != NULL;
	vm_pins_free(&pins);
	return brings;
}
