/* SPDX-License-Identifier: MIT */
/*
 * A new machine made of one that is down. Its disks that can be written to are its own:
 * overlays on the source's (linked) or copies; read-only disks and CDs are shared. It
 * gets a copy of the NVRAM without what belongs to one machine alone, the
 * source's hardware (machine type, CPU model, places), MACs and a uuid of its own, and a
 * TPM of its own, which is made at its first start: an endorsement key is never in
 * two.
 */
#ifndef HV_VMM_CLONE_H
#define HV_VMM_CLONE_H

#include "base/paths.h"
#include "disk/copy.h"
#include "lab/spec.h"

#include <jansson.h>
#include <stdbool.h>

struct error;

struct clone {
	const struct paths *paths;
	const struct lab *lab;
	const struct spec_vm *source;
	const char *name; /* of the new one */
	bool linked;
	bool forks; /* with linked: it begins with a state, which brings its disks along */
	const struct disk_copy_watch *watch; /* NULL: nobody looks on */
};

/*
 * What will stand in the new machine's file. Refuses what cannot work, with nothing
 * touched: an image that is missing, a block device, a file that is in the way.
 * The caller's reference.
 */
int clone_describe(const struct clone *clone, json_t **ret_vm, struct error *err);

/* Makes it, as a whole or not at all; vm is from clone_describe(). */
int clone_make(const struct clone *clone, json_t *vm, struct error *err);

#endif
