/* SPDX-License-Identifier: MIT */
#include "cli/stop.h"

static int run(struct cli *cli)
{
	return cli_stop_all(cli, "hv-kill", NULL, 30);
}

const struct verb verb_kill = {
	.name = "kill",
	.args = "NAME…",
	.summary = "end virtual machines at once, as if their power was cut",
	.min_names = 1,
	.max_names = SIZE_MAX,
	.names = CLI_NAMES_VM,
	.lab = CLI_LAB_OPTIONAL,
	.run = run,
};
