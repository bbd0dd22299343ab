/* SPDX-License-Identifier: MIT */
#include "base/cleanup.h"
#include "base/str.h"
#include "cli/common.h"
#include "vmm/vm_status.h"

#include <dirent.h>
#include <stdlib.h>

enum { OPT_JSON };

static const struct cli_option options[] = {
	[OPT_JSON] = {"json", 'j', NULL, "as a JSON array of status objects", false},
	{0},
};

static int add(struct cli *cli, const struct spec_vm *vm, json_t *list)
{
	json_t *status;
	int rc = vm_status_read(&cli->paths, vm, &status, &cli->err);

	if (rc == 0 && json_array_append_new(list, status) < 0)
		rc = error_oom(&cli->err);
	return rc;
}

/* VMs that run and are no longer configured. */
static int add_strays(struct cli *cli, json_t *list)
{
	cleanup_free char *folder = str_printf("%s/vm", cli->paths.run);
	cleanup_closedir DIR *dir = folder ? opendir(folder) : NULL;
	struct dirent *entry;
	int rc = 0;

	while (dir && rc == 0 && (entry = readdir(dir))) {
		struct spec_vm vm = {.name = entry->d_name};

		if (str_is_name(entry->d_name) && !lab_find_vm(cli->lab, entry->d_name))
			rc = add(cli, &vm, list);
	}
	return rc;
}

static void print(json_t *list)
{
	json_t *status;
	struct cli_table t;
	size_t i;

	cli_table_init(&t, 5);
	cli_table_add(&t, "NAME");
	cli_table_add(&t, "STATE");
	cli_table_add(&t, "UPTIME");
	cli_table_add(&t, "MEMORY");
	cli_table_add(&t, "ADDRESSES");
	json_array_foreach (list, i, status) {
		cleanup_strbuf struct strbuf addresses = {0};
		char memory[32], uptime[32];

		str_format_size(memory, sizeof(memory),
				(uint64_t)json_integer_value(json_object_get(status, "memory")));
		cli_format_uptime(uptime, sizeof(uptime), json_object_get(status, "started"));
		cli_add_addresses(&addresses, status);
		cli_table_add(&t, "%s", cli_text(status, "name"));
		cli_table_add(&t, "%s%s",
			      json_is_true(json_object_get(status, "template"))
				      ? "template"
				      : cli_text(status, "state"),
			      json_is_object(json_object_get(status, "saved")) ? ", saved" : "");
		cli_table_add(&t, "%s", uptime);
		cli_table_add(&t, "%s", memory);
		cli_table_add(&t, "%s", addresses.len ? addresses.data : "-");
	}
	cli_table_print(&t, stdout);
}

static int run(struct cli *cli)
{
	cleanup_json json_t *list = json_array();
	int rc = list ? 0 : error_oom(&cli->err);

	for (size_t i = 0; rc == 0 && i < cli->lab->n_vms; i++)
		rc = add(cli, &cli->lab->vms[i], list);
	if (rc == 0)
		rc = add_strays(cli, list);
	if (rc < 0)
		return rc;
	return cli_show(cli, list, cli->values[OPT_JSON] != NULL, print);
}

const struct verb verb_ls = {
	.name = "ls",
	.args = "",
	.summary = "list the virtual machines with state, addresses, uptime and memory",
	.options = options,
	.lab = CLI_LAB_OPTIONAL,
	.run = run,
};
