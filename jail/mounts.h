/* SPDX-License-Identifier: MIT */
/* Private to jail/: what a child sees in a mount namespace of its own. */
#ifndef HV_JAIL_MOUNTS_H
#define HV_JAIL_MOUNTS_H

#include "jail/spawn.h"

/* The number that the child's folder has, where it has one. */
enum { JAIL_FOLDER_TARGET = 3 };

/* Runs in the child, while it is root and its descriptors are in place. 0 or
 * -errno, with what failed in *ret_what. */
int jail_mount(const struct jail_spec *spec, const char **ret_what);

#endif
