/* SPDX-License-Identifier: MIT */
#include "vmm/adopt.h"

#include "base/child.h"
#include "base/cleanup.h"
#include "base/error.h"
#include "base/log.h"
#include "base/str.h"
#include "vmm/attach.h"
#include "vmm/json.h"
#include "vmm/resources.h"
#include "vmm/states.h"

#include <errno.h>
#include <signal.h>
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

/* Ends a process that somebody else may have started. */
static void end_left_over(struct child *c)
{
	if (c->pidfd >= 0)
		child_destroy(c);
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

int adopt_machine(const struct rundir *run, const struct paths *paths, struct resources *r,
		  uint64_t *ret_started, struct error *err)
{
	cleanup_json json_t *status = NULL;
	struct child qemu = CHILD_INIT, swtpm = CHILD_INIT;
	const char *state;
	int rc;

	status = rundir_own_status(run);
	if (!status)
		return 0;
	state = json_get_string(status, "state");
	(void)adopt_find(json_object_get(status, "qemu"), &qemu);
	(void)adopt_find(json_object_get(status, "swtpm"), &swtpm);
	/* One that never ran its guest was still being made. */
	if (qemu.pidfd < 0 || !state || vm_state_parse(state) == VM_STATE_STARTING) {
		end_left_over(&qemu);
		end_left_over(&swtpm);
		return 0;
	}
	rc = take_over(paths, status, r, err);
	if (rc < 0)
		return rc;
	r->qemu = qemu;
	r->swtpm = swtpm;
	*ret_started = (uint64_t)json_integer_value(json_object_get(status, "started"));
	return 1;
}
