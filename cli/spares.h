/* SPDX-License-Identifier: MIT */
/*
 * Spares: machines that are started up to the point where their guest would go on from a prepared
 * state, and wait there for `hv up` (spares: of hv.yaml(5)).
 */
#ifndef HV_CLI_SPARES_H
#define HV_CLI_SPARES_H

#include "cli/verb.h"

#include <jansson.h>

/* Whether a status object is of one that waits, or is about to. */
bool cli_spare_waits(json_t *status);

/* Whether it is what a start would make now: of the same configuration and the same state. */
bool cli_spare_fits(struct cli *cli, const struct spec_vm *vm, json_t *status);

/* Ends one, and returns when all of it is gone. One that is no more is success. */
int cli_spare_end(struct cli *cli, const char *name);

/* Ends those that wait with a state; what fails is left to `hv up`. */
void cli_spares_end_of(struct cli *cli, const char *state);

/* Has as many started, in the background, as those machines say that are to wait beside them.
 * What goes wrong stands in the log of its supervisor, and costs the next start its haste. */
void cli_spares_fill(struct cli *cli, const struct spec_vm *const *vms, size_t n);

#endif
