/* SPDX-License-Identifier: MIT */
/* A machine's specification as it would stand in a configuration, with every default said. */
#ifndef HV_VMM_VM_CONFIG_H
#define HV_VMM_VM_CONFIG_H

#include "lab/spec.h"

#include <jansson.h>

/* What `vms: {NAME: …}` would have. Values of credentials are left out, and where they come from
 * is told. NULL when out of memory. */
json_t *vm_config_describe(const struct spec_vm *vm);

#endif
