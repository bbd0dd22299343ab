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

enum { OPT_PRINT, OPT_SPICE, OPT_VNC, OPT_VIEWER };

static const struct cli_option options[] = {
	[OPT_PRINT] = {"print", 'p', NULL, "print the path of the socket, and end", false},
	[OPT_SPICE] = {"spice", 0, NULL, "by SPICE, and not by VNC", false},
	[OPT_VNC] = {"vnc", 0, NULL, "by VNC, also where there is SPICE", false},
	[OPT_VIEWER] = {"viewer", 0, "PROGRAM",
			"which viewer, with the socket's path as argument (SPICE: its URI)", false},
	{0},
};

enum way { BY_SPICE, BY_PATH, BY_TCP };

/* The best first: SPICE, those that take a socket's path, then one that speaks TCP only. */
static const struct viewer {
	const char *program;
	enum way way;
} viewers[] = {
	{"remote-viewer", BY_SPICE}, {"xtigervncviewer", BY_PATH}, {"gvncviewer", BY_PATH},
	{"remote-viewer", BY_TCP},   {"vncviewer", BY_PATH}, /* TigerVNC's by its name elsewhere */
};

struct view {
	struct cli *cli;
	char *vnc, *spice; /* paths of sockets */
	int fd; /* connected to the first */
	bool by_spice, by_vnc; /* what may be taken */
};

static bool is_possible(const struct view *v, enum way way)
{
	return way == BY_SPICE ? v->by_spice : v->by_vnc;
}

static int find_wanted(const struct view *v, char **ret_program, enum way *ret_way)
{
	const char *wanted = v->cli->values[OPT_VIEWER], *slash = strrchr(wanted, '/');

	*ret_program = strchr(wanted, '/') ? strdup(wanted) : file_find_program(wanted);
	if (!*ret_program)
		return error_set(&v->cli->err, ENOENT, "viewer '%s' is not installed", wanted);
	*ret_way = v->by_vnc ? BY_PATH : BY_SPICE;
	for (size_t i = 0; i < ARRAY_SIZE(viewers); i++)
		if (str_eq(slash ? slash + 1 : wanted, viewers[i].program) &&
		    is_possible(v, viewers[i].way)) {
			*ret_way = viewers[i].way;
			break;
		}
	return 0;
}

static int find_viewer(const struct view *v, char **ret_program, enum way *ret_way)
{
	if (!getenv("DISPLAY") && !getenv("WAYLAND_DISPLAY"))
		return error_set(&v->cli->err, ENODEV,
				 "there is no desktop here: neither DISPLAY nor WAYLAND_DISPLAY is "
				 "set (ssh -L can forward the socket that --print tells)");
	for (size_t i = 0; i < ARRAY_SIZE(viewers); i++) {
		if (!is_possible(v, viewers[i].way))
			continue;
		*ret_program = file_find_program(viewers[i].program);
		*ret_way = viewers[i].way;
		if (*ret_program)
			return 0;
	}
	return error_set(&v->cli->err, ENOENT,
			 "no %s viewer is installed (apt install %svirt-viewer)",
			 v->by_vnc ? "VNC" : "SPICE", v->by_vnc ? "tigervnc-viewer, or " : "");
}

static int view(const struct view *v)
{
	cleanup_free char *program = NULL, *uri = str_printf("spice+unix://%s", v->spice);
	struct error *err = &v->cli->err;
	enum way way = BY_PATH;
	int rc;

	if (!uri)
		return error_oom(err);
	rc = v->cli->values[OPT_VIEWER] ? find_wanted(v, &program, &way)
					: find_viewer(v, &program, &way);
	if (rc < 0)
		return rc;
	if (way == BY_TCP)
		return view_relay(program, v->fd, err);
	(void)execv(program, (char *const[]){program, way == BY_SPICE ? uri : v->vnc, NULL});
	return error_errno(err, errno, "start '%s'", program);
}

/* Whether somebody listens there: a viewer would say it in a window, or not at all. A socket of
 * SPICE is not tried, for whoever comes takes the place of who was there. */
static int look(struct view *v, const char *name)
{
	struct cli *cli = v->cli;
	cleanup_close int fd = -1;
	int rc;

	rc = rundir_connect_vm(&cli->paths, name, &fd, &cli->err);
	close_fd(&fd);
	if (rc < 0)
		return rc;
	v->by_spice = access(v->spice, F_OK) == 0;
	if (cli->values[OPT_SPICE]) {
		v->by_vnc = false;
		return v->by_spice ? 0
				   : error_set(&cli->err, ENODEV,
					       "it has no SPICE (spice: true gives it that at its "
					       "next start)");
	}
	v->by_vnc = true;
	v->by_spice = v->by_spice && !cli->values[OPT_VNC];
	rc = rundir_connect(&cli->paths, PATHS_VM, name, NAME_VNC, &v->fd, &cli->err);
	if (rc == -ENOENT || rc == -ECONNREFUSED)
		return error_set(&cli->err, ENODEV,
				 "it has no screen (display: vga gives it one at its next start)");
	return rc;
}

static int run(struct cli *cli)
{
	cleanup_free char *vnc = NULL, *spice = NULL;
	struct view v = {.cli = cli, .fd = -1};
	const struct spec_vm *vm;
	int rc;

	if (cli->values[OPT_SPICE] && cli->values[OPT_VNC])
		return cli_usage(cli, &verb_view, "--spice and --vnc exclude each other");
	rc = cli_find_any_vm(cli, cli->names[0], &vm);
	if (rc < 0)
		return rc;
	vnc = str_printf("%s/vm/%s/" NAME_VNC, cli->paths.run, vm->name);
	spice = str_printf("%s/vm/%s/" NAME_SPICE, cli->paths.run, vm->name);
	if (!vnc || !spice)
		return error_oom(&cli->err);
	v.vnc = vnc;
	v.spice = spice;
	rc = look(&v, vm->name);
	if (rc == 0 && cli->values[OPT_PRINT])
		(void)printf("%s\n", v.by_vnc ? vnc : spice);
	else if (rc == 0)
		rc = view(&v);
	close_fd(&v.fd);
	return error_wrap_if(&cli->err, rc, "vm '%s': view", vm->name);
}

const struct verb verb_view = {
	.name = "view",
	.args = "NAME",
	.summary = "the screen, in a viewer",
	.text = "The machine has to have a display:. Where it has spice:, remote-viewer shows it by "
		"SPICE; one viewer\nat a time, the last one that came. By VNC TigerVNC's viewer, "
		"gvncviewer or remote-viewer is taken,\nthe first that is installed. The last one "
		"speaks VNC by TCP only: it gets a port on 127.0.0.1 that\nserves one connection, of "
		"the same user.",
	.options = options,
	.min_names = 1,
	.max_names = 1,
	.names = CLI_NAMES_VM,
	.lab = CLI_LAB_OPTIONAL,
	.run = run,
};
