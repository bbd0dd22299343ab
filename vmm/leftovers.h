/* SPDX-License-Identifier: MIT */
/*
 * Processes of a supervisor that was killed before it could write them down.
 * Every process that hvup jails carries its owner (vmm/owner.h) as the one
 * variable of its environment, from its first moment on.
 */
#ifndef HV_VMM_LEFTOVERS_H
#define HV_VMM_LEFTOVERS_H

#include <stdbool.h>
#include <sys/types.h>

/* Whether a process has that mark. */
bool leftovers_is_marked(pid_t pid, const char *owner);

/* Kills every process with that mark. Looks at all of /proc: only where an end was
 * not in order. */
void leftovers_end(const char *owner);

#endif
