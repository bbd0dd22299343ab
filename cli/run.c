/* SPDX-License-Identifier: MIT */
#include "cli/common.h"

#include "base/cleanup.h"
#include "cli/program.h"
#include "cli/spares.h"
#include "vmm/json.h"
#include "vmm/keeper/keeper.h"
#include "vmm/rundir.h"

#include <stdlib.h>

enum { OPT_READY_FD, OPT_RECORD, OPT_RECORD_ALL, OPT_SPARE };

static const struct cli_option options[] = {
	[OPT_READY_FD] = {"ready-fd", 0, "FD", "tell there when the guest runs", true},
	[OPT_RECORD] =
		{"record", 0, NULL,
		 "count the system calls beyond QEMU's and swtpm's profiles, and allow them"},
	[OPT_RECORD_ALL] = {"record-all", 0, NULL, "count all of their system calls", true},
	[OPT_SPARE] = {"spare", 0, NULL, "wait before the guest begins", true},
	{0},
};

/* One that waits is not up for whoever asks for this: a unit, say. */
static int end_spare(struct cli *cli, const struct spec_vm *vm)
{
	cleanup_json json_t *status = NULL;
	bool served;
	int rc = rundir_read_status(&cli->paths, PATHS_VM, vm->name, &status, &served, &cli->err);

	return rc == 0 && served && cli_spare_waits(status) ? cli_spare_end(cli, vm->name) : rc;
}

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
	o.spare = cli->values[OPT_SPARE] != NULL;
	rc = cli_find_vm(cli, cli->names[0], &o.vm);
	if (rc == 0 && !o.spare)
		rc = end_spare(cli, o.vm);
	/* What others are given is nothing that this process has to know. */
	lab_credentials_wipe(cli->lab, o.vm);
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
		"it has\nended. One that waits as a spare is ended first. Its networks have to be up. "
		"Tells systemd when\nthe guest runs. SIGTERM asks the guest to shut down and ends it "
		"when its stop_timeout is over; a\nsecond one ends it at once.",
	.options = options,
	.min_names = 1,
	.max_names = 1,
	.names = CLI_NAMES_VM,
	.run = run,
};
