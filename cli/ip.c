/* SPDX-License-Identifier: MIT */
#include "base/cleanup.h"
#include "base/str.h"
#include "cli/address.h"
#include "cli/common.h"
#include "vmm/vm_status.h"

#include <errno.h>

enum { OPT_JSON };

static const struct cli_option options[] = {
	[OPT_JSON] = {"json", 'j', NULL, "as a JSON array", false, false},
	{0},
};

static int print(struct cli *cli, const struct strv *addresses)
{
	json_t *list = cli->values[OPT_JSON] ? json_array() : NULL;

	for (size_t i = 0; i < addresses->n; i++)
		if (list)
			(void)json_array_append_new(list, json_string(addresses->v[i]));
		else
			(void)puts(addresses->v[i]);
	return cli->values[OPT_JSON] ? cli_print_json(cli, list) : 0;
}

static int run(struct cli *cli)
{
	cleanup_json json_t *status = NULL, *interfaces = NULL;
	cleanup_strv struct strv addresses = {0};
	const struct spec_vm *vm;
	int rc;

	rc = cli_find_any_vm(cli, cli->names[0], &vm);
	if (rc == 0)
		rc = vm_status_read(&cli->paths, vm, &status, &cli->err);
	if (rc < 0)
		return rc;
	/* An agent that does not answer is no reason to know nothing. */
	if (json_is_true(json_object_get(status, "agent")) &&
	    cli_ask_interfaces(cli, vm->name, &interfaces, NULL) == 0)
		cli_add_agent_addresses(&addresses, interfaces);
	if (!addresses.n)
		cli_add_lease_addresses(&addresses, status);
	if (!addresses.n)
		return error_set(&cli->err, EADDRNOTAVAIL, "vm '%s': no address is known",
				 vm->name);
	return print(cli, &addresses);
}

const struct verb verb_ip = {
	.name = "ip",
	.args = "NAME",
	.summary = "print a guest's addresses, one a line",
	.text = "By its agent where it answers, else by the leases of its networks.",
	.options = options,
	.min_names = 1,
	.max_names = 1,
	.names = CLI_NAMES_VM,
	.lab = CLI_LAB_OPTIONAL,
	.run = run,
};
