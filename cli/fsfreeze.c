/* SPDX-License-Identifier: MIT */
#include "base/cleanup.h"
#include "cli/agent.h"
#include "cli/common.h"

#include <errno.h>

/* What is under way is written out first. */
enum { FREEZE_MS = 120 * 1000 };

static int ask_all(struct cli *cli, const char *command, const char *what)
{
	for (size_t i = 0; i < cli->n_names; i++) {
		cleanup_agent struct cli_agent agent = {0};
		cleanup_json json_t *result = NULL;
		struct error err = ERROR_INIT;
		json_int_t n;
		int rc = cli_agent_open(cli, cli->names[i], &agent, &err);

		if (rc == 0)
			rc = cli_agent_call(&agent, command, NULL, FREEZE_MS, &result, &err);
		if (rc == 0 && !json_is_integer(result))
			rc = error_set(&err, EPROTO, "vm '%s': the agent answers with nonsense",
				       agent.name);
		if (rc < 0) {
			cli_tell(&err);
			cli->exit_code = CLI_FAILED;
			continue;
		}
		n = json_integer_value(result);
		(void)printf("%s: %lld file system%s %s %s\n", agent.name, (long long)n,
			     n == 1 ? "" : "s", n == 1 ? "is" : "are", what);
	}
	return 0;
}

static int run_freeze(struct cli *cli)
{
	return ask_all(cli, "guest-fsfreeze-freeze", "frozen");
}

static int run_thaw(struct cli *cli)
{
	return ask_all(cli, "guest-fsfreeze-thaw", "thawed");
}

const struct verb verb_fsfreeze = {
	.name = "fsfreeze",
	.args = "NAME…",
	.summary = "freeze a guest's file systems, for a copy of its disks",
	.text = "What is to be written waits until hv fsthaw. Meanwhile the agent does little else.",
	.min_names = 1,
	.max_names = SIZE_MAX,
	.names = CLI_NAMES_VM,
	.lab = CLI_LAB_OPTIONAL,
	.run = run_freeze,
};

const struct verb verb_fsthaw = {
	.name = "fsthaw",
	.args = "NAME…",
	.summary = "let a guest write to its file systems again",
	.min_names = 1,
	.max_names = SIZE_MAX,
	.names = CLI_NAMES_VM,
	.lab = CLI_LAB_OPTIONAL,
	.run = run_thaw,
};
