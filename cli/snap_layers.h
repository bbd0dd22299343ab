/* SPDX-License-Identifier: MIT */
/* Snapshots as layers of images, for verbs. */
#ifndef HV_CLI_SNAP_LAYERS_H
#define HV_CLI_SNAP_LAYERS_H

#include "cli/verb.h"

/* `hv snap save --external NAME TAG`: prints, and returns as a verb does. */
int cli_snap_save_external(struct cli *cli, const char *name, const char *tag, bool json);

#endif
