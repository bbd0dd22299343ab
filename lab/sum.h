/* SPDX-License-Identifier: MIT */
/* Private to lab/: a checksum of what the configuration says of a VM. */
#ifndef HV_LAB_SUM_H
#define HV_LAB_SUM_H

#include "lab/like.h"

/*
 * Fills vm->sum, of the VM at index of d->vms: of its own keys, of those that it is like, and of
 * their profiles, as they are written. Two that are the same mean the same machine; what means
 * the same in other words has another one.
 */
void lab_sum_vm(const struct lab_decoder *d, const struct lab_like *like, size_t index,
		struct spec_vm *vm);

#endif
