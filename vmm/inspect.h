/* SPDX-License-Identifier: MIT */
/*
 * Looking at the host on behalf of the plan: what exists already, and whether
 * everything that a start needs is there. Changes nothing, so that bad input
 * is refused on an untouched host.
 */
#ifndef HV_VMM_INSPECT_H
#define HV_VMM_INSPECT_H

#include "base/paths.h"
#include "disk/volume.h"
#include "firmware/descriptor.h"
#include "lab/plan.h"
#include "lab/spec.h"

struct error;
struct host;

/* An image's format in the words of disk/. */
enum disk_format inspect_format(const struct spec_disk *disk);

/* Which accelerator a VM gets. -ENOTSUP where it asks for one that is not. */
int inspect_accel(const struct spec_vm *vm, const struct host *host, bool *ret_kvm,
		  struct error *err);

/*
 * Refuses what cannot work: not root, missing programs, devices, images or
 * memory, a layer of the jail where the VM requires them all, an image that is
 * hostile, in use, or larger than configured. Each error names the VM, the key
 * and the way out.
 */
int inspect_vm(const struct paths *paths, const struct spec_vm *vm, const struct host *host,
	       struct error *err);

/* The firmware for a machine type; zeroed where the VM needs none. */
int inspect_firmware(const struct spec_vm *vm, const char *machine,
		     struct firmware_found *ret_found, struct error *err);

/* The same for a network. */
int inspect_network(const struct spec_network *net, const struct host *host, struct error *err);

/* Adds the steps that `up` would take for a VM or a network that is not served
 * to plan. */
int inspect_plan_vm(const struct paths *paths, const struct spec_vm *vm, struct plan *plan,
		    struct error *err);
#endif
