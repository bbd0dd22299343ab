/* SPDX-License-Identifier: MIT */
/* A machine that is stopped, held by who works on its files: it does not start meanwhile. */
#ifndef HV_VMM_HOLD_H
#define HV_VMM_HOLD_H

#include "lab/spec.h"
#include "vmm/rundir.h"

/* As machine_hold_settled() (vmm/machine_hold.h); -EPERM for a template. The error names the
 * machine; rundir_remove() lets go. */
int machine_hold_files(const struct paths *paths, const struct spec_vm *vm,
		       struct rundir *ret_rundir, struct error *err);

#endif
