/* SPDX-License-Identifier: MIT */
#include "cli/common.h"

#include "cli/program.h"
#include "vmm/network/network.h"

#include <stdlib.h>

enum { OPT_KEEP, OPT_READY_FD };

static const struct cli_option options[] = {
	[OPT_KEEP] = {"keep", 'k', NULL, "stay without users", false},
	[OPT_READY_FD] = {"ready-fd", 0, "FD", "tell there when it is up", true},
	{0},
};

static int run(struct cli *cli)
{
	struct network_options o = {
		.paths = &cli->paths,
		.lab = cli->lab,
		.keep = cli->values[OPT_KEEP] != NULL,
		.ready_fd = -1,
	};
	char *program = NULL;
	uint64_t fd;
	int rc;

	if (!cli_number(cli, &verb_net_run, OPT_READY_FD, 1000, 0, &fd))
		return 0;
	if (cli->values[OPT_READY_FD])
		o.ready_fd = (int)fd;
	/* What machines are given is nothing that this process has to know. */
	lab_credentials_wipe(cli->lab, NULL);
	rc = cli_find_network(cli, cli->names[0], &o.net);
	if (rc == 0)
		rc = cli_program_remember(&program, &cli->err);
	if (rc == 0)
		rc = network_run(&o, &cli->err);
	if (rc == NETWORK_AGAIN)
		rc = cli_program_start_anew(cli, program, PATHS_NET);
	free(program);
	if (rc < 0)
		cli_notify_failure(&cli->err);
	return rc;
}

const struct verb verb_net_run = {
	.name = "net run",
	.args = "NAME",
	.summary = "supervise a network in the foreground",
	.text = "Makes bridge, rules and dnsmasq and stays until it is told to end; then it undoes "
		"them.\nWithout --keep it ends when its last virtual machine has gone.",
	.options = options,
	.min_names = 1,
	.max_names = 1,
	.names = CLI_NAMES_NETWORK,
	.run = run,
};
