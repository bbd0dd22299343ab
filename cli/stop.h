/* SPDX-License-Identifier: MIT */
/* Ending several VMs side by side, for down and kill. */
#ifndef HV_CLI_STOP_H
#define HV_CLI_STOP_H

#include "cli/common.h"

/*
 * Sends command with args (borrowed, may be NULL) to every VM named and waits
 * until each has answered, which it does when all of it is gone. One that is
 * not up is said to be so and is no failure. At most seconds for all; 0: for
 * ever.
 */
int cli_stop_all(struct cli *cli, const char *command, json_t *args, uint64_t seconds);

#endif
