/* SPDX-License-Identifier: MIT */
#include "vmm/machine_hold.h"

#include "base/cleanup.h"
#include "base/error.h"
#include "vmm/json.h"
#include "vmm/keeper/adopt.h"
#include "vmm/layers/disk_journal.h"
#include "vmm/leftovers.h"
#include "vmm/owner.h"
#include "vmm/snapshot/snapshot_store.h"
#include "vmm/vm_status.h"

#include <errno.h>

/* A keeper that was killed lets go of the lock, and not of its QEMU. */
static int check_down(const struct paths *paths, const char *name, const struct rundir *run,
		      struct error *err)
{
	cleanup_json json_t *status = rundir_own_status(run);
	struct owner owner;

	if (!status)
		return 0;
	if (adopt_lives(json_object_get(status, "qemu")))
		return error_set(err, EBUSY, "vm '%s' runs without a supervisor (hv kill %s)", name,
				 name);
	owner_of_vm(&owner, paths, name);
	leftovers_end(owner.text);
	return 0;
}

int machine_hold_down(const struct paths *paths, const char *name, struct rundir *ret_run,
		      struct error *err)
{
	struct rundir run = RUNDIR_INIT;
	int rc = rundir_hold(paths, PATHS_VM, name, &run, err);

	if (rc == -EBUSY)
		return error_wrap(err, rc, "vm '%s'", name);
	if (rc == -EALREADY)
		return error_set(err, EBUSY, "vm '%s' is up (hv down %s)", name, name);
	if (rc == 0)
		rc = check_down(paths, name, &run, err);
	if (rc < 0)
		rundir_release(&run);
	else
		*ret_run = run;
	return rc;
}

int machine_check_saved(const struct paths *paths, const struct spec_vm *vm, struct error *err)
{
	cleanup_json json_t *status = NULL;
	int rc = vm_status_read(paths, vm, &status, err);

	if (rc == 0 && json_is_object(json_object_get(status, "saved")))
		return error_set(
			err, EBUSY,
			"vm '%s' is suspended to disk, and its disks are half of it (hv up "
			"%s resumes it)",
			vm->name, vm->name);
	return rc;
}

static int check_snapshots(const struct paths *paths, const char *name, struct error *err)
{
	cleanup_close int dirfd = -1;
	bool loading = false;
	int rc = paths_open_state(paths, PATHS_VM, name, 0, &dirfd, err);

	if (rc < 0)
		return rc == -ENOENT ? 0 : rc;
	rc = snapshot_store_may_start(dirfd, name, &loading, err);
	if (rc == 0 && loading)
		rc = error_set(err, EBUSY, "a snapshot of it is being loaded");
	return rc;
}

int machine_check_free(const struct paths *paths, const char *name, struct error *err)
{
	enum rundir_state state = RUNDIR_NONE;
	int rc;

	rundir_settle(paths, PATHS_VM, name);
	rc = rundir_check_held(paths, PATHS_VM, name, err);
	if (rc == 0)
		rc = rundir_look(paths, PATHS_VM, name, &state, err);
	return rc < 0 || state == RUNDIR_SERVED ? rc : check_snapshots(paths, name, err);
}

/* Whoever begins to work at its snapshots from now on finds that it is not down. */
static int settle(const struct paths *paths, const char *name, struct error *err)
{
	int rc = check_snapshots(paths, name, err);

	return rc < 0 ? rc : disk_journal_settle_vm(paths, name, err);
}

int machine_hold_settled(const struct paths *paths, const struct spec_vm *vm,
			 struct rundir *ret_run, struct error *err)
{
	struct rundir run = RUNDIR_INIT;
	int rc = machine_check_saved(paths, vm, err);

	if (rc == 0)
		rc = machine_hold_down(paths, vm->name, &run, err);
	if (rc == 0)
		rc = error_wrap_if(err, settle(paths, vm->name, err), "vm '%s'", vm->name);
	if (rc < 0)
		rundir_remove(&run, paths, PATHS_VM, vm->name);
	else
		*ret_run = run;
	return rc;
}
