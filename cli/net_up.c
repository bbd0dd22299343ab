/* SPDX-License-Identifier: MIT */
#include "base/cleanup.h"
#include "base/clock.h"
#include "base/str.h"
#include "cli/common.h"
#include "cli/start.h"
#include "cli/wait.h"
#include "vmm/network/network.h"

#include <errno.h>
#include <stdlib.h>

/* One that is up stays up from now on, also without users: also one that a unit
 * started, which was not told on its command line. */
static int keep(struct cli *cli, const char *name)
{
	return cli_command_network(cli, name, "hv-net-keep", NULL, CLI_COMMAND_MS, &cli->err);
}

static int finish(struct cli *cli, struct start_job *job, const struct spec_network *net)
{
	if (job->rc == -EALREADY) {
		job->rc = cli_wait_network(cli, net,
					   clock_now_usec() + (uint64_t)CLI_COMMAND_MS * 1000);
		job->err = cli->err;
	}
	if (job->rc == 0) {
		job->rc = keep(cli, net->name);
		job->err = cli->err;
	}
	if (job->rc < 0) {
		cli_tell(&job->err);
		cli->exit_code = CLI_FAILED;
		return 0;
	}
	(void)printf("%s is up%s\n", net->name, job->ours ? "" : " already");
	return 0;
}

static int run(struct cli *cli)
{
	cleanup_free const struct spec_network **nets = calloc(cli->n_names + 1, sizeof(*nets));
	cleanup_free struct start_job *jobs = calloc(cli->n_names + 1, sizeof(*jobs));
	int rc = nets && jobs ? 0 : error_oom(&cli->err);

	for (size_t i = 0; rc == 0 && i < cli->n_names; i++) {
		rc = cli_find_network(cli, cli->names[i], &nets[i]);
		jobs[i] =
			(struct start_job){.kind = PATHS_NET, .name = cli->names[i], .keep = true};
	}
	if (rc == 0)
		rc = cli_start_all(cli, jobs, cli->n_names);
	for (size_t i = 0; rc == 0 && i < cli->n_names; i++)
		rc = finish(cli, &jobs[i], nets[i]);
	return rc;
}

const struct verb verb_net_up = {
	.name = "net up",
	.args = "NAME…",
	.summary = "bring networks up and keep them until net down",
	.text = "A network that hv up brings along for a virtual machine goes with its last user; one "
		"that was\nbrought up by this verb stays.",
	.min_names = 1,
	.max_names = SIZE_MAX,
	.names = CLI_NAMES_NETWORK,
	.run = run,
};
