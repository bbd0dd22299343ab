/* SPDX-License-Identifier: MIT */
#include "vmm/keeper/adopt.h"

#include "base/child.h"
#include "base/cleanup.h"
#include "base/error.h"
#include "base/log.h"
#include "base/str.h"
#include "vmm/json.h"
#include "vmm/keeper/attach.h"
#include "vmm/leftovers.h"
#include "vmm/machine_group.h"
#include "vmm/owner.h"
#include "vmm/resources.h"
#include "vmm/states.h"
#include "vmm/uids.h"

#include <errno.h>
#include <stdlib.h>

json_t *adopt_describe(const struct child *c)
{
	unsigned long long start;

	if (c->pidfd < 0 || child_start_time(c->pid, &start, NULL) < 0)
		return json_null();
	return json_pack("{s:i s:I}", "pid", (int)c->pid, "start", (json_int_t)start);
}

int adopt_find(json_t *described, struct child *ret_child)
{
	json_int_t start;
	int pid;

	if (json_unpack(described, "{s:i s:I}", "pid", &pid, "start", &start) < 0)
		return -ESRCH;
	return child_adopt(pid, (unsigned long long)start, ret_child, NULL);
}

bool adopt_lives(json_t *described)
{
	struct child c = CHILD_INIT;
	bool lives;

	if (adopt_find(described, &c) < 0)
		return false;
	lives = !child_is_ending(&c);
	close_fd(&c.pidfd);
	return lives;
}

int adopt_find_own(const struct paths *paths, json_t *described, const char *mark,
		   const char *const uids[], struct child *ret_child)
{
	struct child c = CHILD_INIT;
	int rc = adopt_find(described, &c);

	if (rc < 0)
		return rc;
	/* A process can wipe its mark, and cannot change its user. */
	if (leftovers_is_marked(c.pid, mark) || uids_is_process_of(paths, c.pid, uids)) {
		*ret_child = c;
		return 0;
	}
	/* One that has just gone has neither. */
	if (!child_is_ending(&c))
		log_error("process %d stands in a status file of %s, and is none of its own; it "
			  "is left alone",
			  (int)c.pid, mark);
	close_fd(&c.pidfd);
	return -ESRCH;
}

/* QEMU and swtpm of a VM, as far as they still live. */
static void find_processes(const struct paths *paths, const char *vm, json_t *status,
			   struct child *ret_qemu, struct child *ret_swtpm)
{
	cleanup_free char *qemu_uid = str_printf("vm/%s", vm),
			  *swtpm_uid = str_printf("tpm/%s", vm);
	struct owner owner;

	owner_of_vm(&owner, paths, vm);
	(void)adopt_find_own(paths, json_object_get(status, "qemu"), owner.text,
			     (const char *const[]){qemu_uid, NULL}, ret_qemu);
	(void)adopt_find_own(paths, json_object_get(status, "swtpm"), owner.text,
			     (const char *const[]){swtpm_uid, NULL}, ret_swtpm);
}

/* By the books, and by the marks of those that were not written down yet. */
static void end_left_over(const struct paths *paths, const char *vm, json_t *status,
			  struct child *qemu, struct child *swtpm)
{
	struct owner owner;

	child_destroy(qemu);
	child_destroy(swtpm);
	owner_of_vm(&owner, paths, vm);
	leftovers_end(owner.text);
	machine_group_end(paths, vm, status);
}

static int read_tap_names(json_t *status, struct resources *r, struct error *err)
{
	json_t *nics = json_object_get(status, "nics");

	r->tap_names = calloc(r->vm->n_nics + 1, sizeof(*r->tap_names));
	if (!r->tap_names)
		return error_oom(err);
	for (size_t i = 0; i < r->vm->n_nics; i++) {
		const char *tap = json_get_string(json_array_get(nics, i), "tap");

		(void)str_format(r->tap_names[i], sizeof(r->tap_names[i]), "%s", tap ? tap : "");
	}
	return 0;
}

static int take_over(const struct paths *paths, json_t *status, struct resources *r,
		     struct error *err)
{
	const char *accel = json_get_string(status, "accel");
	struct error attach_err = ERROR_INIT;
	int rc;

