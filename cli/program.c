/* SPDX-License-Identifier: MIT */
#include "cli/program.h"

#include "base/cleanup.h"
#include "base/error.h"

#include <errno.h>
#include <limits.h>
#include <string.h>
#include <unistd.h>

int cli_program_call(void *arg, int argc, char **argv)
{
	struct cli *cli = arg;

	/* Of what is wrong with it the new process is to know, too. */
	return cli_program_main(argc, argv, cli->faulty ? NULL : steal_ptr(&cli->lab));
}

int cli_program_remember(char **ret_path, struct error *err)
{
	char path[PATH_MAX];
	ssize_t n = readlink("/proc/self/exe", path, sizeof(path) - 1);

	path[n > 0 ? n : 0] = '\0';
	*ret_path = strdup(path);
	return *ret_path ? 0 : error_oom(err);
}

int cli_program_start_anew(struct cli *cli, const char *path, enum paths_kind kind)
{
	const char *words[] = {"hv",  "-c", cli->paths.config, "net",
			       "run", "--", cli->names[0],     NULL};
	const char *argv[sizeof(words) / sizeof(*words)];
	size_t n = 0;

	for (size_t i = 0; i < sizeof(words) / sizeof(*words); i++)
		if (i != 3 || kind == PATHS_NET)
			argv[n++] = words[i];
	(void)execv(path, (char **)argv);
	/* It was taken away, so what runs is the newest there is. */
	(void)execv("/proc/self/exe", (char **)argv);
	return error_errno(&cli->err, errno, "%s '%s': start '%s'",
			   kind == PATHS_VM ? "vm" : "network", cli->names[0], path);
}
