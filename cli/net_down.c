/* SPDX-License-Identifier: MIT */
#include "cli/common.h"

#include "base/cleanup.h"

#include <errno.h>

enum { OPT_FORCE };

static const struct cli_option options[] = {
	[OPT_FORCE] = {"force", 'f', NULL, "also where virtual machines use it: they are cut off",
		       false},
	{0},
};

static int down(struct cli *cli, const char *name)
{
	struct child supervisor = CHILD_INIT;
	int rc = cli_adopt_network(cli, name);

	if (rc < 0)
		return rc;
	(void)cli_find_supervisor(cli, PATHS_NET, name, &supervisor);
	rc = cli_command_network(cli, name, "hv-net-down",
				 json_pack("{s:b}", "force", cli->values[OPT_FORCE] != NULL),
				 CLI_COMMAND_MS, &cli->err);
	if (rc < 0)
		close_fd(&supervisor.pidfd);
	cli_await_supervisor(&supervisor);
	return rc;
}

static int run(struct cli *cli)
{
	for (size_t i = 0; i < cli->n_names; i++) {
		const struct spec_network *net;
		int rc = cli_find_network(cli, cli->names[i], &net);

		if (rc < 0)
			return rc;
	}
	for (size_t i = 0; i < cli->n_names; i++) {
		int rc = down(cli, cli->names[i]);

		/* One that just went by itself hangs up. */
		if (rc == -ENOTCONN || rc == -ECONNRESET) {
			(void)printf("%s is not up\n", cli->names[i]);
		} else if (rc < 0) {
			cli_tell(&cli->err);
			cli->exit_code = CLI_FAILED;
		} else {
			(void)printf("%s is down\n", cli->names[i]);
		}
	}
	return 0;
}

const struct verb verb_net_down = {
	.name = "net down",
	.args = "NAME…",
	.summary = "take networks down; one that is in use is refused",
	.options = options,
	.min_names = 1,
	.max_names = SIZE_MAX,
	.names = CLI_NAMES_NETWORK,
	.run = run,
};