	r->kvm = accel && str_eq(accel, "kvm");
	rc = paths_open_state(paths, PATHS_VM, r->vm->name, 1, &r->state_dirfd, err);
	if (rc == 0)
		rc = vm_pins_load(r->state_dirfd, &r->pins, err);
	if (rc == 0)
		rc = hardware_assign(r->vm, r->kvm, &r->pins, &r->hw, err);
	if (rc == 0)
		rc = read_tap_names(status, r, err);
	/* The guest goes on without its networks' supervisors, too. */
	if (rc == 0 && attach_networks(paths, r->vm, &r->hw, &r->attachments, &attach_err) < 0)
		log_warning("vm '%s': %s", r->vm->name, attach_err.text);
	return rc;
}

static enum vm_state state_of(json_t *status)
{
	const char *state = json_get_string(status, "state");

	return state ? vm_state_parse(state) : VM_STATE_STARTING;
}

/* Not one that never ran its guest, for it was still being made; nor one that has
 * lost its TPM, or is on its way out. */
static bool can_be_adopted(json_t *status, const struct child *qemu, const struct child *swtpm)
{
	bool has_tpm = json_is_object(json_object_get(status, "swtpm"));

	return qemu->pidfd >= 0 && state_of(status) != VM_STATE_STARTING &&
	       state_of(status) != VM_STATE_SPARE && !child_is_ending(qemu) &&
	       (!has_tpm || (swtpm->pidfd >= 0 && !child_is_ending(swtpm)));
}

bool adopt_is_possible(const struct paths *paths, const char *vm, json_t *status)
{
	struct child qemu = CHILD_INIT, swtpm = CHILD_INIT;
	bool possible;

	find_processes(paths, vm, status, &qemu, &swtpm);
	possible = can_be_adopted(status, &qemu, &swtpm);
	close_fd(&qemu.pidfd);
	close_fd(&swtpm.pidfd);
	return possible;
}

int adopt_machine(const struct rundir *run, const struct paths *paths, struct resources *r,
		  struct adopted *ret_adopted, struct error *err)
{
	cleanup_json json_t *status = NULL;
	struct child qemu = CHILD_INIT, swtpm = CHILD_INIT;
	int rc;

	status = rundir_own_status(run);
	if (!status)
		return 0;
	find_processes(paths, r->vm->name, status, &qemu, &swtpm);
	if (!can_be_adopted(status, &qemu, &swtpm)) {
		end_left_over(paths, r->vm->name, status, &qemu, &swtpm);
		return 0;
	}
	rc = take_over(paths, status, r, err);
	if (rc < 0) {
		close_fd(&qemu.pidfd);
		close_fd(&swtpm.pidfd);
		return rc;
	}
	r->qemu = qemu;
	r->swtpm = swtpm;
	r->jail_started = json_incref(json_object_get(status, "jail_at_start"));
	machine_group_adopt(r, status);
	*ret_adopted = (struct adopted){
		.started = (uint64_t)json_integer_value(json_object_get(status, "started")),
		.paused = state_of(status) == VM_STATE_PAUSED,
	};
	return 1;
}

int adopt_end(const struct paths *paths, const char *vm, struct error *err)
{
	struct child qemu = CHILD_INIT, swtpm = CHILD_INIT;
	cleanup_json json_t *status = NULL;
	struct rundir run = RUNDIR_INIT;
	int rc = rundir_acquire(paths, PATHS_VM, vm, &run, err);

	if (rc < 0)
		return rc;
	status = rundir_own_status(&run);
	find_processes(paths, vm, status, &qemu, &swtpm);
	end_left_over(paths, vm, status, &qemu, &swtpm);
	rundir_remove(&run, paths, PATHS_VM, vm);
	return 0;
}

bool adopt_await_supervisor(const struct rundir *run, int timeout_ms)
{
	cleanup_json json_t *status = rundir_own_status(run);
	struct child supervisor = CHILD_INIT;
	bool gone;

	if (!status || adopt_find(json_object_get(status, "supervisor"), &supervisor) < 0)
		return false;
	gone = child_wait(&supervisor, timeout_ms, NULL, NULL) == 0;
	close_fd(&supervisor.pidfd);
	return gone;
}
