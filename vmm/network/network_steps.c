/* SPDX-License-Identifier: MIT */
#include "vmm/network/network_private.h"

#include "base/cleanup.h"
#include "base/fault.h"
#include "base/fd.h"
#include "base/log.h"
#include "jail/program.h"
#include "net/forwarding.h"
#include "net/link.h"
#include "net/nft.h"
#include "vmm/names.h"
#include "vmm/network/network_resolver.h"
#include "vmm/uids.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static int do_bridge(struct network *n, struct error *err)
{
	const struct spec_network *net = n->options->net;
	struct net_bridge bridge = {
		.name = net->bridge,
		.owner = n->owner.text,
		.address = net->address,
		.prefix = net->prefix,
		.mtu = net->mtu,
	};

	memcpy(bridge.mac, net->mac, sizeof(bridge.mac));
	return net_bridge_create(&bridge, err);
}

static void undo_bridge(struct network *n)
{
	struct error err = ERROR_INIT;

	if (net_bridge_remove(n->options->net->bridge, n->owner.text, &err) < 0)
		log_error("network '%s': %s", n->options->net->name, err.text);
}

static int do_forwarding(struct network *n, struct error *err)
{
	return net_forwarding_enable(n->net_run_dirfd, n->options->net->name,
				     n->options->net->bridge, err);
}

static void undo_forwarding(struct network *n)
{
	struct error err = ERROR_INIT;

	if (net_forwarding_release(n->net_run_dirfd, n->options->net->name, &err) < 0)
		log_error("network '%s': %s", n->options->net->name, err.text);
}

static int do_rules(struct network *n, struct error *err)
{
	const struct spec_network *net = n->options->net;

	return net_rules_apply(
		&(struct net_rules){
			.network = net->name,
			.owner = n->owner.text,
			.bridge = net->bridge,
			.address = net->address,
			.prefix = net->prefix,
			.nat = net->nat,
		},
		err);
}

static void undo_rules(struct network *n)
{
	struct error err = ERROR_INIT;

	if (net_rules_remove(n->options->net->name, n->owner.text, &err) < 0)
		log_error("network '%s': %s", n->options->net->name, err.text);
}

/* dnsmasq writes its leases itself, so the file has to be its own. */
static int prepare_leases(struct network *n, uid_t uid, struct error *err)
{
	cleanup_close int fd = openat(n->state_dirfd, NAME_LEASES,
				      O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0644);

	if (fd < 0 || fchown(fd, uid, uid) < 0 || fchmod(fd, 0644) < 0)
		return error_errno(err, errno, "lease file");
	return 0;
}

/* Its only folder. */
#define DNSMASQ_FOLDER "/state"

static int bind_files(struct network *n, struct jail_binds *binds, struct error *err)
{
	int rc = jail_binds_add_program(binds, n->host.dnsmasq, NULL, err);

	if (rc < 0)
		return rc;
	jail_binds_add(binds, &(struct jail_bind){
				      .fd = n->state_dirfd,
				      .target = DNSMASQ_FOLDER,
				      .writable = true,
			      });
	jail_binds_add(binds, &(struct jail_bind){.source = "/dev/null", .device = true});
	jail_binds_add(binds, &(struct jail_bind){.source = "/dev/urandom", .device = true});
	/* It looks for the user that it would become if it were root. */
	jail_binds_add(binds, &(struct jail_bind){
				      .target = "/etc/passwd",
				      .text = "nobody:x:65534:65534::/:/\n",
			      });
	return 0;
}

