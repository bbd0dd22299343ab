/* SPDX-License-Identifier: MIT */
#include "base/cleanup.h"
#include "cli/common.h"
#include "cli/qmp_shell.h"

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

enum { OPTION_JSON };

/* Lines from standard input. One that fails is told with its number, and the next one is
 * run all the same. */
static int run_script(struct cli *cli, struct qmp_shell *s)
{
	cleanup_free char *line = NULL;
	size_t size = 0, number = 0;
	ssize_t n;

	while (!s->leaves && (n = getline(&line, &size, stdin)) > 0) {
		int rc;

		number++;
		line[strcspn(line, "\r\n")] = '\0';
		rc = (size_t)n > strlen(line) + 2 ? error_set(&s->err, EINVAL, "a byte that is 0")
						  : shell_run_line(s, line);
		(void)fflush(stdout);
		if (rc == 0)
			continue;
		cli->exit_code = CLI_FAILED;
		rc = error_wrap(&s->err, rc, "vm '%s': line %zu", s->vm, number);
		cli_tell(&s->err);
		if (rc == -ECONNRESET || rc == -EPIPE)
			break;
	}
	return 0;
}

static int run(struct cli *cli)
{
	const struct spec_vm *vm;
	struct qmp_shell s;
	int rc = cli_find_any_vm(cli, cli->names[0], &vm);

	if (rc == 0)
		rc = shell_open(cli, vm->name, &s);
	if (rc < 0)
		return rc;
	s.as_json = cli->values[OPTION_JSON] != NULL;
	s.terminal = isatty(STDOUT_FILENO);
	s.colour = s.terminal && !s.as_json && !getenv("NO_COLOR");
	if (cli->n_names > 1) {
		rc = shell_run_words(&s, cli->names + 1, cli->n_names - 1);
		if (rc < 0) {
			cli->err = s.err;
			(void)error_wrap(&cli->err, rc, "vm '%s'", vm->name);
		}
	} else if (isatty(STDIN_FILENO) && s.terminal) {
		s.shows_all = true;
		rc = shell_edit(&s);
		if (rc < 0)
			cli->err = s.err;
	} else {
		rc = run_script(cli, &s);
	}
	shell_close(&s);
	return rc;
}

static const struct cli_option options[] = {
	[OPTION_JSON] = {"json", 0, NULL, "whole answers and events as they came, one a line",
			 false},
	{0},
};

const struct verb verb_qmp = {
	.name = "qmp",
	.args = "NAME [COMMAND [KEY=VALUE…]]",
	.summary = "QEMU's monitor: one command, a script on standard input, or a shell",
	.text = "KEY=VALUE is of the type that QEMU's schema says (sizes may have a suffix, lists "
		"commas), dots lead into objects, KEY:=JSON is JSON. A whole request in JSON does as "
		"well; hmp or a colon in front makes a line one of the human monitor, whose errors are "
		"text like any other and no failure. help, events, "
		"wait EVENT [SECONDS], watch COMMAND [SECONDS], jobs and exit are the shell's own. "
		"hvup's own commands begin with hv-. Ends with 1 where a command failed; the shell, "
		"where the last one did.",
	.options = options,
	.min_names = 1,
	.max_names = 256,
	.names = CLI_NAMES_VM,
	.lab = CLI_LAB_OPTIONAL,
	.run = run,
};
