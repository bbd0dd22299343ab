/* SPDX-License-Identifier: MIT */
/*
 * The keeper's own state, shared by its parts: network.c (life and death),
 * network_steps.c (the steps of the plan), network_repair.c (what breaks),
 * network_keeper.c (its supervisor), network_requests.c (what that one asks),
 * network_users.c (who uses the network) and network_hosts.c (whom dnsmasq knows).
 */
#ifndef HV_VMM_NETWORK_PRIVATE_H
#define HV_VMM_NETWORK_PRIVATE_H

#include "base/child.h"
#include "base/error.h"
#include "lab/plan.h"
#include "net/dnsmasq.h"
#include "vmm/host.h"
#include "vmm/network/network.h"
#include "vmm/network/network_messages.h"
#include "vmm/owner.h"
#include "vmm/rundir.h"

#include <jansson.h>
#include <net/if.h>
#include <systemd/sd-event.h>

enum { NETWORK_USERS_MAX = 60, NETWORK_HOSTS_MAX = 4096 };

/*
 * A use by one NIC. One that was announced lasts as long as its connection, of which
 * the keeper holds a copy that it never reads: so it outlives the supervisor that took
 * it. One of a machine that was found running lasts as long as its TAP.
 */
struct network_user {
	struct network *network;
	char vm[NETWORK_VM_SIZE];
	uint8_t mac[MAC_BYTES];
	int connection; /* -1: found */
	sd_event_source *source; /* of the connection */
	uint32_t serial; /* the supervisor's name for it; 0: that one is no more, or it was
			  * found */
	bool told; /* it knows that it is one */
	char tap[IFNAMSIZ]; /* of one that was found, with the NIC's number */
	size_t nic;
};

/* The supervisor as its keeper sees it. */
struct network_supervisor {
	struct child process;
	int net_ns; /* as of struct jailed */
	int channel;
	sd_event_source *channel_source, *gone_source, *again_source, *watchdog_source;
	bool asked; /* whether it is alive, and it has not said so yet */
	unsigned starts; /* since starts_usec */
	uint64_t starts_usec, watchdog_usec; /* 0: nobody watches */
};

/* A host that dnsmasq knows. */
struct network_host {
	char name[NETWORK_VM_SIZE];
	struct net_host host; /* its name points to the one above */
};

struct network {
	const struct network_options *options;
	struct host host;
	struct owner owner;
	struct rundir run;
	int state_dirfd, net_run_dirfd; /* STATE/net/NAME, RUN/net */
	sd_event *event;
	int control_fd; /* the socket that listens, for one supervisor after the other */
	struct network_supervisor supervisor;
	struct plan plan;
	size_t n_done;
	struct child dnsmasq;
	int dnsmasq_stderr; /* read by the supervisor alone */
	int dnsmasq_status; /* how it ended, while its last words are waited for */
	sd_event_source *dnsmasq_source, *words_source, *watch_source;
	struct network_resolver *resolver;
	unsigned bridge_index; /* of the bridge that we made */
	unsigned repairs; /* since repairs_usec */
	uint64_t repairs_usec;
	int watch_fd;
	bool ready, ending, keep, was_used;
	bool reload; /* start anew, bridge and rules stay */
	bool dnsmasq_ready; /* it has said so: before, a signal would kill it */
	bool hosts_changed; /* and it is to read its files again */
	struct network_user *users[NETWORK_USERS_MAX];
	size_t n_users;
	struct network_host *hosts;
	size_t n_hosts;
	struct error failure;
};

/* network_steps.c */
int network_execute(struct network *n, struct error *err);
int network_start_dnsmasq(struct network *n, struct error *err);
void network_roll_back(struct network *n);

/* network_hosts.c */
int network_hosts_from_lab(struct network *n, struct error *err);
/* Adds or changes the host with that MAC; whether anything changed, or -errno. */
int network_put_host(struct network *n, const char *name, const struct net_host *host,
		     struct error *err);
int network_write_hosts(struct network *n, struct error *err);
/* The same, and lets dnsmasq know. */
int network_tell_hosts(struct network *n, struct error *err);

/* network_users.c */
/* Takes over a connection whose end is the end of the use. */
int network_add_user(struct network *n, const struct network_request *request, int connection,
		     struct error *err);
struct network_user *network_find_user(struct network *n, uint32_t serial); /* or NULL */
void network_drop_user(struct network *n, struct network_user *user);
void network_drop_users(struct network *n);
/* The supervisor is no more: users that may not know that they are some are none. */
void network_disown_users(struct network *n);
/* Lets go of those that were found and whose TAP has gone. */
void network_look_at_taps(struct network *n);
/* Puts the TAPs of machines that run back on the bridge, and learns their hosts. */
void network_rejoin(struct network *n);
json_t *network_describe_users(const struct network *n); /* names, each once */
bool network_is_unused(const struct network *n);
/* Ends the network where nobody needs it any more. */
void network_end_if_unused(struct network *n);

/* network_keeper.c */
int network_keeper_start(struct network *n, struct error *err); /* a supervisor */
/* fd (-1: none) stays the caller's. A supervisor that does not take it is replaced. */
void network_keeper_send(struct network *n, enum network_order_kind kind, uint32_t serial,
			 const struct error *result, int fd);
int network_keeper_watch(struct network *n, struct error *err); /* where systemd wants it */
void network_keeper_alive(struct network *n); /* it has said so */
void network_keeper_end(struct network *n); /* says that all is gone, and waits */
void network_keeper_leave(struct network *n); /* says nothing, and waits */

/* network_requests.c */
/* Does what the supervisor asks, where that may be; -errno: no supervisor in its right
 * mind asks so, and nothing was changed. fd (-1: none) is taken over. */
int network_take_request(struct network *n, const struct network_request *request, int fd,
			 struct error *err);

/* network_status.c */
json_t *network_describe(const struct spec_network *net); /* one that is down */

/* network_repair.c */
int network_watch(struct network *n, struct error *err); /* dnsmasq and the links */
void network_dnsmasq_started(struct network *n);
/* What it said last, for one that has ended. */
void network_dnsmasq_words(struct network *n, enum network_cause cause, const char *words);
/* Nobody knows whether it has started, or what it said: one who did is no more. */
void network_dnsmasq_unheard(struct network *n);

/* network.c */
void network_become_ready(struct network *n);
void network_end(struct network *n);
void network_reload(struct network *n); /* the program starts anew, machines do not notice */
void network_write_status(struct network *n);

#endif
