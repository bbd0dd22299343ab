/* SPDX-License-Identifier: MIT */
/*
 * A VM's use of its networks: one connection to each network's supervisor per
 * NIC, which lasts as long as the use does.
 */
#ifndef HV_VMM_ATTACH_H
#define HV_VMM_ATTACH_H

#include "base/paths.h"
#include "lab/spec.h"
#include "vmm/hardware.h"

struct error;
struct attachments;

/* Announces every NIC. -ENETDOWN names the network that is not up. */
int attach_networks(const struct paths *paths, const struct spec_vm *vm, const struct hardware *hw,
		    struct attachments **ret_attachments, struct error *err);
void attachments_free(struct attachments *a); /* accepts NULL */

#endif
