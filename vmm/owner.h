/* SPDX-License-Identifier: MIT */
/*
 * The mark that hvup leaves on what it makes in the kernel: "vm=dc01;nic=0;
 * run=/run/hv". It names the run folder too, so two hosts' worth of hvup in one
 * network namespace keep off each other.
 */
#ifndef HV_VMM_OWNER_H
#define HV_VMM_OWNER_H

#include "base/paths.h"

#include <stddef.h>

/* IFLA_IFALIAS holds 255 bytes, "hvup:" comes in front: a run folder that is
 * too long for it is cut and keeps its end, which tells more. */
struct owner {
	char text[240];
};

void owner_of_network(struct owner *ret_owner, const struct paths *paths, const char *network);
void owner_of_nic(struct owner *ret_owner, const struct paths *paths, const char *vm, size_t nic);

#endif
