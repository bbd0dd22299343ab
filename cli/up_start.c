/* SPDX-License-Identifier: MIT */
#include "cli/up_private.h"

#include "base/cleanup.h"
#include "base/str.h"
#include "cli/plan.h"
#include "cli/wait.h"
#include "vmm/network/network.h"

#include <errno.h>
#include <stdlib.h>

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

int up_make_jobs(struct up *u)
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
		left += up_needs_start(&u->machines[i]);
	/* Those first that come after nobody. */
	for (unsigned rank = 0; left; rank++)
		for (size_t i = 0; i < u->n_vms; i++)
			if (up_needs_start(&u->machines[i]) && u->vms[i]->rank == rank) {
				u->jobs[u->n_net_jobs + u->n_vm_jobs++] =
					(struct start_job){.kind = PATHS_VM,
							   .name = u->vms[i]->name,
							   .adopts = u->machines[i].orphan,
							   .begins = u->machines[i].spare,
							   .rc = -ECANCELED};
				left--;
			}
	return 0;
}

void up_release_networks(struct up *u)
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

void up_undo_started(struct up *u)
{
	for (size_t i = 0; i < u->n_vms; i++) {
		struct error err = ERROR_INIT;

		if (u->machines[i].started &&
		    cli_command(u->cli, PATHS_VM, u->vms[i]->name, "hv-kill", NULL, CLI_COMMAND_MS,
				NULL, &err) < 0)
			cli_tell(&err);
	}
}

const struct start_job *up_job_of(const struct up *u, const char *name)
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
		const struct start_job *before = up_job_of(u, vm->after[i].name);

		if (!before || before->rc >= 0)
			continue;
		job->skip = true;
		job->rc = error_set(&job->err, ECANCELED,
				    "vm '%s': not started, for it comes after vm '%s'", vm->name,
				    before->name);
	}
}

int up_start_networks(struct up *u, uint64_t deadline_usec)
{
	return start(u, 0, u->n_net_jobs, deadline_usec);
}

int up_start_machines(struct up *u, uint64_t deadline_usec)
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
