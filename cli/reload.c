/* SPDX-License-Identifier: MIT */
/* reload: after an update of hv, what looks after a machine is replaced under it. */
#include "cli/common.h"

#include "base/clock.h"
#include "base/str.h"
#include "cli/spares.h"
#include "cli/start.h"
#include "cli/wait.h"
#include "vmm/json.h"
#include "vmm/vm_status.h"

#include <errno.h>

enum { RELOAD_SECONDS = 30 };

static int supervisor_pid(json_t *status)
{
	return (int)json_integer_value(
		json_object_get(json_object_get(status, "supervisor"), "pid"));
}

static int reload(struct cli *cli, const struct spec_vm *vm)
{
	struct wait_condition replaced = {.what = WAIT_REPLACED};
	struct start_job job = {.kind = PATHS_VM, .name = vm->name, .adopts = true};
	cleanup_json json_t *status = NULL;
	enum vm_state state;
	int rc = vm_status_read(&cli->paths, vm, &status, &cli->err);

	if (rc < 0)
		return error_wrap(&cli->err, rc, "vm '%s'", vm->name);
	state = vm_state_parse(json_get_string(status, "state"));
	if (state == VM_STATE_STOPPED || state == VM_STATE_CRASHED) {
		(void)printf("%s is not up\n", vm->name);
		return 0;
	}
	if (state == VM_STATE_SPARE) {
		rc = cli_spare_end(cli, vm->name);
		if (rc == 0)
			(void)printf("%s was a spare of another hv and is ended\n", vm->name);
		return rc;
	}
	if (json_is_null(json_object_get(status, "keeper"))) {
		rc = cli_start_one(cli, &job);
	} else {
		replaced.pid = supervisor_pid(status);
		rc = cli_command(cli, PATHS_VM, vm->name, "hv-reload", NULL, CLI_COMMAND_MS, NULL,
				 &cli->err);
		if (rc == 0)
			rc = cli_wait_vm(cli, vm, &replaced, true,
					 clock_now_usec() + RELOAD_SECONDS * 1000000ULL);
	}
	if (rc == 0)
		(void)printf("%s runs on, looked after by hv " HV_VERSION "\n", vm->name);
	return rc;
}

static int run(struct cli *cli)
{
	int failed = 0;

	for (size_t i = 0; i < cli->n_names; i++) {
		const struct spec_vm *vm;
		int rc = cli_find_vm(cli, cli->names[i], &vm);

		if (rc == 0)
			rc = reload(cli, vm);
		if (rc < 0) {
			cli_tell(&cli->err);
			failed = CLI_FAILED;
		}
	}
	cli->exit_code = failed;
	return 0;
}

const struct verb verb_reload = {
	.name = "reload",
	.args = "NAME…",
	.summary = "let the hv that is installed now look after running machines",
	.text = "For after an update: keeper and supervisor are replaced, the guest runs on and does "
		"not notice.\nWho is attached to its console or control socket has to connect again.",
	.min_names = 1,
	.max_names = SIZE_MAX,
	.names = CLI_NAMES_VM,
	.run = run,
};
