/* SPDX-License-Identifier: MIT */
/*
 * fork: makes a state of a machine that runs, or takes one that was prepared, writes it down
 * for each of the new machines as what they are to begin with, and brings them up as any other.
 */
#include "base/cleanup.h"
#include "base/str.h"
#include "cli/common.h"
#include "cli/progress.h"
#include "lab/config.h"
#include "vmm/fork/clone.h"
#include "vmm/fork/prepare.h"
#include "vmm/fork/prepared.h"
#include "vmm/fork/template.h"
#include "vmm/machines.h"
#include "vmm/pins.h"
#include "vmm/states.h"
#include "vmm/vm_status.h"

#include <errno.h>
#include <stdlib.h>

enum { OPT_WAIT, OPT_TIMEOUT, OPT_LINKS };

/* The first are those of up, which it goes on as. */
static const struct cli_option options[] = {
	[OPT_WAIT] = {"wait", 'w', "running|agent|ip|console:TEXT",
		      "return when that is so (running)", false},
	[OPT_TIMEOUT] = {"timeout", 't', "SECONDS", "how long to wait for it (300)", false},
	[OPT_LINKS] =
		{"links", 'l', "told|up",
		 "when they have a network: when their agents have had them take addresses of their own "
		 "(told), or at once, as what SOURCE was (up)"},
	{0},
};

static int check_stopped(struct cli *cli, const struct spec_vm *vm, struct error *err)
{
	cleanup_json json_t *status = NULL;
	enum vm_state state;
	int rc = vm_status_read(&cli->paths, vm, &status, err);

	if (rc < 0)
		return rc;
	state = vm_state_parse(cli_text(status, "state"));
	/* One that waits as a spare begins, or is ended for another one. */
	if (state != VM_STATE_STOPPED && state != VM_STATE_CRASHED && state != VM_STATE_SPARE)
		return error_set(err, EBUSY, "it is %s (hv down %s)", vm_state_name(state),
				 vm->name);
	return 0;
}

static bool links_up(const struct cli *cli)
{
	return cli->values[OPT_LINKS] && str_eq(cli->values[OPT_LINKS], "up");
}

/* Sets what it is to begin with. */
static int set_next_state(struct cli *cli, const struct spec_vm *vm, const char *state,
			  struct error *err)
{
	struct vm_pins pins = {0};
	cleanup_close int dirfd = -1;
	int rc;

	rc = paths_open_state(&cli->paths, PATHS_VM, vm->name, 1, &dirfd, err);
	if (rc == 0)
		rc = vm_pins_load(dirfd, &pins, err);
	/* What a guest has put there is not thrown away by a word like this. */
	if (rc == 0 && pins.cpu && prepared_is_lasting(vm))
		rc = error_set(err, EEXIST,
			       "it has run before, and has a TPM or disks with a life of their own "
			       "(fork to another name, or remove one that hv made: hv rm %s)",
			       vm->name);
	if (rc == 0) {
		free(pins.next_state);
		pins.next_state = strdup(state);
		pins.next_links_up = links_up(cli);
		rc = pins.next_state ? vm_pins_save(dirfd, &pins, err) : error_oom(err);
	}
	vm_pins_free(&pins);
	return rc;
}

/* What is wrong with the names, before anything is made. */
static int check_names(struct cli *cli)
{
	for (size_t i = 1; i < cli->n_names; i++) {
		const struct spec_vm *vm = lab_find_vm(cli->lab, cli->names[i]);
		int rc = 0;

		for (size_t j = 0; j < i; j++)
			if (str_eq(cli->names[j], cli->names[i]))
				return error_set(
					&cli->err, EINVAL,
					"vm '%s' is named twice: a fork is another machine",
					cli->names[i]);
		if (!str_is_name(cli->names[i]))
			rc = error_set(
				&cli->err, EINVAL,
				"it is no name: 1 to 63 letters, digits and _ . -, the first "
				"a letter or digit");
		else if (vm)
			rc = check_stopped(cli, vm, &cli->err);
		if (rc < 0)
			return error_wrap(&cli->err, rc, "vm '%s'", cli->names[i]);
	}
	return 0;
}

