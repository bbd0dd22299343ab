/* SPDX-License-Identifier: MIT */
/* Bringing machines up: up.c (the verb, and one try after another), up_look.c (what there is, and
 * whether it can be), up_start.c (the networks and machines, in their order). */
#ifndef HV_CLI_UP_PRIVATE_H
#define HV_CLI_UP_PRIVATE_H

#include "cli/common.h"
#include "cli/start.h"
#include "vmm/host.h"
#include "vmm/states.h"

/* What was found of a machine before anything was done, and what this call did. */
struct up_machine {
	enum vm_state found;
	bool orphan; /* QEMU runs without a supervisor */
	bool saved; /* it was suspended to disk */
	bool spare; /* it waits, and has to begin only */
	bool unclean; /* it is to start: its last supervisor did not end in order */
	bool started, taken; /* by this call; taken over by it */
};

struct up {
	struct cli *cli;
	struct host host;
	const struct spec_vm **vms; /* the lab's; the array is ours */
	size_t n_vms;
	struct up_machine *machines; /* of each */
	const struct spec_network **nets;
	struct start_job *jobs; /* first of the networks, then of the VMs */
	size_t n_net_jobs, n_vm_jobs;
	unsigned tries_left;
	bool probed, told_slow;
};

/* From nothing, or from what another supervisor left. */
bool up_needs_making(const struct up_machine *m);
/* The same, or a spare that has to begin. */
bool up_needs_start(const struct up_machine *m);

/* What each machine is now. One that shuts down is waited for; a spare that does not fit any more
 * is ended. */
int up_look(struct up *u, uint64_t deadline_usec);

/* Tells every fault of what is to be made; nothing was touched by then. */
int up_inspect(struct up *u);

/* What has to be started: u->nets and u->jobs. */
int up_make_jobs(struct up *u);

/* The job that starts a VM; NULL where it was up. */
const struct start_job *up_job_of(const struct up *u, const char *name);

/* Start what there are jobs for, and tell each failure once: exit status, or -errno. -EAGAIN:
 * better luck next time. */
int up_start_networks(struct up *u, uint64_t deadline_usec);
/* Those of one rank side by side; each later rank when the one before runs. */
int up_start_machines(struct up *u, uint64_t deadline_usec);

/* What an interrupted call has brought up already goes again; a machine that it
 * only took over does not. */
void up_undo_started(struct up *u);
/* Lets networks go that this call brought up and nobody uses. */
void up_release_networks(struct up *u);

#endif
