/* SPDX-License-Identifier: MIT */
/* state save, ls, rm: prepared states, which forks begin with. */
#include "base/cleanup.h"
#include "base/str.h"
#include "cli/common.h"
#include "cli/progress.h"
#include "cli/spares.h"
#include "vmm/fork/prepare.h"
#include "vmm/fork/prepared.h"
#include "vmm/host.h"
#include "vmm/layers/layers.h"

#include <errno.h>
#include <time.h>

enum { OPT_NOTE };
enum { OPT_JSON };

static const struct cli_option save_options[] = {
	[OPT_NOTE] = {"note", 'm', "TEXT", "what it is for, shown by hv state ls"},
	{0},
};

static const struct cli_option ls_options[] = {
	[OPT_JSON] = {"json", 'j', NULL, "as a JSON array of objects"},
	{0},
};

void cli_show_copying(uint64_t done_bytes, uint64_t total_bytes, void *arg)
{
	char done[32], total[32];

	str_format_size(done, sizeof(done), done_bytes);
	str_format_size(total, sizeof(total), total_bytes);
	progress_show(arg, "copying memory: %s of %s", done, total);
}

static int save(struct cli *cli)
{
	const char *note = cli->values[OPT_NOTE];
	struct prepared_made made;
	struct progress progress;
	const struct spec_vm *vm;
	struct host host = {0};
	int rc;

	if (!str_is_name(cli->names[1]))
		return cli_usage(cli, &verb_state_save,
				 "'%s' is no name: 1 to 63 letters, digits and _ . -, the first a "
				 "letter or digit",
				 cli->names[1]);
	if (!cli_check_note(cli, &verb_state_save, note))
		return 0;
	rc = cli_find_vm(cli, cli->names[0], &vm);
	if (rc < 0)
		return rc;
	host_probe(&host);
	progress_begin(&progress);
	rc = prepare_state(
		&(struct prepare_options){
			.paths = &cli->paths,
			.host = &host,
			.lab = cli->lab,
			.vm = vm,
			.note = note,
			.name = cli->names[1],
			.progress = cli_show_copying,
			.progress_arg = &progress,
		},
		&made, &cli->err);
	progress_end(&progress);
	host_free(&host);
	if (rc == 0)
		(void)printf("state '%s' of %s is made; the guest stood for %.1f ms\n", made.name,
			     vm->name, (double)made.pause_usec / 1000);
	return rc;
}

const struct verb verb_state_save = {
	.name = "state save",
	.args = "VM STATE",
	.summary = "keep a running machine's state for machines that begin with it",
	.text = "The machine stands for some milliseconds and runs on. Others begin with the state "
		"by\ntemplate-state: in their configuration, or by hv fork. Disks that it writes to "
		"get a layer each\n(hv snap save --external), and the state keeps what is below.",
	.options = save_options,
	.min_names = 2,
	.max_names = 2,
	.names = CLI_NAMES_VM,
	.run = save,
};

static void print(json_t *list)
{
	struct cli_table t;
	json_t *state;
	size_t i;

	cli_table_init(&t, 6);
	cli_table_add(&t, "NAME");
	cli_table_add(&t, "OF");
	cli_table_add(&t, "MADE");
	cli_table_add(&t, "MEMORY");
	cli_table_add(&t, "ON DISK");
	cli_table_add(&t, "NOTE");
	json_array_foreach (list, i, state) {
		time_t made = (time_t)json_integer_value(json_object_get(state, "made"));
		char when[32] = "-", memory[32], bytes[32];
		struct tm tm;

		if (localtime_r(&made, &tm))
			(void)strftime(when, sizeof(when), "%Y-%m-%d %H:%M:%S", &tm);
		str_format_size(memory, sizeof(memory),
				(uint64_t)json_integer_value(json_object_get(state, "memory")));
		str_format_size(bytes, sizeof(bytes),
				(uint64_t)json_integer_value(json_object_get(state, "bytes")));
		cli_table_add(&t, "%s", cli_text(state, "name"));
		cli_table_add(&t, "%s", cli_text(state, "of"));
		cli_table_add(&t, "%s", when);
		cli_table_add(&t, "%s", memory);
		cli_table_add(&t, "%s", bytes);
		cli_table_add(&t, "%s", cli_text(state, "note"));
	}
	cli_table_print(&t, stdout);
}

static int ls(struct cli *cli)
{
	cleanup_json json_t *list = NULL;
	json_t *state;
	size_t i;
	int rc = prepared_list(&cli->paths, &list, &cli->err);

	/* For hvup itself. */
	json_array_foreach (list, i, state) {
		(void)json_object_del(state, "shape");
		(void)json_object_del(state, "version");
	}
	return rc < 0 ? rc : cli_show(cli, list, cli->values[OPT_JSON] != NULL, print);
}

const struct verb verb_state_ls = {
	.name = "state ls",
	.args = "",
	.summary = "list the prepared states",
	.options = ls_options,
	.lab = CLI_LAB_NONE,
	.run = ls,
};

/* What a state's disks lie on goes with the last that needs it. */
static int drop_layers(struct cli *cli, const struct prepared *p)
{
	json_t *layer;
	size_t i;

	json_array_foreach (json_object_get(p->state, "layers"), i, layer) {
		cleanup_strbuf struct strbuf names = {0};
		cleanup_strv struct strv users = {0};
		const char *path = json_string_value(layer);
		int rc;

		if (!path)
			continue;
		rc = layers_drop(&cli->paths, cli->lab, path, &users, &cli->err);
		if (rc < 0)
			return rc;
		for (size_t k = 0; k < users.n; k++)
			strbuf_addf(&names, "%s%s", k ? ", " : "", users.v[k]);
		if (users.n)
			(void)printf("'%s' stays: it is the base of %s\n", path,
				     names.data ? names.data : "others");
	}
	return 0;
}

static int rm(struct cli *cli)
{
	for (size_t i = 0; i < cli->n_names; i++) {
		struct prepared p = PREPARED_INIT;
		int rc = prepared_open(&cli->paths, cli->names[i], &p, &cli->err);

		/* One that cannot be read goes all the same. */
		if (rc != -ENOENT)
			rc = prepared_remove(&cli->paths, cli->names[i], &cli->err);
		if (rc == 0) {
			(void)printf("state '%s' is removed\n", cli->names[i]);
			/* They would hold its memory, and begin no more. */
			cli_spares_end_of(cli, cli->names[i]);
			rc = drop_layers(cli, &p);
		}
		prepared_close(&p);
		if (rc < 0)
			return rc;
	}
	return 0;
}

const struct verb verb_state_rm = {
	.name = "state rm",
	.args = "STATE…",
	.summary = "remove prepared states; machines that began with them run on",
	.text = "The layer that their disks lie on goes with the last of them.",
	.min_names = 1,
	.max_names = SIZE_MAX,
	.lab = CLI_LAB_OPTIONAL,
	.run = rm,
};
