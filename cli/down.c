/* SPDX-License-Identifier: MIT */
#include "cli/stop.h"

#include "base/cleanup.h"
#include "cli/common.h"
#include "vmm/layers/layers.h"

#include <errno.h>

enum { OPT_TIMEOUT, OPT_FORCE };

static const struct cli_option options[] = {
	[OPT_TIMEOUT] = {"timeout", 't', "SECONDS",
			 "how long the guest may take (its stop_timeout; 0: for ever)", false},
	[OPT_FORCE] = {"force", 'f', NULL, "end it when the time is up", false},
	{0},
};

/* The longest that one of them may take by its configuration. */
static uint64_t longest(const struct cli *cli)
{
	uint64_t seconds = 90;

	for (size_t i = 0; i < cli->n_names; i++) {
		const struct spec_vm *vm = lab_find_vm(cli->lab, cli->names[i]);

		if (vm && vm->stop_timeout_s > seconds)
			seconds = vm->stop_timeout_s;
	}
	return seconds;
}

/* A guest that stands goes on to be shut down. */
static void settle_layers(struct cli *cli)
{
	for (size_t i = 0; i < cli->n_names; i++) {
		struct error err = ERROR_INIT;
		const struct spec_vm *vm;

		if (cli_find_any_vm(cli, cli->names[i], &vm) == 0 &&
		    layers_settle(&cli->paths, vm, &err) < 0 && err.code != EBUSY) {
			(void)error_wrap(&err, -err.code, "vm '%s'", vm->name);
			cli_tell(&err);
		}
	}
}

static int run(struct cli *cli)
{
	cleanup_json json_t *args = NULL;
	uint64_t seconds;

	if (!cli_number(cli, &verb_down, OPT_TIMEOUT, 86400, longest(cli), &seconds))
		return 0;
	args = json_pack("{s:b}", "force", cli->values[OPT_FORCE] ? 1 : 0);
	if (args && cli->values[OPT_TIMEOUT])
		(void)json_object_set_new(args, "timeout-ms",
					  json_integer((json_int_t)seconds * 1000));
	if (!args)
		return error_oom(&cli->err);
	settle_layers(cli);
	/* The supervisor keeps the time; it gets some more to answer. */
	return cli_stop_all(cli, "hv-shutdown", args, seconds ? seconds + 30 : 0);
}

const struct verb verb_down = {
	.name = "down",
	.args = "NAME…",
	.summary = "shut virtual machines down in order",
	.text = "The guest is asked by its agent where it runs one, else by the power button, which "
		"is pressed\nagain while nothing happens, whatever the agent said. A guest that does "
		"not shut down in time\ngoes on running, unless --force is given; what was tried is "
		"told.",
	.options = options,
	.min_names = 1,
	.max_names = SIZE_MAX,
	.names = CLI_NAMES_VM,
	.lab = CLI_LAB_OPTIONAL,
	.run = run,
};
