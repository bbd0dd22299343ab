/* SPDX-License-Identifier: MIT */
/*
 * Private to lab/: what follows from a VM's name. A uuid that is not given is
 * the version 5 UUID of the name in hvup's own name space; a MAC that is not
 * given is 52:54:00 and the first three bytes of the version 5 UUID of "nic0",
 * "nic1" … in the VM's uuid. A vsock context id comes
 * from "vsock" there. So the same configuration gives the same machine
 * on every host.
 */
#ifndef HV_LAB_DERIVE_H
#define HV_LAB_DERIVE_H

struct spec_network;
struct spec_vm;

/* The bridge's MAC: 52:54:01 and three bytes of the UUID of its name. */
void lab_derive_network(struct spec_network *net);

/* -EINVAL where the VM's uuid is none. */
int lab_derive_vm(struct spec_vm *vm);

#endif
