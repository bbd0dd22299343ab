/* SPDX-License-Identifier: MIT */
#include "base/cleanup.h"
#include "cli/common.h"
#include "cli/snap.h"

static int run(struct cli *cli)
{
	int failed = 0;

	for (size_t i = 1; i < cli->n_names; i++) {
		struct snap s;
		int rc = snap_begin(&s, cli, "remove", cli->names[0], cli->names[i], false);

		if (rc == 0)
			rc = snapshot_remove(&s.request, &cli->err);
		snap_end(&s);
		if (rc < 0) {
			(void)error_wrap(&cli->err, rc, "vm '%s'", cli->names[0]);
			cli_tell(&cli->err);
			failed = 1;
			continue;
		}
		(void)printf("%s: snapshot %s is gone\n", cli->names[0], cli->names[i]);
	}
	if (failed)
		cli->exit_code = CLI_FAILED;
	return 0;
}

const struct verb verb_snap_rm = {
	.name = "snap rm",
	.args = "NAME TAG…",
	.summary = "remove snapshots",
	.text = "The machine stays as it is, and so do snapshots that were made later.",
	.min_names = 2,
	.max_names = SIZE_MAX,
	.names = CLI_NAMES_VM,
	.run = run,
};
