/* SPDX-License-Identifier: MIT */
/*
 * Whom a network's dnsmasq asks for names it does not know: a copy of the host's
 * /etc/resolv.conf in a folder of its own below the network's, kept up to date.
 *
 * dnsmasq sees nothing of /etc. A bind of the file would show for ever what it held at
 * the start, for those who change it put a new file in its place; a bind of the folder
 * would show the rest of it.
 */
#ifndef HV_VMM_NETWORK_RESOLVER_H
#define HV_VMM_NETWORK_RESOLVER_H

#include <systemd/sd-event.h>

struct error;
struct network_resolver;

/* In the folder NAME_RESOLVER (vmm/names.h), which dnsmasq may list, to see changes. */
#define NETWORK_RESOLVER_FILE "resolv.conf"

/* Copies it below the network's folder state_dirfd. A host without such a file is one
 * without servers. */
int network_resolver_copy(int state_dirfd, struct error *err);

/* Copies again when the host's file has changed. state_dirfd stays the caller's. */
int network_resolver_watch(sd_event *event, int state_dirfd, struct network_resolver **ret_resolver,
			   struct error *err);

void network_resolver_free(struct network_resolver *r);

#endif
