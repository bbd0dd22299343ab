/* SPDX-License-Identifier: MIT */
/*
 * The supervisor of one VM: talks QMP to QEMU, serves the control socket and the
 * console, and tells its keeper what has to be done with privilege. It is a child of
 * the keeper that has neither privilege nor a file system, only the descriptors
 * below.
 */
#ifndef HV_VMM_SUPERVISOR_H
#define HV_VMM_SUPERVISOR_H

#include "lab/spec.h"
#include "vmm/hardware.h"
#include "vmm/states.h"

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

/* The numbers of its descriptors; what a machine does not have is not open. */
enum supervisor_fd {
	SUPERVISOR_FD_CHANNEL = 3, /* to the keeper */
	SUPERVISOR_FD_CONTROL, /* listening */
	SUPERVISOR_FD_CONSOLE, /* listening */
	SUPERVISOR_FD_MONITOR, /* connected to QEMU, as the next one */
	SUPERVISOR_FD_SERIAL,
	SUPERVISOR_FD_QEMU_STDERR, /* read ends */
	SUPERVISOR_FD_SWTPM_STDERR,
	SUPERVISOR_FD_SCREEN, /* listening, one for each way to it (vmm/supervisor/screen.h) */
	SUPERVISOR_FD_DISKS = 16, /* writable disks, by O_PATH */
};

enum { SUPERVISOR_DISKS_MAX = 64, SUPERVISOR_VNC_PASSWORD_BYTES = 9 };

struct supervisor_start {
	const struct spec_vm *vm;
	json_t *status; /* the status object as it is now */
	enum vm_state state; /* VM_STATE_CRASHED: there is no machine, only clients */
	bool adopted; /* its guest runs already */
	const struct hardware *hw;
	int incoming; /* the number of a socket in QEMU that its state comes by; 0: it boots */
	bool status_known; /* the keeper is QEMU's parent, and learns how it ends */
	bool resumes; /* that state is its own, and the keeper makes it void */
	bool links_up; /* it is another's, and the guest has its links all the same */
	bool waits; /* its guest does not run before somebody has loaded a snapshot */
	bool spare; /* it waits until somebody says hv-begin, and does not outlive its keeper before
		     */
	bool wants_machine; /* the machine type that QEMU chooses is to be told */
	gid_t group; /* whose members may act, as root may (vmm/supervisor/peer.h) */
	uint64_t log_bytes; /* what the console's log holds */
	/* For QEMU, and wiped then; "": clients by TCP are asked for none. */
	char vnc_password[SUPERVISOR_VNC_PASSWORD_BYTES];
};

/* Runs until the keeper says that all is over, or has gone. arg is a struct
 * supervisor_start. Returns an exit status. */
int supervisor_main(void *arg);

#endif
