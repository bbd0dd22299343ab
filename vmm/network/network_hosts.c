/* SPDX-License-Identifier: MIT */
/* Which hosts a network's dnsmasq knows. */
#include "vmm/network/network_private.h"

#include "base/cleanup.h"
#include "base/file.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>

static bool same_host(const struct net_host *a, const struct net_host *b)
{
	return memcmp(a->mac, b->mac, 6) == 0 && a->has_address == b->has_address &&
	       (!a->has_address || a->address.s_addr == b->address.s_addr);
}

int network_put_host(struct network *n, const char *name, const struct net_host *host,
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
				rc = network_put_host(n, lab->vms[i].name, &host, err);
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