/* A machine like the source in everything but its identity. */
static int make_machine(struct cli *cli, const char *name, const char *of)
{
	const struct clone clone = {
		.paths = &cli->paths,
		.lab = cli->lab,
		.source = lab_find_vm(cli->lab, of),
		.name = name,
		.linked = true,
		.forks = true,
	};
	struct machine_making making = MACHINE_MAKING_INIT;
	cleanup_json json_t *vm = NULL;
	int rc;

	rc = clone_describe(&clone, &vm, &cli->err);
	if (rc == 0)
		rc = machine_begin(&cli->paths, name, vm, &making, &cli->err);
	if (rc == 0)
		rc = machine_finish(&making, &cli->err);
	return error_wrap_if(&cli->err, rc, "vm '%s'", name);
}

static int load_again(struct cli *cli)
{
	cleanup_free char *made = paths_machines(&cli->paths);
	struct lab_faults faults = {0};
	struct lab *lab;
	int rc;

	if (!made)
		return error_oom(&cli->err);
	rc = lab_load_all(cli->paths.config, made, NULL, &lab, &faults, &cli->err);
	lab_faults_free(&faults);
	if (rc == 0) {
		lab_free(cli->lab);
		cli->lab = lab;
	}
	return rc;
}

/* Those that are not configured are made. *ret_made says which. */
static int make_machines(struct cli *cli, const char *of, bool *ret_made)
{
	bool some = false;
	int rc = 0;

	for (size_t i = 1; rc == 0 && i < cli->n_names; i++) {
		if (lab_find_vm(cli->lab, cli->names[i]))
			continue;
		rc = lab_find_vm(cli->lab, of)
			     ? make_machine(cli, cli->names[i], of)
			     : error_set(
				       &cli->err, ENOENT,
				       "vm '%s' is not configured, nor is vm '%s', which it would "
				       "be like",
				       cli->names[i], of);
		ret_made[i - 1] = rc == 0;
		some = some || rc == 0;
	}
	return rc == 0 && some ? load_again(cli) : rc;
}

static bool is_up(struct cli *cli, const struct spec_vm *vm)
{
	return vm && check_stopped(cli, vm, &(struct error)ERROR_INIT) == -EBUSY;
}

/* A machine that is up, or a state of that name. *ret_of: the machine that it is of; the caller
 * frees it. */
static int find_state(struct cli *cli, struct prepared_made *ret_made, char **ret_of)
{
	const char *source = cli->names[0];
	const struct spec_vm *vm = lab_find_vm(cli->lab, source);
	struct prepared p = PREPARED_INIT;
	struct progress progress;
	struct host host = {0};
	int rc = 0;

	*ret_made = (struct prepared_made){.lock_fd = -1};
	if (is_up(cli, vm)) {
		host_probe(&host);
		progress_begin(&progress);
		rc = prepare_state(
			&(struct prepare_options){
				.paths = &cli->paths,
				.host = &host,
				.lab = cli->lab,
				.vm = vm,
				.progress = cli_show_copying,
				.progress_arg = &progress,
			},
			ret_made, &cli->err);
		progress_end(&progress);
		host_free(&host);
	} else if (vm && !prepared_exists(&cli->paths, source)) {
		rc = template_check(&cli->paths, source, &cli->err);
		rc = rc < 0 ? error_wrap(&cli->err, rc, "vm '%s'", source)
			    : error_set(&cli->err, ENOTCONN, "vm '%s' is not up (hv up %s)", source,
					source);
	} else if (!vm && !prepared_exists(&cli->paths, source)) {
		rc = error_set(&cli->err, ENOENT,
			       "there is neither a vm '%s' in '%s' nor a state of that name "
			       "(hv state ls)",
			       source, cli->paths.config);
	} else {
		(void)str_format(ret_made->name, sizeof(ret_made->name), "%s", source);
	}
	if (rc == 0)
		rc = prepared_open(&cli->paths, ret_made->name, &p, &cli->err);
	if (rc == 0) {
		*ret_of = strdup(cli_text(p.state, "of"));
		rc = *ret_of ? 0 : error_oom(&cli->err);
	}
	prepared_close(&p);
	if (rc < 0)
		prepare_forget(&cli->paths, ret_made);
	return rc;
}

