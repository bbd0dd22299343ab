/* SPDX-License-Identifier: MIT */
/*
 * up: what is wanted is looked at as a whole before anything is touched; then
 * the networks start side by side, then the VMs, those side by side that wait for
 * nobody (after:); then it waits for what was asked. A failure in the middle leaves what is up, and
 * takes down the networks that this call brought up and that nobody uses.
 */
#include "base/cleanup.h"
#include "base/clock.h"
#include "base/str.h"
#include "cli/common.h"
#include "cli/image.h"
#include "cli/plan.h"
#include "cli/spares.h"
#include "cli/start.h"
#include "cli/wait.h"
#include "vmm/adopt.h"
#include "vmm/disk_journal.h"
#include "vmm/host.h"
#include "vmm/inspect.h"
#include "vmm/layers.h"
#include "vmm/network.h"
#include "vmm/rundir.h"
#include "vmm/suspend.h"
#include "vmm/template.h"
#include "vmm/vm_status.h"

#include <errno.h>
#include <stdlib.h>

enum { OPT_WAIT, OPT_TIMEOUT, OPT_DRY_RUN, OPT_DISCARD_STATE };

enum { TIMEOUT_DEFAULT_S = 300, TRIES = 5 };

static const struct cli_option options[] = {
	[OPT_WAIT] = {"wait", 'w', "running|agent|ip|console:TEXT",
		      "return when that is so (running)", false},
	[OPT_TIMEOUT] = {"timeout", 't', "SECONDS", "how long to wait for it (300)", false},
	[OPT_DRY_RUN] = {"dry-run", 'n', NULL, "print the steps and take none", false},
	[OPT_DISCARD_STATE] = {"discard-state", 0, NULL,
			       "forget what was suspended to disk; the guest boots", false},
	{0},
};

struct up {
	struct cli *cli;
	struct host host;
	const struct spec_vm **vms; /* the lab's; the array is ours */
	size_t n_vms;
	enum vm_state *found; /* of each, before anything was done */
	bool *orphan; /* of each: QEMU runs without a supervisor */
	bool *saved; /* of each: it was suspended to disk */
	bool *spare; /* of each: it waits, and has to begin only */
	bool *unclean; /* of each to start: its last supervisor did not end in order */
	const struct spec_network **nets;
	struct start_job *jobs; /* first of the networks, then of the VMs */
	size_t n_net_jobs, n_vm_jobs;
	bool *started, *taken; /* of each: by this call; taken over by it */
	unsigned tries_left;
	bool probed, told_slow;
};

/* From nothing, or from what another supervisor left. */
static bool needs_making(const struct up *u, size_t i)
{
	return u->orphan[i] || u->found[i] == VM_STATE_STOPPED || u->found[i] == VM_STATE_CRASHED;
}

static bool needs_start(const struct up *u, size_t i)
{
	return u->spare[i] || needs_making(u, i);
}

/* A spare of what the configuration said, or of a state that was, is none any more. */
static int look_at_spare(struct up *u, size_t i, json_t *status)
{
	int rc;

	u->spare[i] = cli_spare_fits(u->cli, u->vms[i], status);
	if (u->spare[i])
		return 0;
	rc = cli_spare_end(u->cli, u->vms[i]->name);
	u->found[i] = VM_STATE_STOPPED;
	return rc;
}

static int look_at(struct up *u, size_t i, uint64_t deadline_usec)
{
	const struct wait_condition down = {.what = WAIT_DOWN};
	const struct paths *paths = &u->cli->paths;
	const struct spec_vm *vm = u->vms[i];
	cleanup_json json_t *status = NULL;
	enum rundir_state run = RUNDIR_NONE;
	bool supervised;
	int rc;

	rundir_settle(paths, PATHS_VM, vm->name);
	rc = vm_status_read(paths, vm, &status, &u->cli->err);
	if (rc < 0)
		return error_wrap(&u->cli->err, rc, "vm '%s'", vm->name);
	u->found[i] = vm_state_parse(cli_text(status, "state"));
	supervised = !json_is_null(json_object_get(status, "supervisor"));
	u->spare[i] = false;
	if (supervised && cli_spare_waits(status)) {
		rc = look_at_spare(u, i, status);
		supervised = u->spare[i];
		if (rc < 0)
			return rc;
	}
	u->saved[i] = json_is_object(json_object_get(status, "saved"));
	/* One that shuts down is started when it has. */
	if (u->found[i] == VM_STATE_STOPPING && supervised) {
		rc = cli_wait_vm(u->cli, vm, &down, true, deadline_usec);
		if (rc < 0)
			return rc;
		u->found[i] = VM_STATE_STOPPED;
		supervised = false;
	}
	u->orphan[i] =
		u->found[i] != VM_STATE_STOPPED && u->found[i] != VM_STATE_CRASHED && !supervised;
	if (needs_making(u, i))
		rc = rundir_look(paths, PATHS_VM, vm->name, &run, &u->cli->err);
	u->unclean[i] = run == RUNDIR_LEFT;
	return error_wrap_if(&u->cli->err, rc, "vm '%s'", vm->name);
}

