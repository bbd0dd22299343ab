/* SPDX-License-Identifier: MIT */
#include "vmm/layers/hold.h"

#include "base/error.h"
#include "vmm/fork/template.h"
#include "vmm/machine_hold.h"

int machine_hold_files(const struct paths *paths, const struct spec_vm *vm,
		       struct rundir *ret_rundir, struct error *err)
{
	int rc;

	rundir_settle(paths, PATHS_VM, vm->name);
	/* Of an image that nobody may write to this would be told in words that do not help. */
	rc = error_wrap_if(err, template_check(paths, vm->name, err), "vm '%s'", vm->name);
	return rc < 0 ? rc : machine_hold_settled(paths, vm, ret_rundir, err);
}
