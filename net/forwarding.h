/* SPDX-License-Identifier: MIT */
/*
 * IPv4 forwarding, per interface: switched on for the bridge and for every
 * interface that carries a default route, remembered, and put back when the
 * last network that asked for it goes. The record is a file in RUN/net, under
 * a lock, so that it survives a crash and several networks can share an uplink.
 * The global net.ipv4.ip_forward is never written.
 */
#ifndef HV_NET_FORWARDING_H
#define HV_NET_FORWARDING_H

struct error;

/* record_dirfd: the folder RUN/net. Idempotent for one network. */
int net_forwarding_enable(int record_dirfd, const char *network, const char *bridge,
			  struct error *err);
/* Restores what nobody else holds; idempotent. */
int net_forwarding_release(int record_dirfd, const char *network, struct error *err);

#endif
