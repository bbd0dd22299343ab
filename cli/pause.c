/* SPDX-License-Identifier: MIT */
#include "cli/common.h"

static int run(struct cli *cli)
{
	return cli_each_vm(cli, "stop");
}

const struct verb verb_pause = {
	.name = "pause",
	.args = "NAME…",
	.summary = "let the virtual CPUs stand still, at once",
	.min_names = 1,
	.max_names = SIZE_MAX,
	.names = CLI_NAMES_VM,
	.lab = CLI_LAB_OPTIONAL,
	.run = run,
};
