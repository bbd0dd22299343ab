/* SPDX-License-Identifier: MIT */
/*
 * Processes of a supervisor that was killed before it could write them down.
 * Every process that hvup jails carries its owner (vmm/owner.h) as the one
 * variable of its environment, from its first moment on.
 */
#ifndef HV_VMM_LEFTOVERS_H
#define HV_VMM_LEFTOVERS_H

/* Kills every process with that mark. Looks at all of /proc: only where an end was
 * not in order. */
void leftovers_end(const char *owner);

#endif
