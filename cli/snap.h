/* SPDX-License-Identifier: MIT */
/* What the verbs of snapshots share. */
#ifndef HV_CLI_SNAP_H
#define HV_CLI_SNAP_H

#include "cli/bar.h"
#include "cli/verb.h"
#include "vmm/snapshot/snapshot.h"

#include <signal.h>

struct snap {
	struct cli *cli;
	struct bar bar;
	char what[128];
	struct snapshot_request request;
	sigset_t before;
};

/* A request for the machine and the tag; word says what is done, "save". Interrupts are held, also
 * where it fails, until snap_end(). */
int snap_begin(struct snap *s, struct cli *cli, const char *word, const char *vm, const char *tag,
	       bool json);
void snap_end(struct snap *s);

/* One line of JSON, {"event": "done", …}, of what became of it. */
int snap_print_done(const struct snap *s, const struct snapshot_outcome *outcome);

#endif
