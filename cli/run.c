/* SPDX-License-Identifier: MIT */
#include "cli/common.h"

#include "cli/program.h"
#include "vmm/keeper.h"

#include <stdlib.h>

enum { OPT_READY_FD, OPT_RECORD, OPT_RECORD_ALL };

static const struct cli_option options[] = {
	[OPT_READY_FD] = {"ready-fd", 0, "FD", "tell there when the guest runs", true},
	[OPT_RECORD] =
		{"record", 0, NULL,
		 "count the system calls beyond QEMU's and swtpm's profiles, and allow them"},
	[OPT_RECORD_ALL] = {"record-all", 0, NULL, "count all of their system calls", true},
	{0},
};

static int run(struct cli *cli)
{
	struct keeper_options o = {.paths = &cli->paths, .ready_fd = -1};
	char *program = NULL;
	uint64_t fd;
	int rc;

	if (!cli_number(cli, &verb_run, OPT_READY_FD, 1000, 0, &fd))
		return 0;
	if (cli->values[OPT_READY_FD])
		o.ready_fd = (int)fd;
	if (cli->values[OPT_RECORD])
		o.watch = JAIL_WATCH_BEYOND;
	if (cli->values[OPT_RECORD_ALL])
		o.watch = JAIL_WATCH_ALL;
	rc = cli_find_vm(cli, cli->names[0], &o.vm);
	/* What others are given is nothing that this process has to know. */
	for (size_t i = 0; rc == 0 && i < cli->lab->n_vms; i++)
		if (&cli->lab->vms[i] != o.vm)
			spec_credentials_wipe(&cli->lab->vms[i]);
	if (rc == 0)
		rc = cli_program_remember(&program, &cli->err);
	if (rc == 0)
		rc = keeper_run(&o, &cli->err);
	if (rc == KEEPER_AGAIN)
		rc = cli_program_start_anew(cli, program, PATHS_VM);
	free(program);
	if (rc < 0)
		cli_notify_failure(&cli->err);
	return rc;
}

const struct verb verb_run = {
	.name = "run",
	.args = "NAME",
	.summary = "keep a virtual machine in the foreground",
	.text = "Starts the machine, or takes over one whose keeper was killed, and stays until "
		"it has\nended. Its networks have to be up. Tells systemd when the guest runs. SIGTERM "
		"asks the guest\nto shut down and ends it when its stop_timeout is over; a second one "
		"ends it at once.",
	.options = options,
	.min_names = 1,
	.max_names = 1,
	.names = CLI_NAMES_VM,
	.run = run,
};
