/* SPDX-License-Identifier: MIT */
/*
 * NAT and isolation: one table `inet hv_NAME` per network, made and removed in
 * one transaction by libnftables. No other table is read or touched. The table
 * carries a comment that names its owner; a table of that name without it is
 * refused.
 */
#ifndef HV_NET_NFT_H
#define HV_NET_NFT_H

#include <netinet/in.h>
#include <stdbool.h>

struct error;

struct net_rules {
	const char *network; /* a name as str_is_name() */
	const char *owner; /* as in net/link.h */
	const char *bridge;
	struct in_addr address; /* of the bridge */
	unsigned prefix;
	bool nat; /* false: nothing is forwarded in or out */
};

/* Pure: the ruleset text that makes the table; NULL when out of memory. */
char *net_rules_text(const struct net_rules *rules);

/* Replaces the table as a whole, atomically. -EEXIST: not ours. */
int net_rules_apply(const struct net_rules *rules, struct error *err);

/* A table that is missing is success; one that is not ours -EEXIST. */
int net_rules_remove(const char *network, const char *owner, struct error *err);

/* Whether kernel and library take a table: checked, not made. */
int net_rules_probe(struct error *err);

#endif
