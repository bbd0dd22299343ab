/* SPDX-License-Identifier: MIT */
/* Reading the lease file of a network: of its dnsmasq, so full of guests' words. */
#ifndef HV_VMM_LEASES_H
#define HV_VMM_LEASES_H

#include "base/paths.h"
#include "net/dnsmasq.h"

struct error;

/* None where the network was never up. The caller frees *ret_leases. */
int leases_load(const struct paths *paths, const char *network, struct net_lease **ret_leases,
		size_t *ret_n, struct error *err);

#endif
