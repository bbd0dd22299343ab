/* SPDX-License-Identifier: MIT */
/* Who uses a network, and which hosts its dnsmasq knows. */
#include "vmm/network_private.h"

#include "base/cleanup.h"
#include "base/file.h"
#include "base/log.h"
#include "net/link.h"
#include "vmm/json.h"

#include <arpa/inet.h>
#include <dirent.h>
#include <errno.h>
#include <signal.h>
#include <stdlib.h>

static bool same_host(const struct net_host *a, const struct net_host *b)
{
	return memcmp(a->mac, b->mac, 6) == 0 && a->has_address == b->has_address &&
	       (!a->has_address || a->address.s_addr == b->address.s_addr);
}

/* Adds or changes the host with that MAC; whether anything changed, or -errno. */
static int put_host(struct network *n, const char *name, const struct net_host *host,
		    struct error *err)
{
	struct network_host *grown, *slot = NULL;

	for (size_t i = 0; i < n->n_hosts; i++) {
		struct net_host *known = &n->hosts[i].host;

		if (memcmp(known->mac, host->mac, 6) == 0)
			slot = &n->hosts[i];
		else if (host->has_address && known->has_address &&
			 known->address.s_addr == host->address.s_addr)
			/* A pinned MAC is not the one that the configuration gives
			 * that place now; who comes has the address. */
			known->has_address = false;
	}
	if (slot && same_host(&slot->host, host) && str_eq(slot->name, name))
		return 0;
	if (!slot) {
		if (n->n_hosts == NETWORK_HOSTS_MAX)
			return error_set(err, E2BIG, "more than %d hosts", NETWORK_HOSTS_MAX);
		grown = reallocarray(n->hosts, n->n_hosts + 1, sizeof(*grown));
		if (!grown)
			return error_oom(err);
		n->hosts = grown;
		slot = &grown[n->n_hosts++];
	}
	slot->host = *host;
	(void)str_format(slot->name, sizeof(slot->name), "%s", name);
	return 1;
}

int network_hosts_from_lab(struct network *n, struct error *err)
{
	const struct lab *lab = n->options->lab;
	int rc = 0;

	for (size_t i = 0; i < lab->n_vms && rc >= 0; i++)
		for (size_t j = 0; j < lab->vms[i].n_nics && rc >= 0; j++) {
			const struct spec_nic *nic = &lab->vms[i].nics[j];
			struct net_host host = {
				.has_address = nic->has_address,
				.address = nic->address,
			};

			memcpy(host.mac, nic->mac, sizeof(host.mac));
			if (nic->network == n->options->net)
				rc = put_host(n, lab->vms[i].name, &host, err);
		}
	return rc < 0 ? rc : 0;
}

int network_write_hosts(struct network *n, struct error *err)
{
	cleanup_free struct net_host *list = calloc(n->n_hosts + 1, sizeof(*list));
	cleanup_strbuf struct strbuf hosts = {0}, names = {0};
	int rc;

	if (!list)
		return error_oom(err);
	for (size_t i = 0; i < n->n_hosts; i++) {
		list[i] = n->hosts[i].host;
		list[i].name = n->hosts[i].name;
	}
	net_dnsmasq_hosts(list, n->n_hosts, &hosts);
	net_dnsmasq_addn_hosts(list, n->n_hosts, n->options->net->domain, &names);
	if (hosts.failed || names.failed)
		return error_oom(err);
	rc = file_write_volatile(n->state_dirfd, "hosts", hosts.data, hosts.len, 0644, err);
	if (rc == 0)
		rc = file_write_volatile(n->state_dirfd, "addn-hosts", names.data, names.len, 0644,
					 err);
	return rc;
}

int network_tell_hosts(struct network *n, struct error *err)
{
	int rc = network_write_hosts(n, err);

	if (rc < 0)
		return rc;
	n->hosts_changed = !n->dnsmasq_ready;
	if (n->dnsmasq_ready)
		(void)child_signal(&n->dnsmasq, SIGHUP, NULL);
	return 0;
}

/* One NIC of a machine that runs. */
static void rejoin_nic(struct network *n, const char *vm, size_t index, json_t *nic)
{
	const char *network = json_get_string(nic, "network"), *tap = json_get_string(nic, "tap");
	const char *mac = json_get_string(nic, "mac"), *address = json_get_string(nic, "address");
	struct net_host host = {0};
	struct error err = ERROR_INIT;
	char name[1][IFNAMSIZ];
	struct owner owner;
	int rc;

	if (!network || !str_eq(network, n->options->net->name) || !tap || !mac ||
	    !json_parse_mac(mac, host.mac) || !str_format(name[0], IFNAMSIZ, "%s", tap))
		return;
	owner_of_nic(&owner, n->options->paths, vm, index);
	rc = net_taps_rejoin(&(struct net_tap){.bridge = n->options->net->bridge,
					       .bridge_owner = n->owner.text,
					       .owner = owner.text,
					       .mtu = n->options->net->mtu},
			     1, name, &err);
	if (rc < 0)
		log_error("network '%s': TAP '%s' of vm '%s': %s", network, tap, vm, err.text);
	if (rc <= 0)
		return;
	n->was_used = true;
	host.has_address = address && inet_pton(AF_INET, address, &host.address) == 1;
	(void)put_host(n, vm, &host, NULL);
}

