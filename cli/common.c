/* SPDX-License-Identifier: MIT */
#include "cli/common.h"

#include "base/cleanup.h"
#include "base/str.h"
#include "cli/start.h"
#include "qmp/sync.h"
#include "vmm/keeper/adopt.h"
#include "vmm/names.h"
#include "vmm/network/network.h"
#include "vmm/rundir.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <systemd/sd-daemon.h>
#include <time.h>
#include <unistd.h>

enum { RELEASE_MS = 10 * 1000, EXIT_MS = 1000, NETWORK_TRIES = 5 };

void cli_tell(const struct error *err)
{
	cleanup_strbuf struct strbuf shown = {0};

	strbuf_add_printable(&shown, err->text, strlen(err->text), false);
	(void)fflush(stdout);
	(void)fprintf(stderr, "hv: %s%s\n", shown.data ? shown.data : "out of memory",
		      err->code == EACCES && geteuid() != 0 ? " (hv needs root or the group hv)"
							    : "");
}

void cli_notify_failure(const struct error *err)
{
	cleanup_strbuf struct strbuf shown = {0};

	strbuf_add_printable(&shown, err->text, strlen(err->text), false);
	if (shown.data)
		(void)sd_notifyf(0, "STATUS=%s\nERRNO=%d", shown.data, err->code);
}

static int not_found(struct cli *cli, const char *what, const char *name, struct strbuf *known)
{
	int rc = error_set(&cli->err, ENOENT, "there is no %s '%s' in '%s'; there is: %s", what,
			   name, cli->paths.config, known->data ? known->data : "none");

	strbuf_free(known);
	return rc;
}

int cli_find_vm(struct cli *cli, const char *name, const struct spec_vm **ret_vm)
{
	struct strbuf known = {0};

	*ret_vm = lab_find_vm(cli->lab, name);
	if (*ret_vm)
		return 0;
	for (size_t i = 0; i < cli->lab->n_vms; i++)
		strbuf_addf(&known, "%s%s", i ? ", " : "", cli->lab->vms[i].name);
	return not_found(cli, "vm", name, &known);
}

int cli_find_any_vm(struct cli *cli, const char *name, const struct spec_vm **ret_vm)
{
	cleanup_close int run_dirfd = -1, state_dirfd = -1;

	*ret_vm = lab_find_vm(cli->lab, name);
	if (*ret_vm)
		return 0;
	if (!str_is_name(name) ||
	    (paths_open_run(&cli->paths, PATHS_VM, name, 0, &run_dirfd, NULL) < 0 &&
	     paths_open_state(&cli->paths, PATHS_VM, name, 0, &state_dirfd, NULL) < 0))
		return cli_find_vm(cli, name, ret_vm);
	cli->stray = (struct spec_vm){.name = (char *)name};
	*ret_vm = &cli->stray;
	return 0;
}

int cli_find_network(struct cli *cli, const char *name, const struct spec_network **ret_net)
{
	struct strbuf known = {0};

	*ret_net = lab_find_network(cli->lab, name);
	if (*ret_net)
		return 0;
	for (size_t i = 0; i < cli->lab->n_networks; i++)
		strbuf_addf(&known, "%s%s", i ? ", " : "", cli->lab->networks[i].name);
	return not_found(cli, "network", name, &known);
}

int cli_connect(struct cli *cli, enum paths_kind kind, const char *name, struct qmp_sync **ret_sync,
		struct error *err)
{
	const char *what = kind == PATHS_VM ? "vm" : "network";
	int fd, rc;

	rc = rundir_connect(&cli->paths, kind, name, kind == PATHS_VM ? NAME_QMP : NAME_CONTROL,
			    &fd, err);
	if (rc == -ENOENT || rc == -ECONNREFUSED)
		return error_set(err, ENOTCONN, "%s '%s' is not up (hv %s %s)", what, name,
				 kind == PATHS_VM ? "up" : "net up", name);
	if (rc == 0)
		rc = qmp_sync_open(fd, ret_sync, err);
	return error_wrap_if(err, rc, "%s '%s'", what, name);
}

int cli_command(struct cli *cli, enum paths_kind kind, const char *name, const char *command,
		json_t *args, uint64_t timeout_ms, json_t **ret_result, struct error *err)
{
	struct qmp_sync *sync = NULL;
	int rc = cli_connect(cli, kind, name, &sync, err);

	if (rc < 0) {
		json_decref(args);
		return rc;
	}
	rc = qmp_sync_call(sync, command, args, timeout_ms, ret_result, err);
	qmp_sync_close(sync);
	return error_wrap_if(err, rc, "%s '%s'", kind == PATHS_VM ? "vm" : "network", name);
}

/* The one that is the last to go. */
static int find_last(json_t *status, struct child *ret_process)
{
	json_t *keeper = json_object_get(status, "keeper");

	return adopt_find(keeper ? keeper : json_object_get(status, "supervisor"), ret_process);
}

int cli_find_supervisor(struct cli *cli, enum paths_kind kind, const char *name,
			struct child *ret_supervisor)
{
	cleanup_json json_t *status = NULL;
	bool served;

	if (rundir_read_status(&cli->paths, kind, name, &status, &served, NULL) < 0 || !status)
		return -ESRCH;
	return find_last(status, ret_supervisor);
}

