/* SPDX-License-Identifier: MIT */
#include "cli/common.h"

#include "base/interrupt.h"
#include "vmm/snapshot/snapshot.h"

enum { OPT_IMAGES, OPT_REPAIR };

static const struct cli_option options[] = {
	[OPT_IMAGES] = {"images", 0, NULL, "look at the machines' images and snapshots, too",
			false},
	[OPT_REPAIR] = {"repair", 0, NULL, "clear away what was never complete", false},
	{0},
};

struct finding {
	const char *vm;
	size_t n_left;
};

static void on_fault(enum snapshot_fault fault, const char *text, bool repaired, void *arg)
{
	struct finding *f = arg;
	struct error err = ERROR_INIT;

	(void)error_set(&err, 1, "vm '%s': %s%s", f->vm, text, repaired ? " (cleared away)" : "");
	cli_tell(&err);
	/* What others keep in an image is theirs. */
	f->n_left += !repaired && fault != SNAPSHOT_FAULT_FOREIGN;
}

static int check_images(struct cli *cli, const struct spec_vm *vm, bool repair)
{
	struct finding f = {.vm = vm->name};
	sigset_t before;
	int rc;

	interrupt_hold(&before);
	rc = snapshot_check(&cli->paths, vm, repair, on_fault, &f, &cli->err);
	interrupt_release(&before);
	if (rc < 0) {
		(void)error_wrap(&cli->err, rc, "vm '%s'", vm->name);
		cli_tell(&cli->err);
		f.n_left++;
	}
	if (f.n_left)
		cli->exit_code = CLI_FAILED;
	else
		(void)printf("%s: images and snapshots are whole\n", vm->name);
	return 0;
}

static int check_all_images(struct cli *cli, bool repair)
{
	for (size_t i = 0; i < cli->n_names; i++) {
		const struct spec_vm *vm;
		int rc = cli_find_vm(cli, cli->names[i], &vm);

		if (rc == 0)
			rc = check_images(cli, vm, repair);
		if (rc < 0)
			return rc;
	}
	for (size_t i = 0; !cli->n_names && i < cli->lab->n_vms; i++)
		(void)check_images(cli, &cli->lab->vms[i], repair);
	return 0;
}

static int run(struct cli *cli)
{
	bool images = cli->values[OPT_IMAGES] != NULL, repair = cli->values[OPT_REPAIR] != NULL;

	if ((repair || cli->n_names) && !images)
		return cli_usage(cli, &verb_check, "--repair and names go with --images");
	if (images)
		return check_all_images(cli, repair);
	(void)printf("%s: %zu network%s, %zu pool%s, %zu virtual machine%s, no fault\n",
		     cli->paths.config, cli->lab->n_networks, cli->lab->n_networks == 1 ? "" : "s",
		     cli->lab->n_pools, cli->lab->n_pools == 1 ? "" : "s", cli->lab->n_vms,
		     cli->lab->n_vms == 1 ? "" : "s");
	return 0;
}

const struct verb verb_check = {
	.name = "check",
	.args = "[NAME…]",
	.summary = "validate the configuration; tells every fault with file, line and column",
	.text = "With --images it looks at what the machines keep: snapshots that were never complete "
		"or lack a\npart, and images that are damaged. --repair clears away what a crash left. "
		"Snapshots that\nsomebody else made in an image are told and left alone, and images "
		"that clones lie on are only\nlooked at.",
	.options = options,
	.max_names = SIZE_MAX,
	.names = CLI_NAMES_VM,
	.run = run,
};
