/* SPDX-License-Identifier: MIT */
/*
 * Bridges, addresses and TAPs over rtnetlink (libnl-3), in process.
 *
 * What hvup made carries an alias (IFLA_IFALIAS) "hvup:OWNER"; nothing without
 * the expected alias is ever changed or removed. Blocks for the kernel's
 * answer only.
 */
#ifndef HV_NET_LINK_H
#define HV_NET_LINK_H

#include <net/if.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct error;

struct net_bridge {
	const char *name; /* at most 15 bytes */
	const char *owner; /* goes into the alias: "net=lab-net;run=/run/hv" */
	struct in_addr address;
	unsigned prefix;
	unsigned mtu; /* 0: default */
	uint8_t mac[6]; /* fixed, so that guests' ARP entries survive a restart */
};

/*
 * Creates the bridge with alias and MAC, gives it its address and sets it up.
 * A bridge that is ours already (same alias) is completed and kept. Refused,
 * with nothing touched:
 * -EEXIST: a link of that name exists and is not ours (the error says what it
 *          is and, where there is an alias, whose);
 * -EADDRINUSE: the address is on another interface, or the subnet overlaps a
 *          route of another interface (named); default routes do not count.
 */
int net_bridge_create(const struct net_bridge *bridge, struct error *err);

/* Removes a bridge of ours; one that is missing is success, one that is not
 * ours -EEXIST. */
int net_bridge_remove(const char *name, const char *owner, struct error *err);

/* Interface names of the ports of a bridge; the caller frees the array. */
int net_bridge_ports(const char *name, char (**ret_names)[IFNAMSIZ], size_t *ret_n,
		     struct error *err);

struct net_tap {
	const char *bridge; /* to join; has to be ours (bridge_owner) */
	const char *bridge_owner;
	const char *owner; /* alias: "vm=dc01;nic=0;run=/run/hv" */
	unsigned mtu; /* 0: the bridge's */
};

/*
 * Opens n TAPs (IFF_TAP|IFF_NO_PI|IFF_VNET_HDR, not persistent, names hvtapN
 * given by the kernel). They are down and on no bridge: nothing comes from them or goes
 * out. Descriptors are close-on-exec and non-blocking and the caller's; the
 * kernel removes a TAP when its last descriptor closes. On failure none is left.
 */
int net_taps_open(size_t n, int *ret_fds, char (*ret_names)[IFNAMSIZ], struct error *err);

/* Sets alias, master and up for all of them in one batch. -ENETDOWN: a bridge is not there, or
 * not ours. */
int net_taps_join(const struct net_tap *taps, size_t n, char (*names)[IFNAMSIZ], struct error *err);

/* Puts TAPs that are there already back on their bridges; one that is gone or not
 * its owner's is passed over. Returns how many there are, or -errno. */
int net_taps_rejoin(const struct net_tap *taps, size_t n, char (*names)[IFNAMSIZ],
		    struct error *err);

/* Whether name exists with the alias for owner. */
bool net_link_is_ours(const char *name, const char *owner);

/*
 * Watches links: an rtnetlink socket (non-blocking, the caller's) that becomes
 * readable at any link change. net_watch_drain() reads all that waits and says
 * whether anything concerned the interface index; an overrun counts as yes.
 */
int net_watch_open(int *ret_fd, struct error *err);
int net_watch_drain(int fd, unsigned ifindex, bool *ret_concerned, struct error *err);

#endif
