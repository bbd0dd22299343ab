/* SPDX-License-Identifier: MIT */
#include "cli/exec.h"

#include "base/cleanup.h"
#include "base/str.h"
#include "cli/common.h"

#include <errno.h>
#include <stdlib.h>

enum { OPT_USER, OPT_ENV, OPT_NO_STDIN, OPT_TIMEOUT };

static const struct cli_option options[] = {
	[OPT_USER] = {"user", 'u', "USER", "run it as that user of the guest (root)", false, false},
	[OPT_ENV] = {"env", 'e', "NAME=VALUE", "a variable for it; may be given more than once",
		     false, true},
	[OPT_NO_STDIN] = {"no-stdin", 'n', NULL, "standard input is not for it", false, false},
	[OPT_TIMEOUT] = {"timeout", 't', "SECONDS", "end it after that time", false, false},
	{0},
};

/* "a,b,c" as names in list, which the caller frees. */
static size_t split_names(char *list, char *names[static EXEC_NAMES_MAX])
{
	size_t n = 0;

	for (char *name; (name = strsep(&list, ","));)
		if (*name && n < EXEC_NAMES_MAX)
			names[n++] = name;
		else
			return 0;
	return n;
}

/* Machines in front of --, apart instead of by commas: a command of such a name would be rare. */
static bool are_names_apart(const struct cli *cli)
{
	size_t n = 1;

	while (n < cli->n_names && cli->lab && lab_find_vm(cli->lab, cli->names[n]))
		n++;
	return n > 1 && n < cli->n_names && str_eq(cli->names[n], "--");
}

static bool options_are_valid(struct cli *cli, struct exec_options *o)
{
	uint64_t seconds;

	if (!cli_number(cli, &verb_exec, OPT_TIMEOUT, 7 * 86400, 0, &seconds))
		return false;
	o->timeout_ms = seconds * 1000;
	o->no_input = cli->values[OPT_NO_STDIN];
	o->command.user = cli->values[OPT_USER];
	o->command.env = cli->many;
	for (char *const *e = cli->many; *e; e++)
		if (!guest_env_is_valid(*e)) {
			(void)cli_usage(cli, &verb_exec, "--env takes NAME=VALUE, not '%s'", *e);
			return false;
		}
	if (o->command.user && !guest_user_is_valid(o->command.user)) {
		(void)cli_usage(cli, &verb_exec, "'%s' is no name of a user", o->command.user);
		return false;
	}
	return true;
}

static int run(struct cli *cli)
{
	struct exec_options o = {.command = {.argv = cli->names + 1}};
	cleanup_free char *list = strdup(cli->names[0]);
	char *names[EXEC_NAMES_MAX];
	struct error err = ERROR_INIT;
	size_t n = list ? split_names(list, names) : 0;
	int status, rc;

	if (!n)
		return cli_usage(cli, &verb_exec, "'%s' is no list of at most %d names",
				 cli->names[0], EXEC_NAMES_MAX);
	if (are_names_apart(cli))
		return cli_usage(cli, &verb_exec, "several machines are one list: '%s,%s'",
				 cli->names[0], cli->names[1]);
	if (!options_are_valid(cli, &o))
		return 0;
	rc = n == 1 ? exec_run(cli, names[0], &o, &status, &err)
		    : exec_many(cli, names, n, &o, &status, &err);
	if (rc < 0)
		cli_tell(&err);
	cli->exit_code = rc < 0 ? EXEC_FAILED : status;
	return 0;
}

const struct verb verb_exec = {
	.name = "exec",
	.args = "NAME[,NAME…] -- COMMAND…",
	.summary = "run a command in a guest, by its agent",
	.text = "The command's exit status is that of hv, 128 and the number where a signal ended "
		"it, and\n255 where hv itself failed. Its standard output and error stay apart and "
		"come as they are\nwritten, in a guest with a shell; standard input goes the other "
		"way. What is written\npasses through files in the guest's /tmp, which only root may "
		"read and which are gone with\nthe command. Arguments are not quoted or read by a "
		"shell, and are no options of hv, also\nwithout --. An interrupt ends the command, "
		"which has ten seconds for it, and an agent that\nis silent three; a second one does "
		"not wait, and leaves it running.\n"
		"In several guests it runs side by side, without standard input; each line has the "
		"guest's\nname in front, and the highest exit status counts.\n"
		"On Windows output comes when the command has ended, an exit status beyond 255 is "
		"255,\nand `powershell SCRIPT` takes any script as it is, by -EncodedCommand; --env "
		"is for such\na script only. There its agent runs everything as its own service, so "
		"--user is refused (take hv ssh, or\na scheduled task: schtasks /create /ru USER); a "
		"terminal is no standard input.",
	.options = options,
	.min_names = 2,
	.max_names = SIZE_MAX,
	.names = CLI_NAMES_VM,
	.ends_in_command = true,
	.lab = CLI_LAB_OPTIONAL,
	.run = run,
};
