/* SPDX-License-Identifier: MIT */
/*
 * The `jail` object of a machine's status: for QEMU, swtpm and the supervisor each
 * layer as it is found in /proc, and `missing`, a text for each layer that is not
 * there. A process that does not run is null; what the caller may not know is null,
 * too, and `reason` then says so.
 */
#ifndef HV_VMM_JAIL_STATUS_H
#define HV_VMM_JAIL_STATUS_H

#include "lab/spec.h"

#include <jansson.h>

/* What cannot be found in /proc later, as `jail_at_start` of the status: the limits that
 * were asked for, the control group's path (NULL: none), and the version of Landlock
 * that the jail was made with (0: none). NULL when out of memory. */
json_t *jail_status_started(const struct spec_limits *limits, const char *cgroup,
			    unsigned landlock_abi);

/* Adds `jail` to a machine's status; null where the machine does not run. */
void jail_status_add(json_t *status);

#endif
