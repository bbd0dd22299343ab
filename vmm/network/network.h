/* SPDX-License-Identifier: MIT */
/*
 * The keeper of one network: bridge, forwarding, rules and dnsmasq, made by
 * the steps of its plan and undone when it ends. `hv net run NAME` is nothing
 * else. What its clients say is read by a process of its own without privilege, the
 * supervisor.
 *
 * A network that `hv up` brought along for a VM ends when its last user has
 * gone and no TAP is left on the bridge; one that was asked for (`hv net up`)
 * stays until `hv net down`.
 *
 * The control socket speaks QMP: hv-net-attach {vm, mac, address?} (the
 * connection is the use: it ends with it), hv-net-keep, hv-net-release,
 * hv-net-down {force}, hv-net-reload, hv-status.
 */
#ifndef HV_VMM_NETWORK_H
#define HV_VMM_NETWORK_H

#include "base/paths.h"
#include "lab/spec.h"

#include <jansson.h>
#include <stdbool.h>

struct error;

struct network_options {
	const struct paths *paths;
	const struct lab *lab; /* for the fixed addresses of its VMs */
	const struct spec_network *net;
	bool keep; /* stays without users */
	int ready_fd; /* as in vmm/supervisor/supervisor.h */
};

/* What network_run() returns where the program is to be started anew in its place:
 * bridge, rules and TAPs stay. */
enum { NETWORK_AGAIN = 1 };

/* Runs until the network is down again (0) or could not come up (-errno). SIGTERM, SIGINT
 * and SIGHUP take it down; SIGUSR1 is NETWORK_AGAIN. */
int network_run(const struct network_options *options, struct error *err);

/* The status object: name state bridge address nat dhcp domain keep users[]
 * keeper supervisor dnsmasq; state is "up" or "down". */
int network_status_read(const struct paths *paths, const struct spec_network *net,
			json_t **ret_status, struct error *err);

/* The leases of a network as an array of {address, mac, hostname, expires};
 * hostname is null where the guest gave none, expires is in seconds since the
 * epoch, 0 for never. Empty where the network was never up. */
int network_leases_read(const struct paths *paths, const char *name, json_t **ret_list,
			struct error *err);

#endif
