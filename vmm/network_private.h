/* SPDX-License-Identifier: MIT */
/* The network supervisor's own state, shared by network.c (life and death),
 * network_steps.c (the steps of the plan) and network_users.c (who uses it). */
#ifndef HV_VMM_NETWORK_PRIVATE_H
#define HV_VMM_NETWORK_PRIVATE_H

#include "base/child.h"
#include "base/error.h"
#include "lab/plan.h"
#include "net/dnsmasq.h"
#include "vmm/control.h"
#include "vmm/host.h"
#include "vmm/last_words.h"
#include "vmm/network.h"
#include "vmm/owner.h"
#include "vmm/rundir.h"

#include <systemd/sd-event.h>

enum { NETWORK_USERS_MAX = 60, NETWORK_HOSTS_MAX = 4096 };

struct network_user {
	unsigned client; /* of the control socket */
	char vm[64];
};

/* A host that dnsmasq knows. */
struct network_host {
	char name[64];
	struct net_host host; /* its name points to the one above */
};

struct network {
	const struct network_options *options;
	struct host host;
	struct owner owner;
	struct rundir run;
	int state_dirfd, net_run_dirfd; /* STATE/net/NAME, RUN/net */
	sd_event *event;
	struct control_server *control;
	struct plan plan;
	size_t n_done;
	struct child dnsmasq;
	int dnsmasq_stderr;
	struct last_words words;
	sd_event_source *dnsmasq_source, *watch_source;
	unsigned bridge_index; /* of the bridge that we made */
	unsigned repairs; /* since repairs_usec */
	uint64_t repairs_usec;
	int watch_fd;
	bool ready, ending, keep, was_used;
	bool dnsmasq_ready; /* it has said so: before, a signal would kill it */
	bool hosts_changed; /* and it is to read its files again */
	struct network_user users[NETWORK_USERS_MAX];
	size_t n_users;
	struct network_host *hosts;
	size_t n_hosts;
	struct control_call *down_call;
	struct error failure;
};

/* network_steps.c */
int network_execute(struct network *n, struct error *err);
int network_start_dnsmasq(struct network *n, struct error *err);
void network_roll_back(struct network *n);

/* network_users.c */
extern const struct control_handlers network_commands;
int network_hosts_from_lab(struct network *n, struct error *err);
/* Puts the TAPs of machines that run back on the bridge, and learns their hosts. */
void network_rejoin(struct network *n);
int network_write_hosts(struct network *n, struct error *err);
/* The same, and lets dnsmasq know. */
int network_tell_hosts(struct network *n, struct error *err);
/* Ends the network where nobody needs it any more. */
void network_end_if_unused(struct network *n);

/* network_status.c */
json_t *network_describe(const struct spec_network *net); /* one that is down */

/* network_repair.c */
int network_watch(struct network *n, struct error *err); /* dnsmasq and the links */

/* network.c */
void network_become_ready(struct network *n);
void network_end(struct network *n);
void network_write_status(struct network *n);

#endif
