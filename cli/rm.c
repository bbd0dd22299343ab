/* SPDX-License-Identifier: MIT */
#include "base/cleanup.h"
#include "base/str.h"
#include "cli/stop.h"
#include "vmm/machines.h"
#include "vmm/rundir.h"
#include "vmm/volume_users.h"

#include <errno.h>

enum { OPT_FORCE, KILL_S = 30 };

static const struct cli_option options[] = {
	[OPT_FORCE] = {"force", 'f', NULL, "also those that are up: they are killed first", false},
	{0},
};

/* Others that are like it would have nothing to be like any more. */
static int check_likes(struct cli *cli, const char *name)
{
	for (size_t i = 0; i < cli->lab->n_vms; i++) {
		const struct spec_vm *vm = &cli->lab->vms[i];

		if (vm->like && str_eq(vm->like, name))
			return error_set(&cli->err, EBUSY, "vm '%s' is like it (%s:%u)", vm->name,
					 vm->where.file, vm->where.line);
	}
	return 0;
}

static int check(struct cli *cli, const char *name)
{
	const struct spec_vm *vm = lab_find_vm(cli->lab, name);
	int rc = 0;

	if (!machine_is_made(&cli->paths, name))
		return vm ? error_set(&cli->err, EPERM,
				      "vm '%s' is not one that hv made: take it out of the "
				      "configuration (%s:%u)",
				      name, vm->where.file, vm->where.line)
			  : cli_find_vm(cli, name, &vm);
	/* What a broken configuration hides cannot be looked at. */
	if (!vm)
		return 0;
	rc = check_likes(cli, name);
	for (size_t i = 0; rc == 0 && i < vm->n_disks; i++)
		if (!vm->disks[i].read_only)
			rc = volume_check_clones(cli->lab, vm->disks[i].path, &cli->err);
	return error_wrap_if(&cli->err, rc, "vm '%s'", name);
}

/* Kills those of them that are up. */
static int kill_all(struct cli *cli)
{
	cleanup_free char **up = calloc(cli->n_names + 1, sizeof(*up));
	char *const *names = cli->names;
	size_t n_names = cli->n_names, n_up = 0;
	int rc = up ? 0 : error_oom(&cli->err);

	for (size_t i = 0; rc == 0 && i < n_names; i++) {
		enum rundir_state state;

		rundir_settle(&cli->paths, PATHS_VM, names[i]);
		rc = rundir_look(&cli->paths, PATHS_VM, names[i], &state, &cli->err);
		if (rc == 0 && state != RUNDIR_NONE)
			up[n_up++] = names[i];
	}
	if (rc < 0 || !n_up)
		return rc;
	cli->names = up;
	cli->n_names = n_up;
	rc = cli_stop_all(cli, "hv-kill", NULL, KILL_S);
	cli->names = names;
	cli->n_names = n_names;
	return rc;
}

static int run(struct cli *cli)
{
	int rc = 0;

	for (size_t i = 0; rc == 0 && i < cli->n_names; i++)
		rc = check(cli, cli->names[i]);
	if (rc == 0 && cli->values[OPT_FORCE])
		rc = kill_all(cli);
	if (rc < 0)
		return rc;
	for (size_t i = 0; i < cli->n_names; i++) {
		rc = machine_remove(&cli->paths, cli->names[i], &cli->err);
		if (rc < 0) {
			cli_tell(&cli->err);
			cli->exit_code = CLI_FAILED;
			continue;
		}
		(void)printf("%s is removed\n", cli->names[i]);
	}
	return 0;
}

const struct verb verb_rm = {
	.name = "rm",
	.args = "NAME…",
	.summary = "remove virtual machines that hv made, with their disks and state",
	.text = "Only what hv itself made, as by clone, is removed so: with its volumes, its NVRAM, its "
		"TPM and\nits logs. A virtual machine of the configuration is taken out of there by "
		"whoever wrote it.",
	.options = options,
	.min_names = 1,
	.max_names = SIZE_MAX,
	.names = CLI_NAMES_VM,
	.lab = CLI_LAB_OPTIONAL,
	.run = run,
};
