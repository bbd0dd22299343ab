/* SPDX-License-Identifier: MIT */
/* Where a guest can be reached. */
#ifndef HV_CLI_ADDRESS_H
#define HV_CLI_ADDRESS_H

#include "cli/agent.h"

struct strv;

/* Adds the addresses of its leases, by its status. */
void cli_add_lease_addresses(struct strv *into, json_t *status);

/* What its agent says of its interfaces; the caller's reference. */
int cli_ask_interfaces(struct cli *cli, const char *name, json_t **ret_interfaces,
		       struct error *err);

/* Adds the addresses in them, but for loopback and link-local ones and what is no address. */
void cli_add_agent_addresses(struct strv *into, json_t *interfaces);

/*
 * An address for a connection from here: a lease where there is one, for the network that
 * gave it is ours, else what the agent says, version 4 first. -EADDRNOTAVAIL: none. The
 * caller frees it. Asks the agent only where status says that it is there.
 */
int cli_find_address(struct cli *cli, const struct spec_vm *vm, json_t *status, char **ret_address,
		     struct error *err);

#endif