static int spawn_dnsmasq(struct network *n, uid_t uid, char *const *argv, struct error *err)
{
	cleanup_close int err_read = -1, err_write = -1;
	cleanup_jail_binds struct jail_binds binds = {.n = 0};
	struct jailed jailed = JAILED_INIT;
	int rc;

	rc = fd_pipe_watched(&err_read, &err_write, err);
	if (rc == 0)
		rc = bind_files(n, &binds, err);
	if (rc < 0)
		return rc;
	rc = jail_spawn(
		&(struct jail_spec){
			.program = n->host.dnsmasq,
			.argv = argv,
			.owner = n->owner.text,
			.uid = uid,
			.gid = uid,
			/* Ports below 1024; raw sockets for its pings; the ARP entry
			 * of a client that has no address yet. */
			.caps = {CAP_NET_BIND_SERVICE, CAP_NET_RAW, CAP_NET_ADMIN},
			.n_caps = 3,
			.binds = binds.v,
			.n_binds = binds.n,
			.host_network = true,
			.profile = &jail_profile_dnsmasq,
			.cgroup_fd = -1,
			.stderr_fd = err_write,
		},
		&jailed, err);
	if (rc < 0)
		return rc;
	n->dnsmasq = jailed.process;
	/* It has been executed; nothing else ever is. */
	jail_answerer_stop(&jailed.answerer);
	close_fd(&jailed.listener);
	close_fd(&n->dnsmasq_stderr);
	n->dnsmasq_stderr = steal_fd(&err_read);
	return 0;
}

int network_start_dnsmasq(struct network *n, struct error *err)
{
	const struct spec_network *net = n->options->net;
	cleanup_free char *owner = str_printf("net/%s", net->name);
	cleanup_strv struct strv argv = {0};
	struct net_dhcp dhcp = {
		.network = net->name,
		.bridge = net->bridge,
		.address = net->address,
		.prefix = net->prefix,
		.first = net->dhcp_first,
		.last = net->dhcp_last,
		.domain = net->domain,
		.nat = net->nat,
		.mtu = net->mtu,
		.hosts_file = DNSMASQ_FOLDER "/hosts",
		.addn_hosts_file = DNSMASQ_FOLDER "/addn-hosts",
		.leases_file = DNSMASQ_FOLDER "/" NAME_LEASES,
		.resolver_file = DNSMASQ_FOLDER "/" NAME_RESOLVER "/" NETWORK_RESOLVER_FILE,
	};
	uid_t uid;
	int rc;

	if (!owner)
		return error_oom(err);
	rc = uids_claim(n->options->paths, owner, &uid, err);
	if (rc == 0)
		rc = network_hosts_from_lab(n, err);
	if (rc == 0)
		rc = network_write_hosts(n, err);
	if (rc == 0)
		rc = prepare_leases(n, uid, err);
	if (rc == 0)
		rc = network_resolver_copy(n->state_dirfd, err);
	if (rc < 0)
		return rc;
	net_dnsmasq_args(&dhcp, n->host.dnsmasq, &argv);
	if (argv.failed)
		return error_oom(err);
	return spawn_dnsmasq(n, uid, argv.v, err);
}

static void undo_dnsmasq(struct network *n)
{
	(void)child_signal(&n->dnsmasq, SIGTERM, NULL);
	if (n->dnsmasq.pidfd >= 0 && child_wait(&n->dnsmasq, 1000, NULL, NULL) < 0)
		child_destroy(&n->dnsmasq);
}

static const struct {
	int (*execute)(struct network *n, struct error *err);
	void (*undo)(struct network *n);
} actions[PLAN_KIND_COUNT] = {
	[PLAN_BRIDGE_CREATE] = {do_bridge, undo_bridge},
	[PLAN_FORWARDING_SET] = {do_forwarding, undo_forwarding},
	[PLAN_NFT_APPLY] = {do_rules, undo_rules},
	[PLAN_DNSMASQ_START] = {network_start_dnsmasq, undo_dnsmasq},
};

void network_roll_back(struct network *n)
{
	while (n->n_done) {
		const struct plan_step *step = &n->plan.steps[--n->n_done];

		if (actions[step->kind].undo)
			actions[step->kind].undo(n);
		fault_point("network: undo");
	}
}

int network_execute(struct network *n, struct error *err)
{
	for (size_t i = 0; i < n->plan.n; i++) {
		const struct plan_step *step = &n->plan.steps[i];
		int rc;

		if (!actions[step->kind].execute)
			continue;
		log_debug("%s: %s", plan_kind_name(step->kind), step->detail);
		rc = actions[step->kind].execute(n, err);
		if (rc < 0) {
			network_roll_back(n);
			return rc;
		}
		n->n_done = i + 1;
		fault_point(plan_kind_name(step->kind));
	}
	return 0;
}
