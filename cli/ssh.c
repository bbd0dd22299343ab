/* SPDX-License-Identifier: MIT */
#include "base/cleanup.h"
#include "base/file.h"
#include "base/str.h"
#include "cli/address.h"
#include "cli/common.h"
#include "cli/program.h"
#include "cli/vsock.h"
#include "vmm/json.h"
#include "vmm/states.h"
#include "vmm/vm_status.h"

#include <errno.h>
#include <unistd.h>

enum { SSH_PORT = 22 };

/* ssh has a shell exec its proxy command, after it has put values in for what stands behind "%". */
static void add_quoted(struct strbuf *into, const char *path)
{
	strbuf_add(into, "'", 1);
	for (const char *p = path; *p; p++) {
		if (*p == '\'')
			strbuf_addf(into, "'\\''");
		else
			strbuf_addf(into, *p == '%' ? "%%%%" : "%c", *p);
	}
	strbuf_add(into, "'", 1);
}

static int add_proxy(struct strv *argv, uint32_t cid, struct error *err)
{
	cleanup_strbuf struct strbuf command = {0};
	cleanup_free char *self = NULL;
	int rc = cli_program_remember(&self, err);

	if (rc < 0)
		return rc;
	strbuf_addf(&command, "ProxyCommand=");
	add_quoted(&command, self);
	strbuf_addf(&command, " vsock-connect %u %d", cid, SSH_PORT);
	if (command.failed)
		return error_oom(err);
	strv_add(argv, "-o");
	strv_add(argv, command.data);
	strv_add(argv, "-o");
	strv_add(argv, "ProxyUseFdpass=yes");
	return 0;
}

static bool is_down(json_t *status)
{
	const char *state = json_get_string(status, "state");

	return state && (str_eq(state, vm_state_name(VM_STATE_STOPPED)) ||
			 str_eq(state, vm_state_name(VM_STATE_CRASHED)));
}

/* By an address, else by vsock, where both ends have that. */
static int find_way(struct cli *cli, const struct spec_vm *vm, json_t *status, struct strv *argv,
		    char **ret_host)
{
	uint32_t cid = cli_vsock_of(status);
	int rc = cli_find_address(cli, vm, status, ret_host, &cli->err);

	if (rc == -EADDRNOTAVAIL && is_down(status))
		return error_set(&cli->err, ENOTCONN, "vm '%s' is not up (hv up %s)", vm->name,
				 vm->name);
	if (rc == -EADDRNOTAVAIL && !cid)
		return error_set(
			&cli->err, EADDRNOTAVAIL,
			"vm '%s': no address is known, neither by a lease nor by its agent, "
			"and it has no vsock (hv exec and hv console go without)",
			vm->name);
	if (rc != -EADDRNOTAVAIL)
		return rc;
	cli->err = (struct error)ERROR_INIT;
	*ret_host = strdup(vm->name);
	return *ret_host ? add_proxy(argv, cid, &cli->err) : error_oom(&cli->err);
}

static int run(struct cli *cli)
{
	cleanup_free char *host = NULL, *program = file_find_program("ssh");
	const char *at = strrchr(cli->names[0], '@'), *name = at ? at + 1 : cli->names[0];
	cleanup_json json_t *status = NULL;
	cleanup_strv struct strv argv = {0};
	const struct spec_vm *vm;
	int rc;

	rc = cli_find_any_vm(cli, name, &vm);
	if (rc == 0)
		rc = vm_status_read(&cli->paths, vm, &status, &cli->err);
	strv_add(&argv, "ssh");
	if (rc == 0)
		rc = find_way(cli, vm, status, &argv, &host);
	if (rc < 0)
		return rc;
	if (!program)
		return error_set(&cli->err, ENOENT, "ssh is not installed");
	/* Known by its name: addresses pass from one guest to the next. */
	strv_add(&argv, "-o");
	strv_addf(&argv, "HostKeyAlias=%s", vm->name);
	if (at) {
		strv_add(&argv, "-l");
		strv_addf(&argv, "%.*s", (int)(at - cli->names[0]), cli->names[0]);
	}
	/* ssh takes options behind the address, too, up to the command. */
	strv_add(&argv, host);
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
	.text = "The address is that of a lease, else what the agent says; where there is none and "
		"the machine\nhas a vsock, ssh goes by that, to port 22. Arguments go to ssh as they "
		"are, behind the address:\noptions of its own, or a command. The host key is known by "
		"the machine's name.",
	.min_names = 1,
	.max_names = SIZE_MAX,
	.names = CLI_NAMES_VM,
	.lab = CLI_LAB_OPTIONAL,
	.takes_command = true,
	.run = run,
};
