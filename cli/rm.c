/* SPDX-License-Identifier: MIT */
#include "base/cleanup.h"
#include "base/str.h"
#include "cli/stop.h"
#include "disk/record.h"
#include "vmm/layers/layers.h"
#include "vmm/machines.h"
#include "vmm/rundir.h"
#include "vmm/volumes/volume_users.h"

#include <errno.h>
#include <unistd.h>

enum { OPT_FORCE, KILL_S = 30 };

static const struct cli_option options[] = {
	[OPT_FORCE] = {"force", 'f', NULL, "also those that are up: they are killed first", false},
	{0},
};

/* Whether it goes in this call, too. */
static bool is_named(const struct cli *cli, const char *name)
{
	for (size_t i = 0; i < cli->n_names; i++)
		if (str_eq(cli->names[i], name))
			return true;
	return false;
}

/* Others that are like it would have nothing to be like any more. */
static int check_likes(struct cli *cli, const char *name)
{
	for (size_t i = 0; i < cli->lab->n_vms; i++) {
		const struct spec_vm *vm = &cli->lab->vms[i];

		if (vm->like && str_eq(vm->like, name) && !is_named(cli, vm->name))
			return error_set(&cli->err, EBUSY, "vm '%s' is like it (%s:%u)", vm->name,
					 vm->where.file, vm->where.line);
	}
	return 0;
}

/* Who else has a disk on one of its own. */
static int check_clones(struct cli *cli, const struct spec_disk *disk)
{
	cleanup_strv struct strv clones = {0};
	int rc = disk->read_only ? 0
				 : volume_clones_find(&cli->paths, cli->lab, disk->path, &clones,
						      &cli->err);
	bool others = false;

	for (size_t i = 0; i < clones.n; i++) {
		const char *name = str_after(clones.v[i], "vm '");
		cleanup_free char *vm = name ? strndup(name, strlen(name) - 1) : NULL;

		others = others || !vm || !is_named(cli, vm);
	}
	return rc < 0 || !others
		       ? rc
		       : volume_check_clones(&cli->paths, cli->lab, disk->path, &cli->err);
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
		rc = check_clones(cli, &vm->disks[i]);
	return error_wrap_if(&cli->err, rc, "vm '%s'", name);
}

/* Whether a disk still lies on one of its own: that one goes first. */
static bool is_base(struct cli *cli, const char *name)
{
	const struct spec_vm *vm = lab_find_vm(cli->lab, name);

	for (size_t i = 0; vm && i < vm->n_disks; i++)
		if (!vm->disks[i].read_only &&
		    volume_check_clones(&cli->paths, cli->lab, vm->disks[i].path, &cli->err) < 0)
			return true;
	return false;
}

/* Adds what the image lies on. */
static int add_below(struct cli *cli, const char *path, struct strv *paths)
{
	cleanup_disk_record struct disk_record record = {0};
	char *below;
	int rc = disk_record_read(path, &record, &cli->err);

	if (rc < 0 || !record.backing)
		return rc;
	below = disk_record_resolve(path, record.backing);
	if (!below)
		return error_oom(&cli->err);
	strv_take(paths, below);
	return paths->failed ? error_oom(&cli->err) : 0;
}

/* What goes with it: lower layers that are its own, and what nobody else needs of that which they
 * and its disks lie on. */
static int find_layers(struct cli *cli, const char *name, struct strv *own, struct strv *below)
{
	const struct spec_vm *vm = cli->lab ? lab_find_vm(cli->lab, name) : NULL;
	int rc = vm ? layers_find_own(&cli->paths, cli->lab, vm, own, &cli->err) : 0;

	for (size_t i = 0; rc == 0 && vm && i < vm->n_disks; i++)
		if (!vm->disks[i].read_only)
			rc = add_below(cli, vm->disks[i].path, below);
	for (size_t i = 0; rc == 0 && i < own->n; i++)
		rc = add_below(cli, own->v[i], below);
	return rc;
}

static int remove_layer(const char *path, struct error *err)
{
	if (unlink(path) < 0 && errno != ENOENT)
		return error_errno(err, errno, "remove '%s'", path);
	return disk_record_remove(path, err);
}

static bool remove_one(struct cli *cli, const char *name)
{
	cleanup_strv struct strv own = {0}, below = {0};
	int rc = find_layers(cli, name, &own, &below);

	if (rc == 0)
		rc = machine_remove(&cli->paths, name, &cli->err);
	for (size_t i = 0; rc == 0 && i < own.n; i++)
		rc = remove_layer(own.v[i], &cli->err);
	for (size_t i = 0; rc == 0 && i < below.n; i++)
		rc = layers_drop(&cli->paths, cli->lab, below.v[i], NULL, &cli->err);
	if (rc == 0) {
		(void)printf("%s is removed\n", name);
		return true;
	}
	cli_tell(&cli->err);
	cli->exit_code = CLI_FAILED;
	return false;
}

/* Those first on which nothing lies, whatever the order of the names. */
static int remove_all(struct cli *cli)
{
	cleanup_free bool *done = calloc(cli->n_names + 1, sizeof(*done));
	bool any = true;

	if (!done)
		return error_oom(&cli->err);
	while (any) {
		any = false;
		for (size_t i = 0; i < cli->n_names; i++) {
			if (done[i] || is_base(cli, cli->names[i]))
				continue;
			done[i] = true;
			any = remove_one(cli, cli->names[i]) || any;
		}
	}
	for (size_t i = 0; i < cli->n_names; i++)
		if (!done[i] && is_base(cli, cli->names[i]))
			return -cli->err.code;
	return 0;
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
	return remove_all(cli);
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
