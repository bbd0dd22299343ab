/* SPDX-License-Identifier: MIT */
#include "cli/common.h"

static int run(struct cli *cli)
{
	return cli_each_vm(cli, "cont");
}

const struct verb verb_resume = {
	.name = "resume",
	.args = "NAME…",
	.summary = "let paused virtual CPUs run again",
	.min_names = 1,
	.max_names = SIZE_MAX,
	.names = CLI_NAMES_VM,
	.lab = CLI_LAB_OPTIONAL,
	.run = run,
};
