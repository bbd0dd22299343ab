/* SPDX-License-Identifier: MIT */
#include "cli/spares.h"

#include "base/child.h"
#include "base/cleanup.h"
#include "base/file.h"
#include "base/str.h"
#include "cli/common.h"
#include "cli/plan.h"
#include "cli/start.h"
#include "vmm/fork/prepared.h"
#include "vmm/json.h"
#include "vmm/network/network.h"
#include "vmm/pins.h"
#include "vmm/rundir.h"
#include "vmm/states.h"
#include "vmm/units/units.h"
#include "vmm/vm_status.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

/* In the folder of states: who counts spares and starts some is alone. */
#define FILL_LOCK ".spares"

struct filling {
	struct cli *cli;
	const struct spec_vm *const *vms; /* those that were brought up */
	size_t n;
	const struct spec_vm **up; /* those of them that still are */
	size_t n_up;
	bool *waits; /* of each machine of the lab */
	const struct spec_vm **chosen;
	size_t n_chosen;
};

bool cli_spare_waits(json_t *status)
{
	enum vm_state state = vm_state_parse(json_get_string(status, "state") ?: "");

	return json_is_object(json_object_get(status, "spare")) &&
	       (state == VM_STATE_SPARE || state == VM_STATE_STARTING);
}

static bool begins_with(struct cli *cli, const struct spec_vm *vm, const char *state)
{
	cleanup_close int dirfd = -1;
	struct vm_pins pins = {0};
	const char *choice;
	bool is_so;

	if (paths_open_state(&cli->paths, PATHS_VM, vm->name, 0, &dirfd, NULL) == 0)
		(void)vm_pins_load(dirfd, &pins, NULL);
	choice = prepared_choose(vm, &pins);
	is_so = choice && str_eq(choice, state);
	vm_pins_free(&pins);
	return is_so;
}

bool cli_spare_fits(struct cli *cli, const struct spec_vm *vm, json_t *status)
{
	json_t *spare = json_object_get(status, "spare");
	const char *state = json_get_string(spare, "state"), *sum = json_get_string(spare, "sum");
	json_int_t inode = json_integer_value(json_object_get(spare, "memory"));

	if (!sum || !*sum || !str_eq(sum, vm->sum))
		return false;
	/* One that was begun at this moment looks for its state now. */
	return !state || (begins_with(cli, vm, state) &&
			  prepared_inode(&cli->paths, state) == (uint64_t)inode);
}

int cli_spare_end(struct cli *cli, const char *name)
{
	struct child keeper = CHILD_INIT;
	int rc;

	(void)cli_find_supervisor(cli, PATHS_VM, name, &keeper);
	rc = cli_command(cli, PATHS_VM, name, "hv-kill", NULL, CLI_COMMAND_MS, NULL, &cli->err);
	cli_await_supervisor(&keeper);
	return rc == -ENOTCONN || rc == -ECONNRESET ? 0 : rc;
}

void cli_spares_end_of(struct cli *cli, const char *state)
{
	cleanup_free char *folder = str_printf("%s/vm", cli->paths.run);
	cleanup_closedir DIR *dir = folder ? opendir(folder) : NULL;
	struct dirent *entry;

	while (dir && (entry = readdir(dir))) {
		cleanup_json json_t *status = NULL;
		const char *its;
		bool served;

		if (!str_is_name(entry->d_name) ||
		    rundir_read_status(&cli->paths, PATHS_VM, entry->d_name, &status, &served,
				       NULL) < 0 ||
		    !served || !cli_spare_waits(status))
			continue;
		its = json_get_string(json_object_get(status, "spare"), "state");
		if (its && str_eq(its, state))
			(void)cli_spare_end(cli, entry->d_name);
	}
}

static bool has_spares(const struct spec_vm *vm)
{
	return vm->spares && vm->template_state;
}

/* Of the same state as one of those that are up. */
static bool is_concerned(const struct filling *f, const struct spec_vm *vm)
{
	for (size_t i = 0; has_spares(vm) && i < f->n_up; i++)
		if (str_eq(f->up[i]->template_state, vm->template_state))
			return true;
	return false;
}

static size_t count_waiting(const struct filling *f, const char *state)
{
	const struct lab *lab = f->cli->lab;
	size_t n = 0;

	for (size_t i = 0; i < lab->n_vms; i++)
		n += f->waits[i] && str_eq(lab->vms[i].template_state, state);
	return n;
}

static json_t *read_status(const struct filling *f, const struct spec_vm *vm)
{
	json_t *status = NULL;

	(void)vm_status_read(&f->cli->paths, vm, &status, NULL);
	return status;
}

static bool is_down(json_t *status)
{
	enum vm_state state = vm_state_parse(json_get_string(status, "state") ?: "");

	return state == VM_STATE_STOPPED || state == VM_STATE_CRASHED;
}

/* What is down again by now asks for nothing any more. */
static void find_up(struct filling *f)
{
	for (size_t i = 0; i < f->n; i++) {
		cleanup_json json_t *status =
			has_spares(f->vms[i]) ? read_status(f, f->vms[i]) : NULL;

		if (status && !is_down(status))
			f->up[f->n_up++] = f->vms[i];
	}
}

