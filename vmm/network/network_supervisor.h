/* SPDX-License-Identifier: MIT */
/*
 * The part of a network that hears strangers: its clients and, through what dnsmasq
 * logs, its guests. It runs as a user of its own without any capability, opens nothing,
 * and asks its keeper for all that it cannot do itself (vmm/network/network_messages.h).
 */
#ifndef HV_VMM_NETWORK_SUPERVISOR_H
#define HV_VMM_NETWORK_SUPERVISOR_H

#include "lab/spec.h"

#include <sys/types.h>

/* Its descriptors beside standard error; what dnsmasq says comes by the
 * channel. */
enum { NETWORK_CHANNEL_FD = 3, NETWORK_CONTROL_FD = 4 };

struct network_supervisor_options {
	const struct spec_network *net;
	gid_t group; /* whose members may act (vmm/supervisor/peer.h) */
};

/* arg: the options. Returns its exit status when the keeper says that all is gone,
 * or has gone itself. For jail_spec.run. */
int network_supervisor_main(void *arg);

#endif
