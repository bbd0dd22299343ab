/* SPDX-License-Identifier: MIT */
/*
 * The supervisor of one VM: starts it, serves its control socket and console,
 * and stays until it has ended. `hv run NAME` is nothing else.
 */
#ifndef HV_VMM_SUPERVISOR_H
#define HV_VMM_SUPERVISOR_H

#include "base/paths.h"
#include "lab/spec.h"

struct error;

struct supervisor_options {
	const struct paths *paths;
	const struct spec_vm *vm;
	/* Told once by a line of JSON, {"ready": true} or {"error": "…"}, and
	 * then closed; -1: nobody asks. Taken over. */
	int ready_fd;
};

/*
 * Runs until the VM has ended in order (0) or has crashed or could not start
 * (-errno). -EALREADY: another supervisor serves it.
 *
 * SIGTERM and SIGINT ask the guest to shut down; a second one ends it at once.
 */
int supervisor_run(const struct supervisor_options *options, struct error *err);

#endif
