/* SPDX-License-Identifier: MIT */
/* Private to net/: what on this host stands against a bridge's address. */
#ifndef HV_NET_CONFLICTS_H
#define HV_NET_CONFLICTS_H

#include "net/link.h"

struct nl_sock;

/* -EADDRINUSE, naming it: the address is on another interface, or the subnet
 * overlaps a route of another interface in the main table. Default routes and
 * the bridge's own do not count. */
int net_conflicts_check(struct nl_sock *sock, const struct net_bridge *bridge, struct error *err);

#endif