/* Of those that are not up; what runs has no such state. */
static void discard_states(struct up *u)
{
	for (size_t i = 0; u->cli->values[OPT_DISCARD_STATE] && i < u->n_vms; i++)
		if (needs_making(u, i) && !u->orphan[i] &&
		    suspend_discard(&u->cli->paths, u->vms[i]->name))
			u->saved[i] = false;
}

static int look(struct up *u, uint64_t deadline_usec)
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

/* Tells every fault; nothing was touched by then. */
static int inspect(struct up *u)
{
	size_t n_faults = 0;
	bool slow = false, kvm;

	for (size_t i = 0; i < u->n_vms; i++) {
		struct error err = ERROR_INIT;
		int rc;

		/* What is left of it looks like somebody else's; its supervisor
		 * sweeps first, and looks again. */
		if (!needs_making(u, i) || u->unclean[i])
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

/* The networks of all that is wanted and that are not up: one whose supervisor
 * was killed under a running machine, too. */
static int add_networks(struct up *u)
{
	size_t n_nets, kept = 0;
	int rc = cli_networks_of(u->cli, u->vms, u->n_vms, &u->nets, &n_nets);

	for (size_t i = 0; rc == 0 && i < n_nets; i++) {
		cleanup_json json_t *status = NULL;

		rc = network_status_read(&u->cli->paths, u->nets[i], &status, &u->cli->err);
		if (rc == 0 && !str_eq(json_get_string(status, "state") ?: "", "up"))
			u->nets[kept++] = u->nets[i];
	}
	u->n_net_jobs = kept;
	return rc;
}

static int make_jobs(struct up *u)
{
	int rc = add_networks(u);
	size_t left = 0;

	if (rc < 0)
		return rc;
	u->jobs = calloc(u->n_net_jobs + u->n_vms + 1, sizeof(*u->jobs));
	if (!u->jobs)
		return error_oom(&u->cli->err);
	for (size_t i = 0; i < u->n_net_jobs; i++)
		u->jobs[i] = (struct start_job){.kind = PATHS_NET, .name = u->nets[i]->name};
	for (size_t i = 0; i < u->n_vms; i++)
		left += needs_start(u, i);
	/* Those first that come after nobody. */
	for (unsigned rank = 0; left; rank++)
		for (size_t i = 0; i < u->n_vms; i++)
			if (needs_start(u, i) && u->vms[i]->rank == rank) {
				u->jobs[u->n_net_jobs + u->n_vm_jobs++] =
					(struct start_job){.kind = PATHS_VM,
							   .name = u->vms[i]->name,
							   .adopts = u->orphan[i],
							   .begins = u->spare[i],
							   .rc = -ECANCELED};
				left--;
			}
	return 0;
}

/* Lets networks go that this call brought up and nobody uses. */
static void release_networks(struct up *u)
{
	for (size_t i = 0; i < u->n_net_jobs; i++)
		if (u->jobs[i].ours)
			cli_release_network(u->cli, u->nets[i]);
}

/* Somebody else started it at the same moment: its success is ours. */
static void await_others(struct up *u, size_t first, size_t n, uint64_t deadline_usec)
{
	const struct wait_condition running = {.what = WAIT_RUNNING};

	for (size_t i = first; i < first + n; i++) {
		struct start_job *job = &u->jobs[i];
		struct cli *cli = u->cli;

		if (job->rc != -EALREADY)
			continue;
		job->rc = job->kind == PATHS_VM
				  ? cli_wait_vm(cli, lab_find_vm(cli->lab, job->name), &running,
						false, deadline_usec)
				  : cli_wait_network(cli, lab_find_network(cli->lab, job->name),
						     deadline_usec);
		job->err = cli->err;
	}
}

/* A network that nobody uses any more may go just when we come, and so may a spare. */
static bool is_worth_another_try(const struct start_job *job)
{
	if (job->begins)
		return job->rc < 0;
	/* What somebody else started just now was one. */
	if (job->rc == -EAGAIN)
		return true;
	return job->rc == (job->kind == PATHS_VM ? -ENETDOWN : -ECONNRESET);
}

/* Starts n jobs and tells each failure once. -EAGAIN: better luck next time. */
static int start(struct up *u, size_t first, size_t n, uint64_t deadline_usec)
{
	bool again = false;
	int failed = 0, rc;

	if (!n)
		return 0;
	rc = cli_start_all(u->cli, u->jobs + first, n);
	if (rc < 0)
		return rc;
	await_others(u, first, n, deadline_usec);
	for (size_t i = first; i < first + n; i++)
		again = again || is_worth_another_try(&u->jobs[i]);
	if (again && u->tries_left)
		return -EAGAIN;
	for (size_t i = first; i < first + n; i++)
		if (u->jobs[i].rc < 0) {
			cli_tell(&u->jobs[i].err);
			failed = CLI_FAILED;
		}
	return failed;
}

/* What an interrupted call has brought up already goes again; a machine that it
 * only took over does not. */
static void undo_started(struct up *u)
{
	for (size_t i = 0; i < u->n_vms; i++) {
		struct error err = ERROR_INIT;

		if (u->started[i] && cli_command(u->cli, PATHS_VM, u->vms[i]->name, "hv-kill", NULL,
						 CLI_COMMAND_MS, NULL, &err) < 0)
			cli_tell(&err);
	}
}

/* The job that starts a VM; NULL where it was up. */
static const struct start_job *job_of(const struct up *u, const char *name)
{
	for (size_t i = 0; i < u->n_vm_jobs; i++)
		if (str_eq(u->jobs[u->n_net_jobs + i].name, name))
			return &u->jobs[u->n_net_jobs + i];
	return NULL;
}

/* One that comes after a machine that did not start is not started either. */
static void skip_after_failure(const struct up *u, struct start_job *job, const struct spec_vm *vm)
{
	for (size_t i = 0; i < vm->n_after && !job->skip; i++) {
		const struct start_job *before = job_of(u, vm->after[i].name);

		if (!before || before->rc >= 0)
			continue;
		job->skip = true;
		job->rc = error_set(&job->err, ECANCELED,
				    "vm '%s': not started, for it comes after vm '%s'", vm->name,
				    before->name);
	}
}

/* Those of one rank side by side; each later rank when the one before runs. */
static int start_in_order(struct up *u, uint64_t deadline_usec)
{
	int failed = 0, rc;
	size_t n;

	for (size_t first = 0; first < u->n_vm_jobs; first += n) {
		struct start_job *jobs = &u->jobs[u->n_net_jobs + first];
		unsigned rank = lab_find_vm(u->cli->lab, jobs[0].name)->rank;

		for (n = 0; first + n < u->n_vm_jobs; n++) {
			const struct spec_vm *vm = lab_find_vm(u->cli->lab, jobs[n].name);

			if (vm->rank != rank)
				break;
			skip_after_failure(u, &jobs[n], vm);
		}
		rc = start(u, u->n_net_jobs + first, n, deadline_usec);
		if (rc < 0)
			return rc;
		failed |= rc;
	}
	return failed;
}

static void tell_success(const struct up *u)
{
	for (size_t i = 0; i < u->n_vms; i++) {
		const struct start_job *job = job_of(u, u->vms[i]->name);

		if (u->started[i])
			(void)printf("%s is up%s\n", u->vms[i]->name,
				     u->saved[i] ? " (resumed)" : "");
		else if (u->taken[i])
			(void)printf("%s is up (taken over, it ran on)\n", u->vms[i]->name);
		else if (!job || job->rc == 0)
			(void)printf("%s is up already (%s)\n", u->vms[i]->name,
				     vm_state_name(job ? VM_STATE_RUNNING : u->found[i]));
	}
	(void)fflush(stdout);
}

static int wait_all(struct up *u, const struct wait_condition *condition, uint64_t deadline_usec)
{
	int failed = 0;

	for (size_t i = 0; i < u->n_vms; i++) {
		const struct start_job *job = job_of(u, u->vms[i]->name);

		if (job && job->rc < 0)
			continue;
		if (cli_wait_vm(u->cli, u->vms[i], condition, true, deadline_usec) < 0) {
			cli_tell(&u->cli->err);
			failed = CLI_FAILED;
		}
	}
	return failed;
}

/* A guest that was up already may have been left standing in the middle of a change of its disks,
 * by a verb that was killed; one that is at it now is alone with them. */
static int settle_layers(struct up *u)
{
	int failed = 0;

	for (size_t i = 0; i < u->n_vms; i++) {
		struct error err = ERROR_INIT;
		int rc = u->started[i] ? 0 : layers_settle(&u->cli->paths, u->vms[i], &err);

		if (rc < 0 && rc != -EBUSY) {
			(void)error_wrap(&err, rc, "vm '%s'", u->vms[i]->name);
			cli_tell(&err);
			failed = CLI_FAILED;
		}
	}
	return failed;
}

/* Spares were looked at when they were made. */
static bool has_to_make(const struct up *u)
{
	size_t n = u->n_net_jobs;

	for (size_t i = 0; i < u->n_vms; i++)
		n += needs_making(u, i);
	return n > 0;
}

/* One try. -EAGAIN: another one is worth it. */
static int try_start(struct up *u, uint64_t deadline_usec)
{
	int rc;

	free(steal_ptr(&u->nets));
	free(steal_ptr(&u->jobs));
	u->n_net_jobs = u->n_vm_jobs = 0;
	rc = look(u, deadline_usec);
	if (rc == 0)
		discard_states(u);
	if (rc == 0)
		rc = make_jobs(u);
	if (rc == 0 && has_to_make(u)) {
		if (!u->probed)
			host_probe(&u->host);
		u->probed = true;
		rc = inspect(u);
	}
	for (size_t i = 0; rc == 0 && i < u->n_vms; i++)
		if (needs_making(u, i))
			rc = cli_fetch_images_of(u->cli, u->vms[i]);
	if (rc)
		return rc;
	rc = start(u, 0, u->n_net_jobs, deadline_usec);
	if (rc == 0)
		rc = start_in_order(u, deadline_usec);
	for (size_t i = 0; i < u->n_vms; i++) {
		const struct start_job *job = job_of(u, u->vms[i]->name);

		if (job && job->ours)
			*(u->orphan[i] ? &u->taken[i] : &u->started[i]) = true;
	}
	if (rc == 0)
		rc = settle_layers(u);
	if (rc == -EINTR)
		undo_started(u);
	if (rc)
		release_networks(u);
	return rc;
}

static int bring_up(struct up *u, const struct wait_condition *condition, uint64_t deadline_usec)
{
	int rc, waited;

	for (u->tries_left = TRIES - 1;; u->tries_left--) {
		rc = try_start(u, deadline_usec);
		if (rc != -EAGAIN)
			break;
	}
	if (rc < 0 || !u->jobs)
		return rc;
	tell_success(u);
	waited = wait_all(u, condition, deadline_usec);
	cli_spares_fill(u->cli, u->vms, u->n_vms);
	return rc ? rc : waited;
}

static int run(struct cli *cli)
{
	struct wait_condition condition = {.what = WAIT_RUNNING};
	struct up u = {.cli = cli};
	uint64_t seconds;
	size_t steps;
	int rc;

	if (!cli_number(cli, &verb_up, OPT_TIMEOUT, 7 * 86400, TIMEOUT_DEFAULT_S, &seconds))
		return 0;
	if (cli->values[OPT_WAIT] && !cli_wait_parse(cli->values[OPT_WAIT], &condition))
		return cli_usage(cli, &verb_up,
				 "--wait takes running, agent, ip or console:TEXT, not '%s'",
				 cli->values[OPT_WAIT]);
	rc = cli_choose_vms(cli, &u.vms, &u.n_vms);
	if (rc < 0)
		return rc;
	if (!u.n_vms)
		(void)printf("nothing to start: no vm has autostart: true, and none was named\n");
	if (cli->values[OPT_DRY_RUN]) {
		rc = cli_print_plan(cli, u.vms, u.n_vms, false, &steps);
		free(u.vms);
		return rc;
	}
	u.found = calloc(u.n_vms + 1, sizeof(*u.found));
	u.orphan = calloc(u.n_vms + 1, sizeof(*u.orphan));
	u.saved = calloc(u.n_vms + 1, sizeof(*u.saved));
	u.spare = calloc(u.n_vms + 1, sizeof(*u.spare));
	u.unclean = calloc(u.n_vms + 1, sizeof(*u.unclean));
	u.started = calloc(u.n_vms + 1, sizeof(*u.started));
	u.taken = calloc(u.n_vms + 1, sizeof(*u.taken));
	rc = u.found && u.orphan && u.saved && u.spare && u.unclean && u.started && u.taken
		     ? bring_up(&u, &condition, clock_now_usec() + seconds * 1000000)
		     : error_oom(&cli->err);
	if (rc > 0)
		cli->exit_code = rc;
	free(u.vms);
	free(u.found);
	free(u.orphan);
	free(u.saved);
	free(u.spare);
	free(u.unclean);
	free(u.started);
	free(u.taken);
	free(u.nets);
	free(u.jobs);
	host_free(&u.host);
	return rc < 0 ? rc : 0;
}

const struct verb verb_up = {
	.name = "up",
	.args = "[NAME…]",
	.summary = "bring virtual machines up with their networks, side by side",
	.text = "Makes what is missing: networks, volumes, NVRAM, TPM. What is up already stays as it "
		"is.\nWithout names: every virtual machine that has autostart. hvup NAME… is the "
		"same.",
	.options = options,
	.max_names = SIZE_MAX,
	.names = CLI_NAMES_VM,
	.run = run,
};
