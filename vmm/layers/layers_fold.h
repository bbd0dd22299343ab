/* SPDX-License-Identifier: MIT */
/* What the parts of putting layers together again (vmm/layers/layers.h) share. */
#ifndef HV_VMM_LAYERS_FOLD_H
#define HV_VMM_LAYERS_FOLD_H

#include "base/guard.h"
#include "vmm/layers/layers_private.h"

/* A disk whose layers change. */
struct folded {
	size_t index;
	const struct spec_disk *disk;
	struct disk_chain chain;
	char nodes[DISK_LAYERS_MAX][IMAGES_NODE_SIZE]; /* as in the chain */
	size_t base; /* the layer of it that all above go into */
};

struct fold {
	const struct layers_request *request;
	struct machine_images images;
	int state_dirfd, lock;
	struct folded *disks;
	size_t n;
	bool stands; /* the guest, for our sake */
	struct guard guard; /* of the guest that stands */
};

/* Which disks change, and by which of their layers; refuses what somebody else needs, or what QEMU
 * cannot do now. -ENOENT: none. */
int fold_choose(struct fold *f, bool commits, struct error *err);

/* Whether the guest runs. */
int fold_find_runs(struct fold *f, bool *ret_runs, struct error *err);

/* What QEMU has the base of a disk open by; borrowed. */
json_t *fold_find_file(const struct fold *f, const struct folded *d);

#endif