/* Goes on as `hv up` of the forks. */
static int bring_up(struct cli *cli)
{
	const char *links = cli->values[OPT_LINKS];
	char *const *names = cli->names;
	int rc;

	/* up has another option in that place. */
	cli->values[OPT_LINKS] = NULL;
	cli->names++;
	cli->n_names--;
	rc = verb_up.run(cli);
	cli->names = names;
	cli->n_names++;
	cli->values[OPT_LINKS] = links;
	return rc;
}

/* One that runs has forgotten what it began with; of one that does not there is nothing left. */
static void clean_up(struct cli *cli, const bool *is_made)
{
	for (size_t i = 1; i < cli->n_names; i++) {
		const struct spec_vm *vm = lab_find_vm(cli->lab, cli->names[i]);

		if (!vm || is_up(cli, vm))
			continue;
		prepared_forget(&cli->paths, vm->name);
		if (is_made[i - 1])
			(void)machine_remove(&cli->paths, cli->names[i], NULL);
	}
}

static int fork_all(struct cli *cli, const char *of, const char *state)
{
	cleanup_free bool *is_made = calloc(cli->n_names, sizeof(*is_made));
	int rc = is_made ? make_machines(cli, of, is_made) : error_oom(&cli->err);

	for (size_t i = 1; rc == 0 && i < cli->n_names; i++)
		rc = error_wrap_if(
			&cli->err,
			set_next_state(cli, lab_find_vm(cli->lab, cli->names[i]), state, &cli->err),
			"vm '%s'", cli->names[i]);
	if (rc == 0)
		rc = bring_up(cli);
	if (is_made)
		clean_up(cli, is_made);
	return rc;
}

/* None of them came to be: the source has its disks back as they were. */
static void give_back(struct cli *cli, const char *tag)
{
	const struct spec_vm *vm = lab_find_vm(cli->lab, cli->names[0]);
	struct error err = ERROR_INIT;
	struct host host = {0};
	int rc;

	if (!*tag || !vm)
		return;
	host_probe(&host);
	rc = prepare_fold(
		&(struct prepare_options){
			.paths = &cli->paths, .host = &host, .lab = cli->lab, .vm = vm},
		tag, &err);
	host_free(&host);
	/* Those that did come to be lie on it. */
	if (rc == 0 || rc == -EBUSY || rc == -ENOENT)
		return;
	(void)error_wrap(&err, rc, "vm '%s': its disks keep the layer '%s' (hv snap commit %s %s)",
			 vm->name, tag, vm->name, tag);
	cli_tell(&err);
}

static int run(struct cli *cli)
{
	cleanup_free char *of = NULL;
	const char *links = cli->values[OPT_LINKS];
	struct prepared_made made;
	int rc;

	if (links && !str_eq(links, "up") && !str_eq(links, "told"))
		return cli_usage(cli, &verb_fork, "--links takes told or up, not '%s'", links);
	rc = check_names(cli);
	if (rc == 0)
		rc = find_state(cli, &made, &of);
	if (rc < 0)
		return rc;
	rc = fork_all(cli, of, made.name);
	prepare_forget(&cli->paths, &made);
	if (rc < 0 || cli->exit_code != 0)
		give_back(cli, made.tag);
	return rc;
}

const struct verb verb_fork = {
	.name = "fork",
	.args = "SOURCE NAME…",
	.summary = "start machines out of one that runs, or out of a prepared state",
	.text = "SOURCE is a machine that is up, which stands for some milliseconds and runs on, or "
		"stays\npaused, or a state (hv state). A NAME that is not configured becomes a machine like it (hv rm "
		"removes it again);\none that is has to have the same devices, processors and memory. They hold its memory together, and "
		"what its\ndisks held, until they write to it: each gets disks of its own that begin there.\nA guest that "
		"nobody can tell keeps its links down; with --links up it has them at once, and SOURCE's "
		"MACs\nand addresses with them, which is for networks where that one is not.",
	.options = options,
	.min_names = 2,
	.max_names = SIZE_MAX,
	.names = CLI_NAMES_VM,
	.run = run,
};
