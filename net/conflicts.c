/* SPDX-License-Identifier: MIT */
#include "net/conflicts.h"

#include "base/error.h"
#include "base/str.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/rtnetlink.h>
#include <netlink/route/addr.h>
#include <netlink/route/nexthop.h>
#include <netlink/route/route.h>
#include <stdio.h>

static uint32_t mask_of(unsigned prefix)
{
	return prefix ? 0xffffffffU << (32 - prefix) : 0;
}

static uint32_t host_order(struct nl_addr *address)
{
	struct in_addr in;

	memcpy(&in, nl_addr_get_binary_addr(address), sizeof(in));
	return ntohl(in.s_addr);
}

static bool is_ipv4(struct nl_addr *address)
{
	return address && nl_addr_get_family(address) == AF_INET && nl_addr_get_len(address) == 4;
}

static const char *name_of(int ifindex, char buf[static IFNAMSIZ])
{
	return if_indextoname((unsigned)ifindex, buf) ? buf : "?";
}

static int check_addresses(struct nl_sock *sock, const struct net_bridge *bridge, int own,
			   struct error *err)
{
	uint32_t wanted = ntohl(bridge->address.s_addr);
	struct nl_cache *cache;
	char name[IFNAMSIZ], text[INET_ADDRSTRLEN];
	int rc = 0;

	if (rtnl_addr_alloc_cache(sock, &cache) < 0)
		return error_set(err, EIO, "the host's addresses cannot be listed");
	for (struct nl_object *o = nl_cache_get_first(cache); o && rc == 0;
	     o = nl_cache_get_next(o)) {
		struct rtnl_addr *address = (struct rtnl_addr *)o;
		struct nl_addr *local = rtnl_addr_get_local(address);

		if (!is_ipv4(local) || rtnl_addr_get_ifindex(address) == own ||
		    host_order(local) != wanted)
			continue;
		(void)inet_ntop(AF_INET, &bridge->address, text, sizeof(text));
		rc = error_set(err, EADDRINUSE,
			       "address %s is in use on interface '%s'; choose another subnet",
			       text, name_of(rtnl_addr_get_ifindex(address), name));
	}
	nl_cache_free(cache);
	return rc;
}

static int route_ifindex(struct rtnl_route *route)
{
	struct rtnl_nexthop *hop =
		rtnl_route_get_nnexthops(route) ? rtnl_route_nexthop_n(route, 0) : NULL;

	return hop ? rtnl_route_nh_get_ifindex(hop) : 0;
}

static int check_routes(struct nl_sock *sock, const struct net_bridge *bridge, int own,
			struct error *err)
{
	uint32_t subnet = ntohl(bridge->address.s_addr) & mask_of(bridge->prefix);
	struct nl_cache *cache;
	int rc = 0;

	if (rtnl_route_alloc_cache(sock, AF_INET, 0, &cache) < 0)
		return error_set(err, EIO, "the host's routes cannot be listed");
	for (struct nl_object *o = nl_cache_get_first(cache); o && rc == 0;
	     o = nl_cache_get_next(o)) {
		struct rtnl_route *route = (struct rtnl_route *)o;
		struct nl_addr *dst = rtnl_route_get_dst(route);
		char have[64], want[INET_ADDRSTRLEN], name[IFNAMSIZ];
		struct in_addr in = {.s_addr = htonl(subnet)};
		unsigned prefix;
		uint32_t mask;

		if (rtnl_route_get_table(route) != RT_TABLE_MAIN || !is_ipv4(dst) ||
		    nl_addr_get_prefixlen(dst) == 0 || route_ifindex(route) == own)
			continue;
		prefix = nl_addr_get_prefixlen(dst);
		mask = mask_of(prefix < bridge->prefix ? prefix : bridge->prefix);
		if ((host_order(dst) & mask) != (subnet & mask))
			continue;
		(void)inet_ntop(AF_INET, &in, want, sizeof(want));
		rc = error_set(err, EADDRINUSE,
			       "subnet %s/%u overlaps the route to %s on interface '%s'; choose "
			       "another subnet",
			       want, bridge->prefix, nl_addr2str(dst, have, sizeof(have)),
			       name_of(route_ifindex(route), name));
	}
	nl_cache_free(cache);
	return rc;
}

int net_conflicts_check(struct nl_sock *sock, const struct net_bridge *bridge, struct error *err)
{
	int own = (int)if_nametoindex(bridge->name), rc;

	/* 0 is no interface's index, but blackhole routes have it. */
	own = own ? own : -1;
	rc = check_addresses(sock, bridge, own, err);
	return rc < 0 ? rc : check_routes(sock, bridge, own, err);
}
