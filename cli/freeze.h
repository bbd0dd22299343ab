/* SPDX-License-Identifier: MIT */
/*
 * File systems of a guest, frozen for a moment by its agent. They are thawed whatever happens:
 * also where this process is killed meanwhile, by a child that waits for nothing else.
 */
#ifndef HV_CLI_FREEZE_H
#define HV_CLI_FREEZE_H

#include "base/guard.h"
#include "cli/agent.h"

struct freeze {
	struct cli *cli;
	const char *vm; /* borrowed */
	struct cli_agent agent;
	struct guard guard; /* thaws them should we be killed */
	unsigned n; /* how many were frozen, as the agent says; a guest that lives in memory has
		       none */
	struct error why_not;
};

void freeze_init(struct freeze *f, struct cli *cli, const char *vm);

/* Whether they are frozen now; where not, why_not says why. Those that somebody else has frozen
 * are left as they are. */
bool freeze_begin(struct freeze *f);
void freeze_end(struct freeze *f);

#endif
