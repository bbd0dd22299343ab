/* SPDX-License-Identifier: MIT */
#include "cli/common.h"

#include "base/cleanup.h"
#include "base/str.h"
#include "vmm/layers/layers.h"
#include "vmm/snapshot/snapshot_store.h"

#include <errno.h>

/* A guest whose memory and disks may not fit together must not run, nor one whose disks have
 * another image's name. */
static int check(struct cli *cli, const char *name)
{
	const struct spec_vm *vm;
	cleanup_free char *loading =
		str_is_name(name) ? snapshot_store_loading(&cli->paths, name) : NULL;

	if (!loading) {
		/* Who that is not is told when it is its turn. */
		if (cli_find_any_vm(cli, name, &vm) < 0)
			return 0;
		return error_wrap_if(&cli->err, layers_settle(&cli->paths, vm, &cli->err),
				     "vm '%s'", name);
	}
	return error_set(&cli->err, EBUSY,
			 "vm '%s': the load of snapshot '%s' was broken off, or is under way (hv "
			 "snap load %s %s once more)",
			 name, loading, name, loading);
}

static int run(struct cli *cli)
{
	for (size_t i = 0; i < cli->n_names; i++) {
		int rc = check(cli, cli->names[i]);

		if (rc < 0)
			return rc;
	}
	return cli_each_vm(cli, "cont");
}

const struct verb verb_resume = {
	.name = "resume",
	.args = "NAME…",
	.summary = "let paused virtual CPUs run again",
	.min_names = 1,
	.max_names = SIZE_MAX,
	.names = CLI_NAMES_VM,
	.lab = CLI_LAB_OPTIONAL,
	.run = run,
};
