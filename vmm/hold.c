/* SPDX-License-Identifier: MIT */
#include "vmm/hold.h"

#include "base/error.h"
#include "vmm/disk_journal.h"
#include "vmm/machine_hold.h"

int machine_hold_files(const struct paths *paths, const struct spec_vm *vm,
		       struct rundir *ret_rundir, struct error *err)
{
	struct rundir rundir;
	int rc;

	rundir_settle(paths, PATHS_VM, vm->name);
	rc = machine_hold_settled(paths, vm, &rundir, err);
	if (rc < 0)
		return rc;
	rc = disk_journal_settle_vm(paths, vm->name, err);
	if (rc < 0) {
		rundir_remove(&rundir, paths, PATHS_VM, vm->name);
		return error_wrap(err, rc, "vm '%s'", vm->name);
	}
	*ret_rundir = rundir;
	return 0;
}
