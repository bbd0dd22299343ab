/* SPDX-License-Identifier: MIT */
#include "cli/address.h"

#include "base/cleanup.h"
#include "base/str.h"
#include "cli/common.h"

#include <arpa/inet.h>
#include <errno.h>

enum { AGENT_MS = 5000 };

void cli_add_lease_addresses(struct strv *into, json_t *status)
{
	json_t *nic, *address;
	size_t i, j;

	json_array_foreach (json_object_get(status, "nics"), i, nic)
		json_array_foreach (json_object_get(nic, "addresses"), j, address)
			if (json_is_string(address))
				strv_add(into, json_string_value(address));
}

int cli_ask_interfaces(struct cli *cli, const char *name, json_t **ret_interfaces,
		       struct error *err)
{
	cleanup_agent struct cli_agent agent = {0};
	int rc = cli_agent_open(cli, name, &agent, err);

	return rc < 0 ? rc
		      : cli_agent_call(&agent, "guest-network-get-interfaces", NULL, AGENT_MS,
				       ret_interfaces, err);
}

/* The guest's word, so it is read strictly. */
static bool is_reachable(const char *text)
{
	struct in6_addr six;
	struct in_addr four;

	if (inet_pton(AF_INET, text, &four) == 1)
		return ntohl(four.s_addr) >> 24 != 127 && ntohl(four.s_addr) >> 16 != 0xa9fe &&
		       four.s_addr;
	return inet_pton(AF_INET6, text, &six) == 1 && !IN6_IS_ADDR_LOOPBACK(&six) &&
	       !IN6_IS_ADDR_LINKLOCAL(&six) && !IN6_IS_ADDR_UNSPECIFIED(&six);
}

static void add_of_version(struct strv *into, json_t *interfaces, bool four)
{
	json_t *interface, *entry;
	size_t i, j;

	json_array_foreach (interfaces, i, interface)
		json_array_foreach (json_object_get(interface, "ip-addresses"), j, entry) {
			const char *text = json_get_string(entry, "ip-address");

			if (text && is_reachable(text) && (strchr(text, ':') == NULL) == four)
				strv_add(into, text);
		}
}

void cli_add_agent_addresses(struct strv *into, json_t *interfaces)
{
	add_of_version(into, interfaces, true);
	add_of_version(into, interfaces, false);
}

int cli_find_address(struct cli *cli, const struct spec_vm *vm, json_t *status, char **ret_address,
		     struct error *err)
{
	cleanup_strv struct strv addresses = {0};
	cleanup_json json_t *interfaces = NULL;

	cli_add_lease_addresses(&addresses, status);
	if (!addresses.n && json_is_true(json_object_get(status, "agent")) &&
	    cli_ask_interfaces(cli, vm->name, &interfaces, NULL) == 0)
		cli_add_agent_addresses(&addresses, interfaces);
	if (!addresses.n)
		return error_set(
			err, EADDRNOTAVAIL,
			"vm '%s': no address is known, neither by a lease nor by its agent",
			vm->name);
	*ret_address = strdup(addresses.v[0]);
	return *ret_address ? 0 : error_oom(err);
}
