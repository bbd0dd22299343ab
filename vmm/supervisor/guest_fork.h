/* SPDX-License-Identifier: MIT */
/*
 * What a guest is told that finds itself to be another machine: arguments of guest-exec for its
 * agent. Pure. The script gives each NIC its address, takes the old ones off, and changes the host
 * name, the machine id and the random numbers; it ends when that is done. What it leaves in the
 * background waits for the links, then asks DHCP anew. /etc/hv/forked, where the guest has it, is
 * called between both with the name of the machine and of its interfaces.
 */
#ifndef HV_VMM_GUEST_FORK_H
#define HV_VMM_GUEST_FORK_H

#include "lab/spec.h"
#include "vmm/hardware.h"

#include <jansson.h>

/* For a guest with a shell. NULL when out of memory. */
json_t *guest_fork_exec(const struct spec_vm *vm, const struct hardware *hw);

#endif
