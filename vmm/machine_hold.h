/* SPDX-License-Identifier: MIT */
/* Holding a machine that is down, so that nobody starts it meanwhile. */
#ifndef HV_VMM_MACHINE_HOLD_H
#define HV_VMM_MACHINE_HOLD_H

#include "base/paths.h"
#include "lab/spec.h"
#include "vmm/rundir.h"

struct error;

/* *ret_run is to be given to rundir_remove(). -EBUSY where it is up, with a supervisor or
 * without. */
int machine_hold_down(const struct paths *paths, const char *name, struct rundir *ret_run,
		      struct error *err);

/* The same for whoever reads its disks as a whole: -EBUSY, too, where somebody works at
 * its snapshots, or where it is suspended to disk, for its disks are half of it then. */
int machine_hold_settled(const struct paths *paths, const struct spec_vm *vm,
			 struct rundir *ret_run, struct error *err);

#endif
