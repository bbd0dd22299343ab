/* SPDX-License-Identifier: MIT */
/* Before hvup makes a machine of its own (vmm/machines.h). */
#ifndef HV_CLI_MADE_H
#define HV_CLI_MADE_H

#include "cli/common.h"

/* Whether name can be that of a new machine: -EEXIST where there is one, in the
 * configuration or up. */
int cli_check_new_vm(struct cli *cli, const char *name);

/* Whether the configuration would be without fault with that machine in it: else its
 * faults are told, and -EINVAL. vm is borrowed. */
int cli_try_vm(struct cli *cli, const char *name, json_t *vm);

#endif
