/* SPDX-License-Identifier: MIT */
/*
 * up: what is wanted is looked at as a whole before anything is touched; then
 * the networks start side by side, then the VMs, those side by side that wait for
 * nobody (after:); then it waits for what was asked. A failure in the middle leaves what is up, and
 * takes down the networks that this call brought up and that nobody uses.
 */
#include "cli/up_private.h"

#include "base/cleanup.h"
#include "base/clock.h"
#include "cli/image.h"
#include "cli/plan.h"
#include "cli/spares.h"
#include "cli/wait.h"
#include "vmm/fork/prepared.h"
#include "vmm/layers/layers.h"
#include "vmm/snapshot/snapshot_store.h"
#include "vmm/snapshot/suspend.h"

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
			       "forget what was suspended to disk, or what a fork was to "
			       "begin with; the guest boots",
			       false},
	{0},
};

/* Of those that are not up; what runs has no such state. */
static void discard_states(struct up *u)
{
	const struct paths *paths = &u->cli->paths;

	for (size_t i = 0; u->cli->values[OPT_DISCARD_STATE] && i < u->n_vms; i++) {
		if (!up_needs_making(&u->machines[i]) || u->machines[i].orphan)
			continue;
		if (suspend_discard(paths, u->vms[i]->name))
			u->machines[i].saved = false;
		prepared_forget(paths, u->vms[i]->name);
	}
}

/* One that stands may do so because a snapshot was half loaded into it: to run it would be wrong.
 */
static void tell_found(const struct up *u, size_t i, enum vm_state state)
{
	const char *name = u->vms[i]->name;
	cleanup_free char *loading =
		state == VM_STATE_PAUSED ? snapshot_store_loading(&u->cli->paths, name) : NULL;

	(void)printf("%s is up already (%s)\n", name, vm_state_name(state));
	if (loading)
		(void)fprintf(stderr,
			      "hv: note: vm '%s': the load of snapshot '%s' was broken off, or is "
			      "under way (hv snap load %s %s once more)\n",
			      name, loading, name, loading);
}

static void tell_success(const struct up *u)
{
	for (size_t i = 0; i < u->n_vms; i++) {
		const struct start_job *job = up_job_of(u, u->vms[i]->name);

		if (u->machines[i].started)
			(void)printf("%s is up%s\n", u->vms[i]->name,
				     u->machines[i].saved ? " (resumed)" : "");
		else if (u->machines[i].taken)
			(void)printf("%s is up (taken over, it ran on)\n", u->vms[i]->name);
		else if (!job || job->rc == 0)
			tell_found(u, i, job ? VM_STATE_RUNNING : u->machines[i].found);
	}
	(void)fflush(stdout);
}

static int wait_all(struct up *u, const struct wait_condition *condition, uint64_t deadline_usec)
{
	int failed = 0;

	for (size_t i = 0; i < u->n_vms; i++) {
		const struct start_job *job = up_job_of(u, u->vms[i]->name);

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
		int rc = 0;

		if (!u->machines[i].started)
			rc = layers_settle(&u->cli->paths, u->vms[i], &err);
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
		n += up_needs_making(&u->machines[i]);
	return n > 0;
}

/* One try. -EAGAIN: another one is worth it. */
static int try_start(struct up *u, uint64_t deadline_usec)
{
	int rc;

	free(steal_ptr(&u->nets));
	free(steal_ptr(&u->jobs));
	u->n_net_jobs = u->n_vm_jobs = 0;
	rc = up_look(u, deadline_usec);
	if (rc == 0)
		discard_states(u);
	if (rc == 0)
		rc = up_make_jobs(u);
	if (rc == 0 && has_to_make(u)) {
		if (!u->probed)
			host_probe(&u->host);
		u->probed = true;
		rc = up_inspect(u);
	}
	for (size_t i = 0; rc == 0 && i < u->n_vms; i++)
		if (up_needs_making(&u->machines[i]))
			rc = cli_fetch_images_of(u->cli, u->vms[i]);
	if (rc)
		return rc;
	rc = up_start_networks(u, deadline_usec);
	if (rc == 0)
		rc = up_start_machines(u, deadline_usec);
	for (size_t i = 0; i < u->n_vms; i++) {
		const struct start_job *job = up_job_of(u, u->vms[i]->name);
		struct up_machine *m = &u->machines[i];

		if (job && job->ours)
			*(m->orphan ? &m->taken : &m->started) = true;
	}
	if (rc == 0)
		rc = settle_layers(u);
	if (rc == -EINTR)
		up_undo_started(u);
	if (rc)
		up_release_networks(u);
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
	u.machines = calloc(u.n_vms + 1, sizeof(*u.machines));
	rc = u.machines ? bring_up(&u, &condition, clock_now_usec() + seconds * 1000000)
			: error_oom(&cli->err);
	if (rc > 0)
		cli->exit_code = rc;
	free(u.vms);
	free(u.machines);
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
		"is.\nWithout names: every virtual machine that has autostart and is no template. "
		"hvup NAME… is\nthe same.",
	.options = options,
	.max_names = SIZE_MAX,
	.names = CLI_NAMES_VM,
	.run = run,
};
