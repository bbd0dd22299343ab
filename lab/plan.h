/* SPDX-License-Identifier: MIT */
/*
 * From wanted and found to steps. A pure function: vmm/ looks at the host,
 * fills struct lab_found_…, and executes the steps in their order; each step
 * is undone, last first, when a later one fails. `hv plan` and `--dry-run`
 * print the same steps.
 */
#ifndef HV_LAB_PLAN_H
#define HV_LAB_PLAN_H

#include "lab/spec.h"

enum plan_kind {
	/* of a network, executed by `hv net run` */
	PLAN_BRIDGE_CREATE, /* bridge with its alias, address, up */
	PLAN_FORWARDING_SET, /* per-interface forwarding */
	PLAN_NFT_APPLY, /* the table of the network */
	PLAN_DNSMASQ_START,
	/* of a VM, executed by `hv run` */
	PLAN_VOLUME_CREATE,
	PLAN_VOLUME_GROW,
	PLAN_NVRAM_CREATE,
	PLAN_TPM_CREATE, /* first use: state folder */
	PLAN_FILES_OPEN, /* images, firmware, kernel */
	PLAN_TAPS_OPEN,
	PLAN_QEMU_START, /* -S, until the first QMP answer */
	PLAN_TPM_START, /* swtpm, while QEMU is busy with its own start */
	PLAN_GUEST_RUN, /* cont */
	/* of a VM that another verb works on; nothing executes it */
	PLAN_WAIT,
	PLAN_KIND_COUNT
};

/* "create-bridge" and so on: the words of `hv plan --json`. */
const char *plan_kind_name(enum plan_kind kind);

struct plan_step {
	enum plan_kind kind;
	char *object; /* "network 'lab-net'", "vm 'dc01'" */
	char *detail; /* "bridge virbr56, 192.168.56.1/24" */
	unsigned index; /* of the disk, for PLAN_VOLUME_… */
};

struct plan {
	struct plan_step *steps;
	size_t n;
};

void plan_free(struct plan *plan); /* accepts a zeroed plan; zeroes it */

struct plan_found_disk {
	bool exists;
	uint64_t size_bytes; /* virtual size where it exists */
};

struct plan_found_vm {
	bool nvram_exists;
	bool tpm_exists;
	const struct plan_found_disk *disks; /* as many as spec->n_disks */
	bool saved; /* suspended to disk */
	const char *state; /* a prepared one that it begins with; NULL: none */
};

/* Appends the steps for something that is not up. 0 or -errno. */
struct error;
int plan_add_network(struct plan *plan, const struct spec_network *net, struct error *err);
int plan_add_vm(struct plan *plan, const struct spec_vm *vm, const struct plan_found_vm *found,
		struct error *err);
/* The one step of a machine that waits as a spare. */
int plan_add_spare(struct plan *plan, const struct spec_vm *vm, struct error *err);
/* What a machine has to wait for, as its first step. */
int plan_add_wait(struct plan *plan, const struct spec_vm *vm, const char *what, struct error *err);

#endif
