/* SPDX-License-Identifier: MIT */
/* The program that is installed now, in place of the one that runs: how a keeper is
 * replaced after an update. */
#ifndef HV_CLI_PROGRAM_H
#define HV_CLI_PROGRAM_H

#include "cli/verb.h"

/* Where the program is now that it starts: later another one may lie there. The
 * caller frees it. */
int cli_program_remember(char **ret_path, struct error *err);

/* `hv run NAME` or `hv net run NAME` in this very process, so that its children stay its
 * own and systemd knows it. Every descriptor goes with the old program, and with them its
 * lock. Returns only where that fails, -errno. */
int cli_program_start_anew(struct cli *cli, const char *path, enum paths_kind kind);

#endif
