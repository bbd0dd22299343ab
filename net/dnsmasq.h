/* SPDX-License-Identifier: MIT */
/*
 * DHCP and DNS by dnsmasq: argument vector, hosts files, and the reading of its
 * lease file. All pure: text in, text out. Who spawns it is vmm/network.
 */
#ifndef HV_NET_DNSMASQ_H
#define HV_NET_DNSMASQ_H

#include "base/str.h"

#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct error;

struct net_host {
	const char *name; /* VM name; becomes its host name where it is one */
	uint8_t mac[6];
	bool has_address;
	struct in_addr address;
};

struct net_dhcp {
	const char *network;
	const char *bridge;
	struct in_addr address; /* of the bridge: gateway and name server */
	unsigned prefix;
	struct in_addr first, last;
	const char *domain; /* NULL: none */
	bool nat; /* false: no default route is offered */
	unsigned mtu; /* told to guests; 0: nothing is said */
	const char *hosts_file; /* dhcp-hostsfile, read again at SIGHUP */
	const char *addn_hosts_file; /* addn-hosts, read again at SIGHUP */
	const char *leases_file;
	const char *resolver_file; /* whom to ask; not read where nat is false */
};

/* argv in the foreground, logging to standard error, with no configuration
 * file of the host. Paths may hold any byte but newline and NUL. */
void net_dnsmasq_args(const struct net_dhcp *dhcp, const char *program, struct strv *ret_argv);

/* Contents of the two files. */
void net_dnsmasq_hosts(const struct net_host *hosts, size_t n, struct strbuf *ret_text);
void net_dnsmasq_addn_hosts(const struct net_host *hosts, size_t n, const char *domain,
			    struct strbuf *ret_text);

/* How long a lease lasts; a guest asks again at half of it. */
enum { NET_LEASE_SECONDS = 12 * 3600 };

struct net_lease {
	uint64_t expires; /* seconds since the epoch; 0: never */
	uint8_t mac[6];
	struct in_addr address;
	char hostname[256]; /* printable; empty: none given */
};

/*
 * Parses the text of a lease file. Its host names come from guests: hostile
 * bytes, any length. Lines that are not IPv4 leases are passed over, at most
 * 65536 leases are kept. Returns 0 or -ENOMEM; the caller frees *ret_leases.
 */
int net_leases_parse(const char *text, size_t len, struct net_lease **ret_leases, size_t *ret_n,
		     struct error *err);

#endif
