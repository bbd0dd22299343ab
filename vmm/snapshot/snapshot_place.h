/* SPDX-License-Identifier: MIT */
/*
 * Where a snapshot (vmm/snapshot/snapshot.h) lies. It is made in what is the active layer of each
 * disk then. Under a layer that came later (vmm/layers/layers.h) it is hidden: QEMU looks for it in
 * the active one alone. It can be loaded again when all above is folded into the layer that holds
 * it, for folding keeps what the lowest of them has.
 */
#ifndef HV_VMM_SNAPSHOT_PLACE_H
#define HV_VMM_SNAPSHOT_PLACE_H

#include "lab/spec.h"
#include "vmm/snapshot/snapshot_record.h"

struct error;

/*
 * The tag of the layer that a disk has the snapshot in, where its active one has not; NULL: no disk
 * is like that. Layers are known by what was recorded, and where there are none no image is
 * opened. The caller frees *ret_tag.
 */
int snapshot_place_find(const struct spec_vm *vm, const struct snapshot_record *r, char **ret_tag,
			struct error *err);

/* -EBUSY, with what to do, where it is hidden. */
int snapshot_place_check(const struct spec_vm *vm, const struct snapshot_record *r,
			 struct error *err);

#endif
