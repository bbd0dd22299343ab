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
 * its snapshots, or where it is suspended to disk, for its disks are half of it then. A change of
 * its files that was cut off (vmm/layers/disk_journal.h) is finished or undone. */
int machine_hold_settled(const struct paths *paths, const struct spec_vm *vm,
			 struct rundir *ret_run, struct error *err);

/* -EBUSY where it is suspended to disk. Before the machine is held: then somebody seems to serve
 * it. The error names it. */
int machine_check_saved(const struct paths *paths, const struct spec_vm *vm, struct error *err);

/* For whoever takes nothing: -EBUSY says what a start has to wait for, a verb that works on the
 * machine's files or snapshots, or a load that was broken off. 0 for one that is up, too. */
int machine_check_free(const struct paths *paths, const char *name, struct error *err);

#endif
