/* SPDX-License-Identifier: MIT */
/*
 * What a running machine is made of, and the one place that executes the steps
 * of a VM's plan. Steps run in order; when one fails, those before it are
 * undone, last first, and the host is as it was. Volumes, NVRAM and TPM state
 * made by a start that failed go too, as no guest has seen them.
 */
#ifndef HV_VMM_RESOURCES_H
#define HV_VMM_RESOURCES_H

#include "base/child.h"
#include "base/paths.h"
#include "base/str.h"
#include "firmware/descriptor.h"
#include "jail/cgroup.h"
#include "jail/profile.h"
#include "jail/seal.h"
#include "lab/plan.h"
#include "lab/spec.h"
#include "vmm/fork/prepared.h"
#include "vmm/hardware.h"
#include "vmm/host.h"
#include "vmm/keeper/tables.h"
#include "vmm/pins.h"
#include "vmm/shape.h"

#include <jansson.h>
#include <net/if.h>

struct error;

struct resources {
	/* Given; owned by the caller. */
	const struct paths *paths;
	const struct spec_vm *vm;
	const struct host *host;
	int run_dirfd;
	enum jail_watch watch; /* whether its system calls are only counted */

	/* Made by resources_start(). */
	int state_dirfd;
	struct vm_pins pins;
	struct hardware hw;
	struct firmware_found firmware;
	bool kvm;
	unsigned qemu_version; /* vmm/qemu_version.h */
	struct plan plan;
	size_t n_done; /* steps that have to be undone */
	struct child swtpm, qemu;
	struct prepared prepared; /* what it begins with; name NULL: it boots */
	uint8_t (*first_macs)[MAC_BYTES]; /* of what it begins with; NULL: it boots */
	bool makes_state; /* it fills memory_fd, waits for what is to be kept, and ends with us */
	uint64_t *stand_ins; /* in place of disks: sizes of as many that hold nothing; NULL */
	int memory_fd; /* the file of its guest's memory; -1: it has its own */
	/* Where its guest does not boot: the file that it goes on from, the socket by which
	 * QEMU takes it in, non-blocking, and the number of that one's other end in QEMU.
	 * -1, -1, 0: it boots. */
	int source_fd, feed_fd, incoming;
	bool resumes; /* it was suspended to disk */
	json_t *jail_started; /* as of vmm/jail_status.h */
	struct cgroup group; /* of both */
	struct strv group_missing; /* what of its limits could not be set, and why */
	bool has_vsock;
	bool loading; /* its guest waits until a snapshot is loaded into it */
	int qemu_stderr, swtpm_stderr; /* read ends, non-blocking */
	/* Where their calls of the start wait for an answer; -1: nothing waits. */
	int qemu_listener, swtpm_listener;
	struct jail_answerer qemu_answerer, swtpm_answerer;
	/* Their network namespaces, held until the machine has ended: what the kernel
	 * does at their end blocks other network work for some 20 ms. */
	int qemu_net_ns, swtpm_net_ns;
	char (*tap_names)[IFNAMSIZ]; /* as many as the spec has NICs */
	struct attachments *attachments; /* the use of its networks */

	/* Only until QEMU has them. */
	int monitor_fd, serial_fd, agent_fd, serial_log_fd, tpm_fd, swtpm_fd;
	int vsock_fd;
	int incoming_fd;
	struct tables tables; /* credentials and OEM strings */
	int code_fd, vars_fd, kernel_fd, initrd_fd;
	struct disk_chain *disks; /* as many as the spec has */
	int *cdrom_fds, *tap_fds;
};

/* Zeroed but for what is given. */
void resources_init(struct resources *r, const struct paths *paths, const struct spec_vm *vm,
		    const struct host *host, int run_dirfd);

/* What the guest of a state finds, should vm take it in on this hardware. */
struct shape_facts resources_shape(const struct resources *r, const struct spec_vm *vm);

/* Inspects, plans and executes up to PLAN_QEMU_START: QEMU runs with -S and its
 * monitor listens in the run folder. */
int resources_start(struct resources *r, struct error *err);

/* Undoes every step that was done. For a start that failed. */
void resources_roll_back(struct resources *r);

/* Ends the processes of a machine whose guest has run and keeps its files.
 * Frees everything. */
void resources_free(struct resources *r);

/* Frees everything and leaves the machine as it is, for the next keeper. */
void resources_let_go(struct resources *r);

#endif
