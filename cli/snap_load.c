/* SPDX-License-Identifier: MIT */
#include "base/cleanup.h"
#include "base/str.h"
#include "cli/common.h"
#include "cli/snap.h"
#include "vmm/snapshot/snapshot_store.h"

#include <errno.h>
#include <stdlib.h>

enum { OPT_PAUSED, OPT_RUNNING, OPT_FORCE, OPT_JSON };

static const struct cli_option options[] = {
	[OPT_PAUSED] = {"paused", 'p', NULL, "the guest stands afterwards", false},
	[OPT_RUNNING] = {"running", 'r', NULL, "the guest runs afterwards", false},
	[OPT_FORCE] = {"force", 'f', NULL,
		       "end a machine that runs, where the snapshot has no memory", false},
	[OPT_JSON] = {"json", 'j', NULL, "progress and result as lines of JSON", false},
	{0},
};

/* The one that was made or loaded last. */
static int find_current(struct cli *cli, char **ret_tag)
{
	struct snapshot_store store;
	int rc = snapshot_store_read(&cli->paths, cli->names[0], &store, &cli->err);

	if (rc < 0)
		return rc;
	*ret_tag = store.current ? strdup(store.current) : NULL;
	snapshot_store_close(&store);
	return *ret_tag ? 0
			: error_set(&cli->err, ENOENT, "vm '%s' has no snapshot to go back to",
				    cli->names[0]);
}

static int run(struct cli *cli)
{
	cleanup_free char *current = NULL;
	struct snapshot_outcome outcome;
	bool json = cli->values[OPT_JSON] != NULL;
	struct snap s;
	int rc = 0;

	if (cli->values[OPT_PAUSED] && cli->values[OPT_RUNNING])
		return cli_usage(cli, &verb_snap_load, "--paused and --running exclude each other");
	if (cli->n_names < 2)
		rc = find_current(cli, &current);
	if (rc < 0)
		return rc;
	rc = snap_begin(&s, cli, "load", cli->names[0], current ? current : cli->names[1], json);
	if (rc < 0) {
		snap_end(&s);
		return rc;
	}
	s.request.paused = cli->values[OPT_PAUSED] != NULL;
	s.request.running = cli->values[OPT_RUNNING] != NULL;
	s.request.force = cli->values[OPT_FORCE] != NULL;
	rc = snapshot_load(&s.request, &outcome, &cli->err);
	snap_end(&s);
	if (rc < 0)
		return error_wrap(&cli->err, rc, "vm '%s'", s.request.vm->name);
	if (json)
		return snap_print_done(&s, &outcome);
	(void)printf("%s: back at %s, %s\n", s.request.vm->name, s.request.tag,
		     outcome.stopped ? "stopped" : (outcome.runs ? "running" : "paused"));
	return 0;
}

const struct verb verb_snap_load = {
	.name = "snap load",
	.args = "NAME [TAG]",
	.summary = "bring a machine back to a snapshot",
	.text = "Disks, NVRAM, memory and TPM are again what they were, and the guest runs or stands "
		"as it did;\na machine that is stopped is started for it. What it is now is lost: "
		"hv snap save keeps it. Without\nTAG it is the snapshot that was made or loaded "
		"last. Ctrl-C leaves all as it was until QEMU begins; from then on it is brought to its end.",
	.options = options,
	.min_names = 1,
	.max_names = 2,
	.names = CLI_NAMES_VM,
	.run = run,
};
