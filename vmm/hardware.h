/* SPDX-License-Identifier: MIT */
/*
 * The machine as the guest sees it: which device sits where. Pure. Every device
 * keeps the place it got first (its pin); a new one takes the lowest free
 * place, and the place of a device that is no longer configured only when
 * nothing else is left.
 *
 * q35 brings six SATA ports and an SMBus with eight memories on it. A machine that has
 * nothing on the first and never had gets neither: less to attack, and a start is 4 ms
 * shorter. One that started before hvup knew of this keeps both.
 *
 * The root bus of the q35 machine:
 *   0x01 display   0x02 USB   0x03 virtio-serial   0x04 random numbers
 *   0x05 SCSI controller      0x06 to 0x1b NICs, virtio and NVMe disks
 *   0x1c spare root ports for hotplug   0x1d vsock   0x1f chipset, SATA
 */
#ifndef HV_VMM_HARDWARE_H
#define HV_VMM_HARDWARE_H

#include "lab/spec.h"

#include <jansson.h>

struct error;
struct vm_pins;

enum {
	HARDWARE_SLOT_DISPLAY = 0x01,
	HARDWARE_SLOT_USB = 0x02,
	HARDWARE_SLOT_SERIAL = 0x03,
	HARDWARE_SLOT_RNG = 0x04,
	HARDWARE_SLOT_SCSI = 0x05,
	HARDWARE_SLOT_FIRST = 0x06,
	HARDWARE_SLOT_LAST = 0x1b,
	HARDWARE_SLOT_PORTS = 0x1c,
	HARDWARE_SLOT_VSOCK = 0x1d,
	HARDWARE_SPARE_PORTS = 4,
	HARDWARE_SATA_PORTS = 6,
	HARDWARE_SCSI_LUNS = 64,
};

struct hardware_nic {
	unsigned slot;
	uint8_t mac[6];
};

struct hardware {
	const char *machine; /* pinned, configured or "q35"; borrowed */
	const char *cpu; /* borrowed */
	bool sata, smbus; /* whether the chipset has them */
	unsigned *disks; /* place of each disk on its bus, as many as the spec has */
	unsigned *cdroms; /* SATA port of each */
	struct hardware_nic *nics;
};

void hardware_free(struct hardware *hw); /* accepts a zeroed one; zeroes it */

/* Adds missing pins. kvm: what the CPU model defaults to. -ENOSPC where a bus
 * is full. ret_hw borrows strings from spec and pins. */
int hardware_assign(const struct spec_vm *vm, bool kvm, struct vm_pins *pins,
		    struct hardware *ret_hw, struct error *err);

/* Gives devices that have no pin yet the places of another machine's, which stand in its order:
 * arrays of numbers. What is none there, or out of its bus's
 * range, takes a place as ever. */
int hardware_pin_places(const struct spec_vm *vm, json_t *disks, json_t *cdroms, json_t *nics,
			struct vm_pins *pins, struct error *err);

#endif
