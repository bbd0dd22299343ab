/* SPDX-License-Identifier: MIT */
#include "cli/common.h"

static int run(struct cli *cli)
{
	return cli_each_vm(cli, "system_reset");
}

const struct verb verb_reset = {
	.name = "reset",
	.args = "NAME…",
	.summary = "press the reset button",
	.min_names = 1,
	.max_names = SIZE_MAX,
	.names = CLI_NAMES_VM,
	.lab = CLI_LAB_OPTIONAL,
	.run = run,
};
