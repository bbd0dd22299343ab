/* SPDX-License-Identifier: MIT */
#include "base/cleanup.h"
#include "base/clock.h"
#include "base/str.h"
#include "cli/common.h"
#include "cli/snap.h"
#include "cli/wait.h"
#include "vmm/layers/machine_images.h"
#include "vmm/snapshot/suspend.h"

#include <errno.h>
#include <stdlib.h>

enum { OPT_JSON, OPT_BY_KEEPER };

static const struct cli_option options[] = {
	[OPT_JSON] = {"json", 'j', NULL, "progress and result as lines of JSON", false},
	[OPT_BY_KEEPER] = {"by-keeper", 0, NULL, "the machine's end is not waited for", true},
	{0},
};

enum { END_SECONDS = 60 };

/* QEMU was told to end; when this returns, all of the machine has gone. */
static int await_end(struct cli *cli, const struct spec_vm *vm, struct child *supervisor)
{
	const struct wait_condition down = {.what = WAIT_DOWN};
	int rc = cli_wait_vm(cli, vm, &down, true,
			     clock_now_usec() + (uint64_t)END_SECONDS * 1000000);

	cli_await_supervisor(supervisor);
	return rc;
}

/* Rather than end what another verb does at its disks; when the host goes down that ends anyhow. */
static int hold_images(struct cli *cli, const char *name, int *ret_fd)
{
	int rc = cli->values[OPT_BY_KEEPER]
			 ? 0
			 : machine_images_lock(&cli->paths, name, ret_fd, &cli->err);

	/* Of one that is not up more is said later. */
	return rc == -ENOENT ? 0 : rc;
}

static int save_one(struct cli *cli, const char *name)
{
	struct child supervisor = CHILD_INIT;
	cleanup_close int images_fd = -1;
	bool json = cli->values[OPT_JSON] != NULL;
	struct snapshot_outcome outcome = {.stopped = true};
	char size[32];
	struct snap s;
	int rc;

	rc = snap_begin(&s, cli, "save", name, name, json);
	if (rc < 0) {
		snap_end(&s);
		return rc;
	}
	(void)cli_find_supervisor(cli, PATHS_VM, s.request.vm->name, &supervisor);
	rc = hold_images(cli, name, &images_fd);
	if (rc == 0)
		rc = suspend_save(&s.request, &outcome.memory_bytes, &cli->err);
	close_fd(&images_fd);
	bar_end(&s.bar);
	if (rc == 0 && !cli->values[OPT_BY_KEEPER])
		rc = await_end(cli, s.request.vm, &supervisor);
	snap_end(&s);
	close_fd(&supervisor.pidfd);
	if (rc < 0)
		return error_wrap(&cli->err, rc, "vm '%s'", name);
	if (json)
		return snap_print_done(&s, &outcome);
	str_format_size(size, sizeof(size), outcome.memory_bytes);
	(void)printf("%s is saved, %s\n", name, size);
	return 0;
}

static int run(struct cli *cli)
{
	const struct spec_vm *vm;

	/* A name that is none is told before anything is done. */
	for (size_t i = 0; i < cli->n_names; i++) {
		int rc = cli_find_any_vm(cli, cli->names[i], &vm);

		if (rc < 0)
			return rc;
	}
	for (size_t i = 0; i < cli->n_names; i++) {
		int rc = save_one(cli, cli->names[i]);

		if (rc < 0) {
			cli_tell(&cli->err);
			cli->exit_code = CLI_FAILED;
		}
		/* Who interrupts means those behind it, too. */
		if (rc == -EINTR)
			break;
	}
	return 0;
}

const struct verb verb_save = {
	.name = "save",
	.args = "NAME…",
	.summary = "suspend machines to disk; hv up resumes them",
	.text = "Memory and TPM go into a file, and the machine ends. The next hv up brings the guest "
		"back to\nwhere it was, and the file goes when it runs. Disks stay as they are, so "
		"what was saved is void\nonce somebody writes to them. Ctrl-C leaves the machine "
		"running.",
	.options = options,
	.min_names = 1,
	.max_names = SIZE_MAX,
	.names = CLI_NAMES_VM,
	.run = run,
};
