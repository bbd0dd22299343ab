/* SPDX-License-Identifier: MIT */
#include "cli/common.h"

static int run(struct cli *cli)
{
	(void)printf("%s: %zu network%s, %zu pool%s, %zu virtual machine%s, no fault\n",
		     cli->paths.config, cli->lab->n_networks, cli->lab->n_networks == 1 ? "" : "s",
		     cli->lab->n_pools, cli->lab->n_pools == 1 ? "" : "s", cli->lab->n_vms,
		     cli->lab->n_vms == 1 ? "" : "s");
	return 0;
}

const struct verb verb_check = {
	.name = "check",
	.args = "",
	.summary = "validate the configuration; tells every fault with file, line and column",
	.run = run,
};
