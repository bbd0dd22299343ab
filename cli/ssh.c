/* SPDX-License-Identifier: MIT */
#include "base/cleanup.h"
#include "base/file.h"
#include "base/str.h"
#include "cli/address.h"
#include "cli/common.h"
#include "vmm/vm_status.h"

#include <errno.h>
#include <unistd.h>

static int run(struct cli *cli)
{
	cleanup_free char *address = NULL, *program = file_find_program("ssh");
	const char *at = strrchr(cli->names[0], '@'), *name = at ? at + 1 : cli->names[0];
	cleanup_json json_t *status = NULL;
	cleanup_strv struct strv argv = {0};
	const struct spec_vm *vm;
	int rc;

	rc = cli_find_any_vm(cli, name, &vm);
	if (rc == 0)
		rc = vm_status_read(&cli->paths, vm, &status, &cli->err);
	if (rc == 0)
		rc = cli_find_address(cli, vm, status, &address, &cli->err);
	if (rc < 0)
		return rc;
	if (!program)
		return error_set(&cli->err, ENOENT, "ssh is not installed");
	strv_add(&argv, "ssh");
	/* Known by its name: addresses pass from one guest to the next. */
	strv_add(&argv, "-o");
	strv_addf(&argv, "HostKeyAlias=%s", vm->name);
	if (at) {
		strv_add(&argv, "-l");
		strv_addf(&argv, "%.*s", (int)(at - cli->names[0]), cli->names[0]);
	}
	/* ssh takes options behind the address, too, up to the command. */
	strv_add(&argv, address);
	for (size_t i = 1; i < cli->n_names; i++)
		if (i > 1 || !str_eq(cli->names[i], "--"))
			strv_add(&argv, cli->names[i]);
	if (argv.failed)
		return error_oom(&cli->err);
	(void)execv(program, argv.v);
	return error_errno(&cli->err, errno, "run '%s'", program);
}

const struct verb verb_ssh = {
	.name = "ssh",
	.args = "[USER@]NAME [ARGUMENTS…]",
	.summary = "log in to a guest by the user's own ssh",
	.text = "The address is that of a lease, else what the agent says. Arguments go to ssh as "
		"they are,\nbehind the address: options of its own, or a command. The host key is "
		"known by the\nmachine's name.",
	.min_names = 1,
	.max_names = SIZE_MAX,
	.names = CLI_NAMES_VM,
	.lab = CLI_LAB_OPTIONAL,
	.takes_command = true,
	.run = run,
};
