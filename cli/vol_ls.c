/* SPDX-License-Identifier: MIT */
#include "base/cleanup.h"
#include "base/str.h"
#include "cli/common.h"
#include "cli/vol.h"
#include "vmm/volumes/volumes.h"

enum { OPT_JSON };

static const struct cli_option options[] = {
	[OPT_JSON] = {"json", 'j', NULL, "as a JSON array", false},
	{0},
};

static void print(json_t *list)
{
	static const char *const heads[] = {"NAME",      "FORMAT",  "SIZE",
					    "ALLOCATED", "BACKING", "USED BY"};
	struct cli_table t;
	json_t *volume;
	size_t i;

	cli_table_init(&t, ARRAY_SIZE(heads));
	for (i = 0; i < ARRAY_SIZE(heads); i++)
		cli_table_add(&t, "%s", heads[i]);
	json_array_foreach (list, i, volume) {
		cleanup_strbuf struct strbuf users = {0};
		const char *error = json_get_string(volume, "error");
		char size[32], allocated[32];

		cli_vol_size(volume, "virtual", size);
		cli_vol_size(volume, "allocated", allocated);
		cli_vol_names(json_object_get(volume, "users"), &users);
		if (error)
			strbuf_addf(&users, "%s%s", users.len ? "; " : "", error);
		cli_table_add(&t, "%s", cli_text(volume, "name"));
		cli_table_add(&t, "%s", cli_text(volume, "format"));
		cli_table_add(&t, "%s", size);
		cli_table_add(&t, "%s", allocated);
		cli_table_add(&t, "%s", cli_text(volume, "backing"));
		cli_table_add(&t, "%s", users.len ? users.data : "-");
	}
	cli_table_print(&t, stdout);
}

static int list_pool(struct cli *cli, const char *name, json_t *list)
{
	for (size_t i = 0; i < cli->lab->n_pools; i++)
		if (str_eq(cli->lab->pools[i].name, name))
			return volumes_list(cli->lab, &cli->lab->pools[i], list, &cli->err);
	return cli_vol_no_pool(cli, name);
}

static int list_named(struct cli *cli, const char *name, json_t *list)
{
	cleanup_volume struct volume volume = {0};
	json_t *j = NULL;
	int rc;

	if (!strchr(name, '/'))
		return list_pool(cli, name, list);
	rc = volume_find(cli->lab, name, &volume, &cli->err);
	if (rc == 0)
		rc = volume_describe(&cli->paths, cli->lab, &volume, &j, &cli->err);
	if (rc == 0 && json_array_append_new(list, j) < 0)
		rc = error_oom(&cli->err);
	return rc;
}

static int run(struct cli *cli)
{
	cleanup_json json_t *list = json_array();
	int rc = list ? 0 : error_oom(&cli->err);

	for (size_t i = 0; rc == 0 && i < cli->n_names; i++)
		rc = list_named(cli, cli->names[i], list);
	for (size_t i = 0; rc == 0 && !cli->n_names && i < cli->lab->n_pools; i++)
		rc = volumes_list(cli->lab, &cli->lab->pools[i], list, &cli->err);
	return rc < 0 ? rc : cli_show(cli, list, cli->values[OPT_JSON] != NULL, print);
}

const struct verb verb_vol_ls = {
	.name = "vol ls",
	.args = "[POOL[/FILE]…]",
	.summary = "list the volumes of the pools with size, backing file and users",
	.options = options,
	.max_names = SIZE_MAX,
	.lab = CLI_LAB_NEEDED,
	.run = run,
};
