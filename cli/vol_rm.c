/* SPDX-License-Identifier: MIT */
#include "base/cleanup.h"
#include "base/str.h"
#include "cli/common.h"
#include "disk/frozen.h"
#include "disk/record.h"
#include "vmm/machine_hold.h"
#include "vmm/rundir.h"
#include "vmm/volumes/volume_users.h"
#include "vmm/volumes/volumes.h"

#include <errno.h>

enum { OPT_FORCE };

static const struct cli_option options[] = {
	[OPT_FORCE] = {"force", 'f', NULL, "also one that the configuration names", false},
	{0},
};

/* Somebody has it open now: nothing helps against that. */
static int check_idle(const struct volume *volume, struct error *err)
{
	struct disk_info info = {.in_use = false};
	cleanup_close int fd = -1;
	int rc = disk_open(volume->path, true, &fd, err);

	/* Whatever lies in it: it is only to go. */
	if (rc == 0)
		rc = disk_examine(fd, DISK_FORMAT_RAW, NULL, &info, err);
	if (rc == 0 && info.in_use)
		rc = error_set(err, EBUSY, "'%s' is in use", volume->path);
	return rc;
}

static int check_users(struct cli *cli, const struct volume *volume)
{
	cleanup_strbuf struct strbuf names = {0};
	cleanup_strv struct strv users = {0};

	volume_users_find(cli->lab, volume->path, &users);
	for (size_t i = 0; i < users.n; i++) {
		int rc = rundir_check_held(&cli->paths, PATHS_VM, users.v[i], &cli->err);

		if (rc < 0)
			return error_wrap(&cli->err, rc, "vm '%s'", users.v[i]);
		rc = machine_check_saved(&cli->paths, lab_find_vm(cli->lab, users.v[i]), &cli->err);
		if (rc < 0)
			return rc;
		strbuf_addf(&names, "%s'%s'", i ? ", " : "", users.v[i]);
	}
	if (!users.n || cli->values[OPT_FORCE])
		return 0;
	return error_set(&cli->err, EBUSY, "'%s' is a disk of vm %s (--force removes it)",
			 volume->path, names.data ? names.data : "");
}

static int remove_one(struct cli *cli, const char *name)
{
	cleanup_volume struct volume volume = {0};
	int rc = volume_find(cli->lab, name, &volume, &cli->err);

	if (rc == 0)
		rc = check_idle(&volume, &cli->err);
	if (rc == 0)
		rc = volume_check_clones(&cli->paths, cli->lab, volume.path, &cli->err);
	if (rc == 0)
		rc = check_users(cli, &volume);
	if (rc == 0)
		rc = disk_remove(volume.path, &cli->err);
	return rc < 0 ? rc : disk_record_remove(volume.path, &cli->err);
}

static int run(struct cli *cli)
{
	for (size_t i = 0; i < cli->n_names; i++) {
		if (remove_one(cli, cli->names[i]) == 0)
			continue;
		cli_tell(&cli->err);
		cli->exit_code = CLI_FAILED;
	}
	return 0;
}

const struct verb verb_vol_rm = {
	.name = "vol rm",
	.args = "POOL/FILE…",
	.summary = "remove volumes that nothing uses",
	.options = options,
	.min_names = 1,
	.max_names = SIZE_MAX,
	.lab = CLI_LAB_NEEDED,
	.run = run,
};
