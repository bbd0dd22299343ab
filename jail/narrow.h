/* SPDX-License-Identifier: MIT */
/* For a process that keeps some privilege: the rest of it goes for good. */
#ifndef HV_JAIL_NARROW_H
#define HV_JAIL_NARROW_H

#include <stddef.h>

struct error;

/* Drops every capability but those, CAP_…, out of every set, the bounding set among
 * them, so that neither exec nor root's user brings it back. One that the process has
 * not is passed over. */
int jail_narrow(const int *caps, size_t n, struct error *err);

#endif