void cli_await_supervisor(struct child *supervisor)
{
	struct pollfd p = {.fd = supervisor->pidfd, .events = POLLIN};

	if (p.fd < 0)
		return;
	(void)poll(&p, 1, EXIT_MS);
	close_fd(&supervisor->pidfd);
}

int cli_adopt_network(struct cli *cli, const char *name)
{
	struct start_job job = {.kind = PATHS_NET, .name = name, .adopts = true};
	enum rundir_state state;
	int rc;

	rundir_settle(&cli->paths, PATHS_NET, name);
	rc = rundir_look(&cli->paths, PATHS_NET, name, &state, &cli->err);
	if (rc < 0 || state != RUNDIR_LEFT)
		return rc < 0 ? rc : state == RUNDIR_SERVED;
	rc = cli_start_one(cli, &job);
	return rc < 0 ? rc : 1;
}

int cli_command_network(struct cli *cli, const char *name, const char *command, json_t *args,
			uint64_t timeout_ms, struct error *err)
{
	enum rundir_state state = RUNDIR_SERVED;
	int rc = -ECONNRESET;

	for (int i = 0; i < NETWORK_TRIES && rc == -ECONNRESET && state == RUNDIR_SERVED; i++) {
		rc = cli_command(cli, PATHS_NET, name, command, json_incref(args), timeout_ms, NULL,
				 err);
		if (rc == -ECONNRESET &&
		    rundir_look(&cli->paths, PATHS_NET, name, &state, NULL) < 0)
			break;
	}
	json_decref(args);
	if (rc == -ECONNRESET && state == RUNDIR_SERVED)
		rc = error_set(err, EPROTO, "network '%s': it hangs up again and again", name);
	return rc;
}

void cli_release_network(struct cli *cli, const struct spec_network *net)
{
	cleanup_json json_t *status = NULL;
	struct child supervisor = CHILD_INIT;

	/* One that stays without users need not be asked. */
	if (cli_adopt_network(cli, net->name) <= 0 ||
	    network_status_read(&cli->paths, net, &status, NULL) < 0 ||
	    json_is_true(json_object_get(status, "keep")))
		return;
	(void)find_last(status, &supervisor);
	/* One that is on its way hangs up in the end. */
	(void)cli_command_network(cli, net->name, "hv-net-release", NULL, RELEASE_MS, NULL);
	json_decref(status);
	status = NULL;
	if (network_status_read(&cli->paths, net, &status, NULL) == 0 &&
	    str_eq(cli_text(status, "state"), "up"))
		close_fd(&supervisor.pidfd);
	cli_await_supervisor(&supervisor);
}

int cli_each_vm(struct cli *cli, const char *command)
{
	int failed = 0;

	for (size_t i = 0; i < cli->n_names; i++) {
		const struct spec_vm *vm;
		int rc = cli_find_any_vm(cli, cli->names[i], &vm);

		if (rc == 0)
			rc = cli_command(cli, PATHS_VM, vm->name, command, NULL, CLI_COMMAND_MS,
					 NULL, &cli->err);
		if (rc < 0) {
			cli_tell(&cli->err);
			failed = 1;
		}
	}
	if (failed)
		cli->exit_code = CLI_FAILED;
	return 0;
}

int cli_print_json(struct cli *cli, json_t *j)
{
	cleanup_free char *text = j ? json_dumps(j, JSON_INDENT(2) | JSON_ENSURE_ASCII) : NULL;

	json_decref(j);
	if (!text)
		return error_oom(&cli->err);
	if (puts(text) < 0 || fflush(stdout) < 0)
		return error_errno(&cli->err, errno, "write");
	return 0;
}

int cli_show(struct cli *cli, json_t *list, bool as_json, void (*print)(json_t *list))
{
	if (as_json)
		return cli_print_json(cli, json_incref(list));
	print(list);
	return 0;
}

const char *cli_text(json_t *object, const char *key)
{
	const char *s = json_get_string(object, key);

	return s && *s ? s : "-";
}

void cli_format_uptime(char *buf, size_t size, json_t *started)
{
	json_int_t seconds = (json_int_t)time(NULL) - json_integer_value(started);

	seconds = seconds < 0 ? 0 : seconds;
	if (!json_is_integer(started))
		(void)str_format(buf, size, "-");
	else if (seconds < 60)
		(void)str_format(buf, size, "%llds", (long long)seconds);
	else if (seconds < 3600)
		(void)str_format(buf, size, "%lldm %llds", (long long)seconds / 60,
				 (long long)seconds % 60);
	else if (seconds < 86400)
		(void)str_format(buf, size, "%lldh %lldm", (long long)seconds / 3600,
				 (long long)seconds / 60 % 60);
	else
		(void)str_format(buf, size, "%lldd %lldh", (long long)seconds / 86400,
				 (long long)seconds / 3600 % 24);
}

void cli_add_addresses(struct strbuf *into, json_t *status)
{
	json_t *nic, *address;
	size_t i, j;

	json_array_foreach (json_object_get(status, "nics"), i, nic)
		json_array_foreach (json_object_get(nic, "addresses"), j, address)
			strbuf_addf(into, "%s%s", into->len ? " " : "", json_string_value(address));
}