/* Not up, and without a state of its own that comes first. */
static bool may_wait(const struct filling *f, const struct spec_vm *vm)
{
	cleanup_json json_t *status = read_status(f, vm);

	return is_down(status) && !json_is_object(json_object_get(status, "saved")) &&
	       begins_with(f->cli, vm, vm->template_state);
}

/* One that would not be begun is ended, and may be made again. */
static bool waits(const struct filling *f, const struct spec_vm *vm)
{
	cleanup_json json_t *status = read_status(f, vm);

	if (!cli_spare_waits(status) || cli_spare_fits(f->cli, vm, status))
		return cli_spare_waits(status);
	return cli_spare_end(f->cli, vm->name) < 0;
}

static void choose(struct filling *f)
{
	const struct lab *lab = f->cli->lab;

	for (size_t i = 0; i < lab->n_vms; i++)
		f->waits[i] = is_concerned(f, &lab->vms[i]) && waits(f, &lab->vms[i]);
	for (size_t i = 0; i < lab->n_vms; i++) {
		const struct spec_vm *vm = &lab->vms[i];

		if (f->waits[i] || !is_concerned(f, vm) ||
		    count_waiting(f, vm->template_state) >= vm->spares || !may_wait(f, vm))
			continue;
		f->waits[i] = true;
		f->chosen[f->n_chosen++] = vm;
	}
}

static bool is_up(struct cli *cli, const struct spec_network *net)
{
	cleanup_json json_t *status = NULL;

	return network_status_read(&cli->paths, net, &status, NULL) == 0 &&
	       str_eq(json_get_string(status, "state") ?: "", "up");
}

/* Their networks, then they. A network that none of them came to use goes again. */
static int start_chosen(struct filling *f)
{
	cleanup_free const struct spec_network **nets = NULL;
	cleanup_free struct start_job *jobs = NULL;
	size_t n_nets = 0, n_up = 0;
	int rc = cli_networks_of(f->cli, f->chosen, f->n_chosen, &nets, &n_nets);

	if (rc < 0)
		return rc;
	jobs = calloc(n_nets + f->n_chosen + 1, sizeof(*jobs));
	if (!jobs)
		return error_oom(&f->cli->err);
	for (size_t i = 0; i < n_nets; i++)
		jobs[i] = (struct start_job){
			.kind = PATHS_NET,
			.name = nets[i]->name,
			.skip = is_up(f->cli, nets[i]),
		};
	for (size_t i = 0; i < f->n_chosen; i++)
		jobs[n_nets + i] = (struct start_job){
			.kind = PATHS_VM,
			.name = f->chosen[i]->name,
			.spare = true,
		};
	rc = cli_start_all(f->cli, jobs, n_nets);
	if (rc == 0)
		rc = cli_start_all(f->cli, jobs + n_nets, f->n_chosen);
	for (size_t i = 0; i < f->n_chosen; i++)
		n_up += jobs[n_nets + i].ours;
	for (size_t i = 0; n_up < f->n_chosen && i < n_nets; i++)
		if (jobs[i].ours)
			cli_release_network(f->cli, nets[i]);
	return rc;
}

static int fill(void *arg)
{
	struct filling *f = arg;
	size_t n = f->cli->lab->n_vms;
	cleanup_close int store = -1, lock = -1;
	int rc = prepared_open_store(&f->cli->paths, false, &store, &f->cli->err);

	if (rc == 0)
		rc = file_lock_wait(store, FILL_LOCK, &lock, &f->cli->err);
	if (rc < 0)
		return 1;
	f->waits = calloc(n + 1, sizeof(*f->waits));
	f->chosen = calloc(n + 1, sizeof(*f->chosen));
	f->up = calloc(f->n + 1, sizeof(*f->up));
	if (f->waits && f->chosen && f->up) {
		find_up(f);
		choose(f);
	}
	if (f->n_chosen)
		rc = start_chosen(f);
	(void)unlinkat(store, FILL_LOCK, 0);
	free(f->waits);
	free(f->chosen);
	free(f->up);
	return rc < 0;
}

void cli_spares_fill(struct cli *cli, const struct spec_vm *const *vms, size_t n)
{
	struct filling f = {.cli = cli, .vms = vms, .n = n};
	/* The configuration's path may be relative. */
	cleanup_close int cwd = open(".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	struct child child = CHILD_INIT;
	bool some = false;

	for (size_t i = 0; i < n; i++)
		some = some || has_spares(vms[i]);
	/* A unit is active or it is not, and a spare is neither. */
	if (!some || units_wanted(&cli->paths))
		return;
	if (child_spawn(
		    &(struct child_spec){
			    .path = "hv",
			    .stdin_fd = -1,
			    .stdout_fd = -1,
			    .stderr_fd = -1,
			    .cwd_fd = cwd,
			    .new_session = true,
			    .run = fill,
			    .run_arg = &f,
		    },
		    &child, &cli->err) < 0)
		cli_tell(&cli->err);
	close_fd(&child.pidfd);
}
