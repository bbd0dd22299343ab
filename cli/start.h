/* SPDX-License-Identifier: MIT */
/* Starting supervisors side by side, for up and net up. */
#ifndef HV_CLI_START_H
#define HV_CLI_START_H

#include "cli/verb.h"

struct start_job {
	enum paths_kind kind;
	const char *name; /* borrowed */
	bool keep; /* of a network: stays without users */
	bool skip; /* not to be started after all; rc and err say why */
	bool spare; /* of a VM: it is to wait as one */
	bool begins; /* it waits as one, and is told to begin */
	bool adopts; /* what it supervises runs already, and outlives an interrupt */
	/* What became of it. */
	bool ours; /* this call started it, and it is up */
	int rc; /* -EALREADY: somebody else starts it just now */
	struct error err;
};

/*
 * Starts a supervisor for every job and waits until each is ready or has
 * failed; what became of it is in the job. -EINTR where the user interrupted:
 * then what still started was ended, and has cleaned up after itself.
 */
int cli_start_all(struct cli *cli, struct start_job *jobs, size_t n);

/* The same for one; its failure is the result, and in cli->err. */
int cli_start_one(struct cli *cli, struct start_job *job);

#endif
