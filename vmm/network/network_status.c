/* SPDX-License-Identifier: MIT */
/* What anybody may know of a network, from its files. */
#include "vmm/network/network_private.h"

#include "base/cleanup.h"
#include "vmm/json.h"
#include "vmm/network/leases.h"

#include <arpa/inet.h>

json_t *network_describe(const struct spec_network *net)
{
	char address[INET_ADDRSTRLEN + 4], first[INET_ADDRSTRLEN], last[INET_ADDRSTRLEN];
	char range[2 * INET_ADDRSTRLEN + 2];

	(void)inet_ntop(AF_INET, &net->address, address, INET_ADDRSTRLEN);
	(void)str_format(address + strlen(address), 4, "/%u", net->prefix);
	(void)inet_ntop(AF_INET, &net->dhcp_first, first, sizeof(first));
	(void)inet_ntop(AF_INET, &net->dhcp_last, last, sizeof(last));
	(void)str_format(range, sizeof(range), "%s-%s", first, last);
	return json_pack("{s:s s:s s:s s:s s:b s:s? s:s? s:b s:[] s:n s:n s:n}", "name", net->name,
			 "state", "down", "bridge", net->bridge, "address", address, "nat",
			 net->nat, "dhcp", net->dhcp ? range : NULL, "domain", net->domain, "keep",
			 0, "users", "keeper", "supervisor", "dnsmasq");
}

int network_status_read(const struct paths *paths, const struct spec_network *net,
			json_t **ret_status, struct error *err)
{
	cleanup_json json_t *status = NULL;
	bool served;
	int rc;

	rc = rundir_read_status(paths, PATHS_NET, net->name, &status, &served, err);
	if (rc < 0)
		return rc;
	*ret_status = status && served ? json_incref(status) : network_describe(net);
	return *ret_status ? 0 : error_oom(err);
}

int network_leases_read(const struct paths *paths, const char *name, json_t **ret_list,
			struct error *err)
{
	cleanup_free struct net_lease *leases = NULL;
	json_t *list;
	size_t n;
	int rc;

	rc = leases_load(paths, name, &leases, &n, err);
	if (rc < 0)
		return error_wrap(err, rc, "network '%s': leases", name);
	list = json_array();
	for (size_t i = 0; list && i < n; i++) {
		char address[INET_ADDRSTRLEN], mac[MAC_TEXT_SIZE];

		(void)inet_ntop(AF_INET, &leases[i].address, address, sizeof(address));
		mac_format(mac, leases[i].mac);
		(void)json_array_append_new(
			list, json_pack("{s:s s:s s:s? s:I}", "address", address, "mac", mac,
					"hostname", *leases[i].hostname ? leases[i].hostname : NULL,
					"expires", (json_int_t)leases[i].expires));
	}
	if (!list)
		return error_oom(err);
	*ret_list = list;
	return 0;
}
