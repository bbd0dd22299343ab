/* SPDX-License-Identifier: MIT */
/*
 * Who uses a network. What goes in the end is the TAPs on the bridge, which the kernel
 * keeps the books of; who announces himself counts before he has any, and is known by
 * name.
 */
#include "vmm/network/network_private.h"

#include "base/cleanup.h"
#include "base/log.h"
#include "net/link.h"
#include "vmm/json.h"

#include <arpa/inet.h>
#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/socket.h>

static void user_free(struct network_user *u)
{
	sd_event_source_disable_unref(u->source);
	/* Also where a supervisor that hangs has it, too. */
	if (u->connection >= 0)
		(void)shutdown(u->connection, SHUT_RDWR);
	close_fd(&u->connection);
	free(u);
}

static void remove_user(struct network *n, struct network_user *u)
{
	for (size_t i = 0; i < n->n_users; i++)
		if (n->users[i] == u) {
			n->users[i] = n->users[--n->n_users];
			user_free(u);
			return;
		}
}

void network_drop_user(struct network *n, struct network_user *u)
{
	remove_user(n, u);
	if (n->ending)
		return;
	network_write_status(n);
	network_end_if_unused(n);
}

void network_drop_users(struct network *n)
{
	while (n->n_users)
		user_free(n->users[--n->n_users]);
}

struct network_user *network_find_user(struct network *n, uint32_t serial)
{
	for (size_t i = 0; i < n->n_users; i++)
		if (n->users[i]->serial == serial)
			return n->users[i];
	return NULL;
}

static int on_hang_up(sd_event_source *source, int fd, uint32_t revents, void *userdata)
{
	struct network_user *u = userdata;

	(void)source;
	(void)fd;
	(void)revents;
	network_drop_user(u->network, u);
	return 0;
}

static struct network_user *find_mac(struct network *n, const uint8_t mac[static MAC_BYTES],
				     bool found)
{
	for (size_t i = 0; i < n->n_users; i++)
		if (memcmp(n->users[i]->mac, mac, MAC_BYTES) == 0 &&
		    (n->users[i]->connection < 0 || !found))
			return n->users[i];
	return NULL;
}

static struct network_user *user_new(struct network *n, const char *vm,
				     const uint8_t mac[static MAC_BYTES])
{
	struct network_user *u = calloc(1, sizeof(*u));

	if (!u)
		return NULL;
	u->network = n;
	u->connection = -1;
	(void)str_format(u->vm, sizeof(u->vm), "%s", vm);
	memcpy(u->mac, mac, sizeof(u->mac));
	return u;
}

int network_add_user(struct network *n, const struct network_request *request, int connection,
		     struct error *err)
{
	cleanup_close int fd = connection;
	struct network_user *found, *u;
	int rc;

	/* A machine that ran on while the network had no keeper comes back. */
	found = find_mac(n, request->mac, true);
	if (found)
		remove_user(n, found);
	if (n->n_users == NETWORK_USERS_MAX)
		return error_set(err, EUSERS, "it has too many users");
	u = user_new(n, request->vm, request->mac);
	if (!u)
		return error_oom(err);
	u->serial = request->serial;
	u->connection = steal_fd(&fd);
	/* Its end alone; what it says is not the keeper's to read. */
	rc = sd_event_add_io(n->event, &u->source, u->connection, EPOLLRDHUP, on_hang_up, u);
	if (rc < 0) {
		user_free(u);
		return error_errno(err, -rc, "watch the connection of vm '%s'", request->vm);
	}
	n->users[n->n_users++] = u;
	n->was_used = true;
	network_write_status(n);
	return 0;
}

void network_disown_users(struct network *n)
{
	for (size_t i = n->n_users; i-- > 0;) {
		n->users[i]->serial = 0;
		/* It hears that the connection ends, and tries again. */
		if (n->users[i]->connection >= 0 && !n->users[i]->told)
			remove_user(n, n->users[i]);
	}
}

static bool has_tap(const struct network *n, const struct network_user *u)
{
	struct owner owner;

	owner_of_nic(&owner, n->options->paths, u->vm, u->nic);
	return net_link_is_ours(u->tap, owner.text);
}

void network_look_at_taps(struct network *n)
{
	size_t before = n->n_users;

	for (size_t i = n->n_users; i-- > 0;)
		if (n->users[i]->connection < 0 && !has_tap(n, n->users[i]))
			remove_user(n, n->users[i]);
	if (n->n_users != before)
		network_write_status(n);
}

/* A machine that runs; what it is called is all that it is good for here. */
static void add_found(struct network *n, const char *vm, size_t nic, const char *tap,
		      const uint8_t mac[static MAC_BYTES])
{
	struct network_user *u;

	if (find_mac(n, mac, false) || n->n_users == NETWORK_USERS_MAX)
		return;
	u = user_new(n, vm, mac);
	if (!u)
		return;
	u->nic = nic;
	(void)str_format(u->tap, sizeof(u->tap), "%s", tap);
	n->users[n->n_users++] = u;
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
	add_found(n, vm, index, tap, host.mac);
	host.has_address = address && inet_pton(AF_INET, address, &host.address) == 1;
	(void)network_put_host(n, vm, &host, NULL);
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

json_t *network_describe_users(const struct network *n)
{
	json_t *names = json_array();

	for (size_t i = 0; i < n->n_users; i++) {
		size_t before = 0;

		while (before < i && !str_eq(n->users[before]->vm, n->users[i]->vm))
			before++;
		if (before == i)
			(void)json_array_append_new(names, json_string(n->users[i]->vm));
	}
	return names;
}

bool network_is_unused(const struct network *n)
{
	char(*ports)[IFNAMSIZ] = NULL;
	size_t n_ports = 0;

	if (n->keep || n->n_users || !n->ready)
		return false;
	/* A guest whose keeper was killed still has its TAPs. */
	if (net_bridge_ports(n->options->net->bridge, &ports, &n_ports, NULL) < 0)
		n_ports = 0;
	free(ports);
	return n_ports == 0;
}

void network_end_if_unused(struct network *n)
{
	if (network_is_unused(n))
		network_end(n);
}