void network_rejoin(struct network *n)
{
	cleanup_free char *folder = str_printf("%s/vm", n->options->paths->run);
	cleanup_closedir DIR *dir = folder ? opendir(folder) : NULL;
	struct dirent *entry;

	while (dir && (entry = readdir(dir))) {
		cleanup_json json_t *status = NULL;
		json_t *nic;
		bool served;
		size_t i;

		if (!str_is_name(entry->d_name) ||
		    rundir_read_status(n->options->paths, PATHS_VM, entry->d_name, &status, &served,
				       NULL) < 0)
			continue;
		json_array_foreach (json_object_get(status, "nics"), i, nic)
			rejoin_nic(n, entry->d_name, i, nic);
	}
	if (!n->was_used || !n->options->net->dhcp)
		return;
	(void)network_tell_hosts(n, NULL);
}

static void cmd_attach(struct network *n, struct control_call *call, json_t *args)
{
	const char *vm = NULL, *mac = NULL, *address = NULL;
	struct net_host host = {0};
	struct error err = ERROR_INIT;
	json_error_t fault;
	int rc;

	if (json_unpack_ex(args, &fault, JSON_STRICT, "{s:s s:s s?s}", "vm", &vm, "mac", &mac,
			   "address", &address) < 0 ||
	    !str_is_name(vm) || !json_parse_mac(mac, host.mac) ||
	    (address && inet_pton(AF_INET, address, &host.address) != 1)) {
		control_fail(call, "GenericError", "hv-net-attach takes vm, mac and address");
		return;
	}
	/* No answer: it hears of the end when all is undone. */
	if (n->ending)
		return;
	if (n->n_users == NETWORK_USERS_MAX) {
		control_fail(call, "GenericError", "it has too many users");
		return;
	}
	host.has_address = address != NULL;
	rc = put_host(n, vm, &host, &err);
	if (rc > 0 && n->options->net->dhcp) {
		rc = network_tell_hosts(n, &err);
	}
	if (rc < 0) {
		control_fail(call, "GenericError", err.text);
		return;
	}
	n->users[n->n_users].client = control_call_client(call);
	(void)str_format(n->users[n->n_users].vm, sizeof(n->users[0].vm), "%s", vm);
	n->n_users++;
	n->was_used = true;
	network_write_status(n);
	control_reply(call, NULL);
}

static bool is_unused(const struct network *n)
{
	char(*ports)[IFNAMSIZ] = NULL;
	size_t n_ports = 0;

	if (n->keep || n->n_users || !n->ready)
		return false;
	/* A guest whose supervisor was killed still has its TAPs. */
	if (net_bridge_ports(n->options->net->bridge, &ports, &n_ports, NULL) < 0)
		n_ports = 0;
	free(ports);
	return n_ports == 0;
}

void network_end_if_unused(struct network *n)
{
	if (is_unused(n))
		network_end(n);
}

static void on_gone(unsigned client, void *arg)
{
	struct network *n = arg;
	size_t kept = 0;

	for (size_t i = 0; i < n->n_users; i++)
		if (n->users[i].client != client)
			n->users[kept++] = n->users[i];
	if (kept == n->n_users)
		return;
	n->n_users = kept;
	network_write_status(n);
	network_end_if_unused(n);
}

static void cmd_keep(struct network *n, struct control_call *call, json_t *args)
{
	(void)args;
	n->keep = true;
	network_write_status(n);
	control_reply(call, NULL);
}

/* Answered when it is gone, or at once where it stays. */
static void cmd_release(struct network *n, struct control_call *call, json_t *args)
{
	(void)args;
	if (!is_unused(n) || n->down_call) {
		control_reply(call, NULL);
		return;
	}
	n->down_call = call;
	network_end(n);
}

static void cmd_down(struct network *n, struct control_call *call, json_t *args)
{
	cleanup_strbuf struct strbuf text = {0};
	char(*ports)[IFNAMSIZ] = NULL;
	size_t n_ports = 0;
	int force = 0;

	if (args && json_unpack(args, "{s?b}", "force", &force) < 0) {
		control_fail(call, "GenericError", "hv-net-down takes force");
		return;
	}
	(void)net_bridge_ports(n->options->net->bridge, &ports, &n_ports, NULL);
	free(ports);
	if ((n->n_users || n_ports) && !force) {
		strbuf_addf(&text, "it is in use by");
		for (size_t i = 0; i < n->n_users; i++)
			strbuf_addf(&text, "%s vm '%s'", i ? "," : "", n->users[i].vm);
		if (!n->n_users)
			strbuf_addf(&text, " %zu interface%s on its bridge", n_ports,
				    n_ports == 1 ? "" : "s");
		strbuf_addf(&text, " (--force cuts them off)");
		control_fail(call, "GenericError", text.data ? text.data : "it is in use");
		return;
	}
	if (n->down_call) {
		control_fail(call, "GenericError", "it is going down already");
		return;
	}
	n->down_call = call;
	network_end(n);
}

static void cmd_status(struct network *n, struct control_call *call, json_t *args)
{
	(void)args;
	control_reply(call, rundir_own_status(&n->run));
}

static const struct {
	const char *name;
	void (*run)(struct network *n, struct control_call *call, json_t *args);
} commands[] = {
	{"hv-net-attach", cmd_attach}, {"hv-net-keep", cmd_keep}, {"hv-net-release", cmd_release},
	{"hv-net-down", cmd_down},     {"hv-status", cmd_status},
};

static void on_command(struct control_call *call, const char *name, json_t *args, const int *fds,
		       size_t n_fds, void *arg)
{
	char desc[300];

	(void)fds;
	(void)n_fds;
	for (size_t i = 0; i < ARRAY_SIZE(commands); i++)
		if (str_eq(name, commands[i].name)) {
			commands[i].run(arg, call, args);
			return;
		}
	(void)str_format(desc, sizeof(desc), "The command %s has not been found", name);
	control_fail(call, "CommandNotFound", desc);
}

const struct control_handlers network_commands = {
	.command = on_command,
	.gone = on_gone,
};
