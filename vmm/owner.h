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

/* IFLA_IFALIAS holds 255 bytes and a comment of nftables 127; "hvup:" comes in
 * front. A run folder that is long, or that has characters beyond the plain ones,
 * is named by a UUID. */
struct owner {
	char text[120];
};

void owner_of_network(struct owner *ret_owner, const struct paths *paths, const char *network);
void owner_of_vm(struct owner *ret_owner, const struct paths *paths, const char *vm);
void owner_of_nic(struct owner *ret_owner, const struct paths *paths, const char *vm, size_t nic);

#endif
