/* SPDX-License-Identifier: MIT */
/*
 * The keeper of one VM: starts it, and holds what needs privilege until it has ended.
 * `hv run NAME` is nothing else. What QEMU, the guest and clients say is read by its
 * child, the supervisor (vmm/supervisor/supervisor.h), which has no privilege at all.
 */
#ifndef HV_VMM_KEEPER_H
#define HV_VMM_KEEPER_H

#include "base/paths.h"
#include "jail/profile.h"
#include "lab/spec.h"

struct error;

struct keeper_options {
	const struct paths *paths;
	const struct spec_vm *vm;
	/* Told once by a line of JSON, {"ready": true} or {"error": "…"}, and
	 * then closed; -1: nobody asks. Taken over. */
	int ready_fd;
	/* Whether the system calls of QEMU and swtpm are counted rather than held to
	 * their profiles; the counts go to NAME_SYSCALLS in its state folder at the end. */
	enum jail_watch watch;
	/* It is to be a spare: when it has taken in the state that it begins with, it tells that it
	 * is ready and waits for hv-begin. As long as its guest has not run it ends with its
	 * supervisor, and that one with it. */
	bool spare;
};

/* What keeper_run() returns where the program is to be started anew in its place:
 * the guest runs on. */
enum { KEEPER_AGAIN = 1 };

/*
 * Runs until the VM has ended in order (0) or has crashed or could not start
 * (-errno). -EALREADY: another keeper has it.
 *
 * SIGTERM, SIGINT and SIGHUP ask the guest to shut down and end it when its time is
 * up; a second one ends it at once. SIGUSR1 is KEEPER_AGAIN.
 */
int keeper_run(const struct keeper_options *options, struct error *err);

#endif
