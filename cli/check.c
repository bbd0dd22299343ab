/* SPDX-License-Identifier: MIT */
#include "cli/common.h"

#include "base/interrupt.h"
#include "base/str.h"
#include "vmm/fork/prepared.h"
#include "vmm/host.h"
#include "vmm/layers/layers.h"
#include "vmm/snapshot/snapshot.h"

#include <errno.h>

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

/* Layers that are there for nobody are no fault: they go when somebody wants it, for that copies.
 */
static void check_layer(struct cli *cli, const struct spec_vm *vm, const char *tag, bool repair)
{
	struct prepared_unfinished states = {0};
	struct error why = ERROR_INIT, err = ERROR_INIT;
	struct host host = {0};
	int rc = repair ? prepared_sweep(&cli->paths, false, &states, &why) : -ECANCELED;

	/* Its layers are not written down yet. */
	if (rc == 0 && states.n_under_way)
		rc = error_set(&why, EBUSY, "a state is being made");
	if (rc == 0) {
		host_probe(&host);
		rc = layers_commit(&(struct layers_request){.paths = &cli->paths,
							    .host = &host,
							    .lab = cli->lab,
							    .vm = vm,
							    .tag = tag},
				   &why);
		host_free(&host);
	}
	if (rc == 0)
		(void)error_set(&err, 1,
				"vm '%s': its disks had a layer '%s' of a fork or a state that is "
				"gone (folded in)",
				vm->name, tag);
	else
		(void)error_set(&err, 1,
				"vm '%s': its disks have a layer '%s' of a fork or a state that is "
				"gone; %s%shv snap commit %s %s folds it in",
				vm->name, tag, repair ? why.text : "", repair ? "; " : "", vm->name,
				tag);
	cli_tell(&err);
}

static int check_layers(struct cli *cli, const struct spec_vm *vm, bool repair)
{
	cleanup_strv struct strv tags = {0};
	int rc = layers_find_unused(&cli->paths, cli->lab, vm, &tags, &cli->err);

	for (size_t i = 0; rc == 0 && i < tags.n; i++)
		check_layer(cli, vm, tags.v[i], repair);
	return rc;
}

static int check_images(struct cli *cli, const struct spec_vm *vm, bool repair)
{
	struct finding f = {.vm = vm->name};
	sigset_t before;
	int rc;

	interrupt_hold(&before);
	rc = snapshot_check(&cli->paths, vm, repair, on_fault, &f, &cli->err);
	if (rc == 0)
		rc = check_layers(cli, vm, repair);
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

static int check_states(struct cli *cli, bool repair)
{
	struct prepared_unfinished found;
	int rc = prepared_sweep(&cli->paths, repair, &found, &cli->err);
	struct error err = ERROR_INIT;

	if (rc < 0 || !found.n_left)
		return rc;
	(void)error_set(
		&err, 1, "%zu state%s of a fork or of hv state save %s never complete%s",
		found.n_left, found.n_left == 1 ? "" : "s", found.n_left == 1 ? "was" : "were",
		repair ? " (cleared away)" : " (hv check --images --repair clears it away)");
	cli_tell(&err);
	if (!repair)
		cli->exit_code = CLI_FAILED;
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
	return cli->n_names ? 0 : check_states(cli, repair);
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
		"that clones lie on are only\nlooked at. A layer that was made for a fork or a state and "
		"that nobody else lies on any more is\ntold, and folded in by --repair.",
	.options = options,
	.max_names = SIZE_MAX,
	.names = CLI_NAMES_VM,
	.run = run,
};
