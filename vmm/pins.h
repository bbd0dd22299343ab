/* SPDX-License-Identifier: MIT */
/*
 * What a VM keeps about itself: the hardware its guest has seen (machine type,
 * CPU model, where each device sits, derived MACs), whether its TPM was used, and
 * how it ended last. Written to STATE/vm/NAME/state.json, so that
 * neither an update of QEMU nor a reordered configuration changes a guest's
 * hardware. Encoding and decoding are pure.
 */
#ifndef HV_VMM_PINS_H
#define HV_VMM_PINS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct error;

struct vm_pin {
	char *key; /* "pci/nic/lab-net/0", "sata/disk/homelab/dc01.qcow2" */
	unsigned place; /* PCI slot, SATA port or SCSI LUN */
	bool has_mac;
	uint8_t mac[6];
};

struct vm_pins {
	char *machine; /* "pc-q35-7.2"; NULL before the first start */
	char *cpu; /* NULL before the first start */
	bool lean; /* its chipset has no SMBus, and no SATA before the first device on it */
	bool tpm_used;
	char *last_error; /* why it ended; NULL: in order */
	bool crashed; /* at its last end */
	char *next_state; /* prepared state that its next life begins with; NULL: none */
	bool next_links_up; /* with next_state: the guest has its links before it was told who it is
			     */
	bool begun; /* a guest has run that began with a prepared state */
	struct vm_pin *devices;
	size_t n_devices;
};

/* Those of a machine that never started. */
void vm_pins_init(struct vm_pins *ret_pins);
void vm_pins_free(struct vm_pins *pins); /* accepts a zeroed one; zeroes it */

/* NULL where there is none. */
struct vm_pin *vm_pins_find(const struct vm_pins *pins, const char *key);
int vm_pins_add(struct vm_pins *pins, const char *key, unsigned place, struct vm_pin **ret_pin,
		struct error *err);

/* JSON text; the caller frees it. NULL when out of memory. */
char *vm_pins_encode(const struct vm_pins *pins);
/* -EINVAL for what is not such a text: it is never guessed at. */
int vm_pins_decode(const char *text, struct vm_pins *ret_pins, struct error *err);

/* state.json in the VM's state folder; a missing file gives those of a new one. */
int vm_pins_load(int state_dirfd, struct vm_pins *ret_pins, struct error *err);
int vm_pins_save(int state_dirfd, const struct vm_pins *pins, struct error *err);

#endif
