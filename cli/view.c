/* SPDX-License-Identifier: MIT */
#include "base/cleanup.h"
#include "base/file.h"
#include "base/str.h"
#include "cli/common.h"
#include "cli/view_relay.h"
#include "vmm/names.h"
#include "vmm/rundir.h"

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

enum { OPT_PRINT, OPT_VIEWER };

static const struct cli_option options[] = {
	[OPT_PRINT] = {"print", 'p', NULL, "print the path of the socket, and end", false},
	[OPT_VIEWER] = {"viewer", 0, "PROGRAM", "which viewer, with the socket's path as argument",
			false},
	{0},
};

/* The best first: those that take a socket's path, then one that speaks TCP only. */
static const struct viewer {
	const char *program;
	bool by_tcp;
} viewers[] = {
	{"xtigervncviewer", false},
	{"gvncviewer", false},
	{"remote-viewer", true},
	{"vncviewer", false}, /* TigerVNC's by its name elsewhere */
};

static int find_wanted(struct cli *cli, char **ret_program, bool *ret_by_tcp)
{
	const char *wanted = cli->values[OPT_VIEWER], *slash = strrchr(wanted, '/');

	*ret_program = strchr(wanted, '/') ? strdup(wanted) : file_find_program(wanted);
	if (!*ret_program)
		return error_set(&cli->err, ENOENT, "viewer '%s' is not installed", wanted);
	for (size_t i = 0; i < ARRAY_SIZE(viewers); i++)
		if (str_eq(slash ? slash + 1 : wanted, viewers[i].program))
			*ret_by_tcp = viewers[i].by_tcp;
	return 0;
}

static int find_viewer(struct cli *cli, char **ret_program, bool *ret_by_tcp)
{
	if (!getenv("DISPLAY") && !getenv("WAYLAND_DISPLAY"))
		return error_set(&cli->err, ENODEV,
				 "there is no desktop here: neither DISPLAY nor WAYLAND_DISPLAY is "
				 "set (ssh -L can forward the socket that --print tells)");
	for (size_t i = 0; i < ARRAY_SIZE(viewers); i++) {
		*ret_program = file_find_program(viewers[i].program);
		*ret_by_tcp = viewers[i].by_tcp;
		if (*ret_program)
			return 0;
	}
	return error_set(&cli->err, ENOENT,
			 "no VNC viewer is installed (apt install tigervnc-viewer, or "
			 "virt-viewer)");
}

static int view(struct cli *cli, const char *path, int fd)
{
	cleanup_free char *program = NULL;
	bool by_tcp = false;
	int rc;

	rc = cli->values[OPT_VIEWER] ? find_wanted(cli, &program, &by_tcp)
				     : find_viewer(cli, &program, &by_tcp);
	if (rc < 0)
		return rc;
	if (by_tcp)
		return view_relay(program, fd, &cli->err);
	(void)execv(program, (char *const[]){program, (char *)path, NULL});
	return error_errno(&cli->err, errno, "start '%s'", program);
}

/* Whether somebody listens there: a viewer would say it in a window, or not at all. */
static int look(struct cli *cli, const struct spec_vm *vm, int *ret_fd)
{
	cleanup_close int fd = -1;
	int rc;

	rc = rundir_connect(&cli->paths, PATHS_VM, vm->name, NAME_QMP, &fd, &cli->err);
	if (rc == -ENOENT || rc == -ECONNREFUSED)
		return error_set(&cli->err, ENOTCONN, "it is not up (hv up %s)", vm->name);
	close_fd(&fd);
	if (rc < 0)
		return rc;
	rc = rundir_connect(&cli->paths, PATHS_VM, vm->name, NAME_VNC, &fd, &cli->err);
	if (rc == -ENOENT || rc == -ECONNREFUSED)
		return error_set(&cli->err, ENODEV,
				 "it has no screen (display: vga gives it one at its next start)");
	if (rc == 0)
		*ret_fd = steal_fd(&fd);
	return rc;
}

static int run(struct cli *cli)
{
	cleanup_free char *path = NULL;
	cleanup_close int fd = -1;
	const struct spec_vm *vm;
	int rc;

	rc = cli_find_any_vm(cli, cli->names[0], &vm);
	if (rc < 0)
		return rc;
	path = str_printf("%s/vm/%s/" NAME_VNC, cli->paths.run, vm->name);
	if (!path)
		return error_oom(&cli->err);
	rc = look(cli, vm, &fd);
	if (rc == 0 && cli->values[OPT_PRINT])
		(void)printf("%s\n", path);
	else if (rc == 0)
		rc = view(cli, path, fd);
	return error_wrap_if(&cli->err, rc, "vm '%s': view", vm->name);
}

const struct verb verb_view = {
	.name = "view",
	.args = "NAME",
	.summary = "the screen, in a VNC viewer",
	.text = "The machine has to have a display:. Takes TigerVNC's viewer, gvncviewer or "
		"remote-viewer, the first\nthat is installed. The last one speaks TCP only: it gets a "
		"port on 127.0.0.1 that serves one\nconnection, of the same user.",
	.options = options,
	.min_names = 1,
	.max_names = 1,
	.names = CLI_NAMES_VM,
	.lab = CLI_LAB_OPTIONAL,
	.run = run,
};
