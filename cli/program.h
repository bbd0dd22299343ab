/* SPDX-License-Identifier: MIT */
/* The program itself: in a process of its own, and, after an update, the one that is installed now
 * in place of the one that runs. */
#ifndef HV_CLI_PROGRAM_H
#define HV_CLI_PROGRAM_H

#include "cli/verb.h"

/* All that main() does. lab is the configuration where it was read already, and taken over; else
 * NULL. */
int cli_program_main(int argc, char **argv, struct lab *lab);

/* The same in a process that is a copy of one in which a verb runs: arg is the struct cli of that
 * verb, whose configuration it goes by, unless that has faults. As program of a struct
 * background_request. */
int cli_program_call(void *arg, int argc, char **argv);

/* Where the program is now that it starts: later another one may lie there. The
 * caller frees it. */
int cli_program_remember(char **ret_path, struct error *err);

/* `hv run NAME` or `hv net run NAME` in this very process, so that its children stay its
 * own and systemd knows it. Every descriptor goes with the old program, and with them its
 * lock. Returns only where that fails, -errno. */
int cli_program_start_anew(struct cli *cli, const char *path, enum paths_kind kind);

#endif
