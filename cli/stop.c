/* SPDX-License-Identifier: MIT */
#include "cli/stop.h"

#include "base/child.h"
#include "base/cleanup.h"
#include "base/str.h"
#include "cli/plan.h"
#include "cli/start.h"
#include "qmp/client.h"
#include "vmm/keeper/adopt.h"
#include "vmm/names.h"
#include "vmm/rundir.h"

#include <errno.h>
#include <stdlib.h>
#include <systemd/sd-event.h>

struct stop {
	const char *name;
	struct qmp_client *client;
	struct child supervisor;
	struct stop_all *all;
	char *forced; /* why it was ended although it was to shut down; NULL: it was not */
	bool done;
	int rc;
	struct error err;
};

struct stop_all {
	sd_event *event;
	size_t n_open;
	struct stop *v;
};

static void finish(struct stop *s, const struct error *err)
{
	if (s->done)
		return;
	s->done = true;
	if (err) {
		s->err = *err;
		s->rc = -err->code;
	}
	if (--s->all->n_open == 0)
		(void)sd_event_exit(s->all->event, 0);
}

static void on_reply(json_t *result, const char *class, const struct error *err, void *arg)
{
	struct stop *s = arg;
	json_t *forced = json_object_get(result, "forced");

	(void)class;
	if (json_is_string(forced))
		s->forced = strdup(json_string_value(forced));
	finish(s, err);
}

static void on_closed(const struct error *err, void *arg)
{
	finish(arg, err);
}

static void tell(struct cli *cli, struct stop *s)
{
	if (s->rc == -ENOENT || s->rc == -ECONNREFUSED) {
		(void)printf("%s is not up\n", s->name);
		return;
	}
	if (s->rc < 0) {
		(void)error_wrap(&s->err, s->rc, "vm '%s'", s->name);
		cli_tell(&s->err);
		cli->exit_code = CLI_FAILED;
	} else {
		if (s->forced) {
			(void)error_set(&s->err, ETIMEDOUT, "vm '%s': %s; it was ended", s->name,
					s->forced);
			cli_tell(&s->err);
		}
		(void)printf("%s is down\n", s->name);
	}
}

/*
 * A machine whose supervisor was killed gets a new one first: ending it is more
 * than killing QEMU. One that nobody can supervise any more, for it is not
 * configured or dead already, is only cleaned up.
 */
static int adopt(struct cli *cli, const char *name, bool at_once)
{
	struct start_job job = {.kind = PATHS_VM, .name = name, .adopts = true};
	const struct spec_vm *vm = lab_find_vm(cli->lab, name);
	cleanup_json json_t *status = NULL;
	enum rundir_state state;
	bool served;
	int rc;

	rundir_settle(&cli->paths, PATHS_VM, name);
	rc = rundir_look(&cli->paths, PATHS_VM, name, &state, &cli->err);
	if (rc < 0 || state != RUNDIR_LEFT)
		return rc;
	rc = rundir_read_status(&cli->paths, PATHS_VM, name, &status, &served, &cli->err);
	if (rc < 0 || served)
		return rc;
	if (!adopt_is_possible(&cli->paths, name, status) || (!vm && at_once))
		return adopt_end(&cli->paths, name, &cli->err);
	if (!vm)
		return error_set(
			&cli->err, ENOENT,
			"it is not configured any more and its supervisor is gone (hv kill "
			"%s ends it)",
			name);
	rc = cli_start_one(cli, &job);
	return rc == -EALREADY ? 0 : rc;
}

static int begin(struct cli *cli, struct stop *s, const char *command, json_t *args,
		 uint64_t seconds)
{
	struct qmp_handlers handlers = {.closed = on_closed, .arg = s};
	int fd, rc;

	s->supervisor = (struct child)CHILD_INIT;
	rc = adopt(cli, s->name, str_eq(command, "hv-kill"));
	if (rc < 0) {
		s->err = cli->err;
		/* Not one of those that mean that it is not up. */
		return -ESRCH;
	}
	rc = rundir_connect(&cli->paths, PATHS_VM, s->name, NAME_QMP, &fd, &s->err);
	if (rc < 0)
		return rc;
	(void)cli_find_supervisor(cli, PATHS_VM, s->name, &s->supervisor);
	rc = qmp_client_new(s->all->event, fd, &handlers, &s->client, &s->err);
	if (rc == 0)
		rc = qmp_client_call(s->client, command, json_incref(args), NULL, 0, seconds * 1000,
				     on_reply, s, &s->err);
	return rc;
}

static int check_names(struct cli *cli)
{
	for (size_t i = 0; i < cli->n_names; i++) {
		const struct spec_vm *vm;
		int rc = cli_find_any_vm(cli, cli->names[i], &vm);

		if (rc < 0)
			return rc;
	}
	return 0;
}

/* Networks that came along with these VMs go with their last user; when this
 * verb returns, they have gone. */
static void await_networks(struct cli *cli)
{
	cleanup_free const struct spec_vm **vms = calloc(cli->n_names + 1, sizeof(*vms));
	cleanup_free const struct spec_network **nets = NULL;
	size_t n_vms = 0, n_nets = 0;

	if (!vms)
		return;
	for (size_t i = 0; i < cli->n_names; i++) {
		vms[n_vms] = lab_find_vm(cli->lab, cli->names[i]);
		n_vms += vms[n_vms] != NULL;
	}
	if (cli_networks_of(cli, vms, n_vms, &nets, &n_nets) < 0)
		return;
	for (size_t i = 0; i < n_nets; i++)
		cli_release_network(cli, nets[i]);
}

int cli_stop_all(struct cli *cli, const char *command, json_t *args, uint64_t seconds)
{
	struct stop_all all = {.n_open = cli->n_names};
	int rc;

	rc = check_names(cli);
	if (rc < 0)
		return rc;
	all.v = calloc(cli->n_names + 1, sizeof(*all.v));
	if (!all.v)
		return error_oom(&cli->err);
	rc = sd_event_new(&all.event);
	if (rc < 0) {
		free(all.v);
		return error_errno(&cli->err, -rc, "event loop");
	}
	for (size_t i = 0; i < cli->n_names; i++) {
		struct stop *s = &all.v[i];

		s->name = cli->names[i];
		s->all = &all;
		s->rc = begin(cli, s, command, args, seconds);
		if (s->rc < 0) {
			s->done = true;
			all.n_open--;
		}
	}
	if (all.n_open)
		(void)sd_event_loop(all.event);
	await_networks(cli);
	for (size_t i = 0; i < cli->n_names; i++) {
		cli_await_supervisor(&all.v[i].supervisor);
		tell(cli, &all.v[i]);
		qmp_client_free(all.v[i].client);
		free(all.v[i].forced);
	}
	sd_event_unref(all.event);
	free(all.v);
	return 0;
}
