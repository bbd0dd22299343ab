/* SPDX-License-Identifier: MIT */
/*
 * The status object of a VM, as `hv status --json` shows it and as a keeper
 * keeps it in status.json. One shape for machines that run and that do not:
 *
 *   name state uuid pid reason started accel machine cpu cpus memory firmware
 *   tpm nics[{network, mac, tap, model, address}] disks[{name, path, size, bus,
 *   format}] cdroms[] agent qemu swtpm supervisor keeper jail_at_start error
 *   saved{date, memory} template
 *
 * pid, reason, started, accel, tap, qemu, swtpm, supervisor, keeper,
 * jail_at_start
 * (vmm/jail_status.h, which makes `hv status`'s `jail` of it), error and saved (it
 * was suspended to disk) are null
 * where they do not apply; memory and size are in bytes, started in seconds
 * since the epoch.
 */
#ifndef HV_VMM_VM_STATUS_H
#define HV_VMM_VM_STATUS_H

#include "base/paths.h"
#include "lab/spec.h"
#include "vmm/states.h"

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

struct child;
struct error;
struct resources;

struct vm_status_facts {
	const struct resources *resources;
	const struct child *supervisor;
	enum vm_state state;
	const char *reason; /* NULL: none */
	uint64_t started;
	bool agent_open;
};

/* For the keeper, which this process is. NULL when out of memory. */
json_t *vm_status_running(const struct vm_status_facts *facts);

/*
 * For everybody else: reads the keeper's status, or makes one from the
 * specification and what is pinned, and adds to each NIC its `addresses`
 * (leases of its network). Where the keeper was killed over a living QEMU, its last
 * state is shown, with supervisor and keeper null. vm may be a VM that is no
 * longer configured (then only its name is used).
 */
int vm_status_read(const struct paths *paths, const struct spec_vm *vm, json_t **ret_status,
		   struct error *err);

#endif
