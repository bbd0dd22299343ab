/* SPDX-License-Identifier: MIT */
/*
 * Private to lab/: VMs that are like another one. The machines that hvup makes
 * itself are written so: what they share with their source stands there alone.
 */
#ifndef HV_LAB_LIKE_H
#define HV_LAB_LIKE_H

#include "lab/decode.h"

enum { LAB_LIKE_MAX = 64 };

struct lab_like {
	const struct lab_node *v[LAB_LIKE_MAX]; /* the nearest first */
	size_t n;
};

/*
 * The VMs that the one at index of d->vms is like, each by the one before it. Tells
 * a chain that goes round in a circle, once for each circle, and one that is longer
 * than LAB_LIKE_MAX; *ret_like is empty then. A name that is unknown ends it: that
 * is told where the key is decoded.
 */
void lab_like_find(struct lab_decoder *d, size_t index, struct lab_like *ret_like);

/* Takes away what two VMs cannot have both: fixed MACs, addresses, a given
 * vsock context id. Before the VM's own keys are decoded. */
void lab_like_detach(struct spec_vm *vm);

#endif
