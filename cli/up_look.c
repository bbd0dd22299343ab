/* SPDX-License-Identifier: MIT */
#include "cli/up_private.h"

#include "base/cleanup.h"
#include "cli/spares.h"
#include "cli/wait.h"
#include "vmm/fork/template.h"
#include "vmm/inspect.h"
#include "vmm/layers/disk_journal.h"
#include "vmm/rundir.h"
#include "vmm/vm_status.h"

bool up_needs_making(const struct up_machine *m)
{
	return m->orphan || m->found == VM_STATE_STOPPED || m->found == VM_STATE_CRASHED;
}

bool up_needs_start(const struct up_machine *m)
{
	return m->spare || up_needs_making(m);
}

/* A spare of what the configuration said, or of a state that was, is none any more. */
static int look_at_spare(struct up *u, size_t i, json_t *status)
{
	struct up_machine *m = &u->machines[i];
	int rc;

	m->spare = cli_spare_fits(u->cli, u->vms[i], status);
	if (m->spare)
		return 0;
	rc = cli_spare_end(u->cli, u->vms[i]->name);
	m->found = VM_STATE_STOPPED;
	return rc;
}

static int look_at(struct up *u, size_t i, uint64_t deadline_usec)
{
	const struct wait_condition down = {.what = WAIT_DOWN};
	const struct paths *paths = &u->cli->paths;
	const struct spec_vm *vm = u->vms[i];
	struct up_machine *m = &u->machines[i];
	cleanup_json json_t *status = NULL;
	enum rundir_state run = RUNDIR_NONE;
	bool supervised;
	int rc;

	rundir_settle(paths, PATHS_VM, vm->name);
	rc = vm_status_read(paths, vm, &status, &u->cli->err);
	if (rc < 0)
		return error_wrap(&u->cli->err, rc, "vm '%s'", vm->name);
	m->found = vm_state_parse(cli_text(status, "state"));
	supervised = !json_is_null(json_object_get(status, "supervisor"));
	m->spare = false;
	if (supervised && cli_spare_waits(status)) {
		rc = look_at_spare(u, i, status);
		supervised = m->spare;
		if (rc < 0)
			return rc;
	}
	m->saved = json_is_object(json_object_get(status, "saved"));
	/* One that shuts down is started when it has. */
	if (m->found == VM_STATE_STOPPING && supervised) {
		rc = cli_wait_vm(u->cli, vm, &down, true, deadline_usec);
		if (rc < 0)
			return rc;
		m->found = VM_STATE_STOPPED;
		supervised = false;
	}
	m->orphan = m->found != VM_STATE_STOPPED && m->found != VM_STATE_CRASHED && !supervised;
	if (up_needs_making(m))
		rc = cli_wait_free(u->cli, vm, deadline_usec);
	if (rc < 0)
		return rc;
	if (up_needs_making(m))
		rc = rundir_look(paths, PATHS_VM, vm->name, &run, &u->cli->err);
	m->unclean = run == RUNDIR_LEFT;
	return error_wrap_if(&u->cli->err, rc, "vm '%s'", vm->name);
}

int up_look(struct up *u, uint64_t deadline_usec)
{
	int rc = 0;

	for (size_t i = 0; rc == 0 && i < u->n_vms; i++)
		rc = look_at(u, i, deadline_usec);
	return rc;
}

static int inspect_one(const struct up *u, const struct spec_vm *vm, struct error *err)
{
	struct firmware_found firmware = {0};
	int rc = disk_journal_settle_vm(&u->cli->paths, vm->name, err);

	if (rc == 0)
		rc = template_check_writable(&u->cli->paths, u->cli->lab, vm, err);
	if (rc == 0)
		rc = inspect_vm(&u->cli->paths, vm, &u->host, err);
	if (rc == 0)
		rc = inspect_firmware(vm, vm->machine ? vm->machine : "q35", &firmware, err);
	firmware_found_free(&firmware);
	return error_wrap_if(err, rc, "vm '%s'", vm->name);
}

static bool is_served(const struct up *u, size_t i)
{
	enum rundir_state run;

	return rundir_look(&u->cli->paths, PATHS_VM, u->vms[i]->name, &run, NULL) == 0 &&
	       run == RUNDIR_SERVED;
}

int up_inspect(struct up *u)
{
	size_t n_faults = 0;
	bool slow = false, kvm;

	for (size_t i = 0; i < u->n_vms; i++) {
		struct error err = ERROR_INIT;
		int rc;

		/* What is left of it looks like somebody else's; its supervisor
		 * sweeps first, and looks again. */
		if (!up_needs_making(&u->machines[i]) || u->machines[i].unclean)
			continue;
		rc = inspect_one(u, u->vms[i], &err);
		/* What is in its way is itself, where somebody else starts it just now. */
		if (rc < 0 && !is_served(u, i)) {
			cli_tell(&err);
			n_faults++;
		}
		slow = slow || (u->vms[i]->accel == SPEC_ACCEL_AUTO &&
				inspect_accel(u->vms[i], &u->host, &kvm, NULL) == 0 && !kvm);
	}
	for (size_t i = 0; i < u->n_net_jobs; i++) {
		struct error err = ERROR_INIT;
		int rc = inspect_network(u->nets[i], &u->host, &err);

		if (rc < 0) {
			(void)error_wrap(&err, rc, "network '%s'", u->nets[i]->name);
			cli_tell(&err);
			n_faults++;
		}
	}
	if (n_faults)
		return CLI_FAILED;
	if (slow && !u->told_slow)
		(void)fprintf(stderr,
			      "hv: note: KVM does not run guests here, QEMU emulates the CPU "
			      "(slower)\n");
	u->told_slow = u->told_slow || slow;
	return CLI_DONE;
}
