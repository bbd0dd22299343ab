/* SPDX-License-Identifier: MIT */
#include "cli/common.h"

#include "vmm/supervisor.h"

enum { OPT_READY_FD };

static const struct cli_option options[] = {
	[OPT_READY_FD] = {"ready-fd", 0, "FD", "tell there when the guest runs", true},
	{0},
};

static int run(struct cli *cli)
{
	struct supervisor_options o = {.paths = &cli->paths, .ready_fd = -1};
	uint64_t fd;
	int rc;

	if (!cli_number(cli, &verb_run, OPT_READY_FD, 1000, 0, &fd))
		return 0;
	if (cli->values[OPT_READY_FD])
		o.ready_fd = (int)fd;
	rc = cli_find_vm(cli, cli->names[0], &o.vm);
	return rc < 0 ? rc : supervisor_run(&o, &cli->err);
}

const struct verb verb_run = {
	.name = "run",
	.args = "NAME",
	.summary = "supervise a virtual machine in the foreground",
	.text = "Starts the machine, or takes over one whose supervisor was killed, and stays until "
		"it has\nended. Its networks have to be up. Tells systemd when the guest runs. SIGTERM "
		"asks the guest\nto shut down, a second one ends it at once.",
	.options = options,
	.min_names = 1,
	.max_names = 1,
	.names = CLI_NAMES_VM,
	.run = run,
};
