/* SPDX-License-Identifier: MIT */
#include "base/cleanup.h"
#include "base/file.h"
#include "base/str.h"
#include "cli/common.h"
#include "cli/vol.h"
#include "disk/chain.h"
#include "disk/copy.h"
#include "vmm/volumes/volumes.h"

#include <errno.h>

enum { OPT_FORMAT, OPT_BASE };

static const struct cli_option options[] = {
	[OPT_FORMAT] = {"format", 'f', "qcow2|raw", "format of the image (qcow2)", false},
	[OPT_BASE] = {"base", 'b', "POOL/FILE", "make it an overlay of this one", false},
	{0},
};

static int create_on(struct cli *cli, const struct volume *volume, uint64_t bytes)
{
	cleanup_volume struct volume base = {0};
	int rc = volume_find(cli->lab, cli->values[OPT_BASE], &base, &cli->err);
	struct disk_info info;

	if (rc == 0)
		rc = volume_check_place(cli->lab, &base, &cli->err);
	if (rc == 0)
		rc = disk_chain_examine(base.path, base.format, &info, &cli->err);
	/* What runs on it changes what is seen from above. */
	if (rc == 0 && info.written)
		rc = error_set(&cli->err, EBUSY, "'%s' is in use", base.path);
	return rc < 0 ? rc : disk_overlay(volume->path, base.path, base.format, bytes, &cli->err);
}

static int run(struct cli *cli)
{
	const char *format = cli->values[OPT_FORMAT] ?: "qcow2";
	cleanup_volume struct volume volume = {0};
	uint64_t bytes = 0;
	int rc;

	if (!str_eq(format, "qcow2") && !str_eq(format, "raw"))
		return cli_usage(cli, &verb_vol_create, "--format is qcow2 or raw");
	if (cli->values[OPT_BASE] && str_eq(format, "raw"))
		return cli_usage(cli, &verb_vol_create, "a raw image has no base");
	if (cli->n_names < 2 && !cli->values[OPT_BASE])
		return cli_usage(cli, &verb_vol_create, "a size is missing, as in 60G");
	rc = volume_find(cli->lab, cli->names[0], &volume, &cli->err);
	if (rc == 0 && cli->n_names > 1)
		rc = cli_vol_parse_size(cli, cli->names[1], &bytes);
	if (rc == 0)
		rc = file_mkdir_all(volume.pool->path, 0711, &cli->err);
	if (rc < 0)
		return rc;
	if (cli->values[OPT_BASE])
		return create_on(cli, &volume, bytes);
	return disk_create(volume.path, str_eq(format, "raw") ? DISK_FORMAT_RAW : DISK_FORMAT_QCOW2,
			   bytes, &cli->err);
}

const struct verb verb_vol_create = {
	.name = "vol create",
	.args = "POOL/FILE [SIZE]",
	.summary = "create a volume, sparse, or as an overlay of another one",
	.options = options,
	.min_names = 1,
	.max_names = 2,
	.lab = CLI_LAB_NEEDED,
	.run = run,
};
