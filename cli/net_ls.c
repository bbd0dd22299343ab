/* SPDX-License-Identifier: MIT */
#include "base/cleanup.h"
#include "base/str.h"
#include "cli/common.h"
#include "vmm/network/network.h"

enum { OPT_JSON };

static const struct cli_option options[] = {
	[OPT_JSON] = {"json", 'j', NULL, "as a JSON array of status objects", false},
	{0},
};

static void print(json_t *list)
{
	json_t *status, *user;
	struct cli_table t;
	size_t i, j;

	cli_table_init(&t, 6);
	cli_table_add(&t, "NAME");
	cli_table_add(&t, "STATE");
	cli_table_add(&t, "BRIDGE");
	cli_table_add(&t, "ADDRESS");
	cli_table_add(&t, "NAT");
	cli_table_add(&t, "USED BY");
	json_array_foreach (list, i, status) {
		cleanup_strbuf struct strbuf users = {0};

		json_array_foreach (json_object_get(status, "users"), j, user)
			strbuf_addf(&users, "%s%s", j ? " " : "", json_string_value(user));
		cli_table_add(&t, "%s", cli_text(status, "name"));
		cli_table_add(&t, "%s", cli_text(status, "state"));
		cli_table_add(&t, "%s", cli_text(status, "bridge"));
		cli_table_add(&t, "%s", cli_text(status, "address"));
		cli_table_add(&t, "%s",
			      json_is_true(json_object_get(status, "nat")) ? "yes" : "no");
		cli_table_add(&t, "%s", users.len ? users.data : "-");
	}
	cli_table_print(&t, stdout);
}

static int run(struct cli *cli)
{
	cleanup_json json_t *list = json_array();
	int rc = list ? 0 : error_oom(&cli->err);

	for (size_t i = 0; rc == 0 && i < cli->lab->n_networks; i++) {
		json_t *status;

		rc = network_status_read(&cli->paths, &cli->lab->networks[i], &status, &cli->err);
		if (rc == 0 && json_array_append_new(list, status) < 0)
			rc = error_oom(&cli->err);
	}
	if (rc < 0)
		return rc;
	return cli_show(cli, list, cli->values[OPT_JSON] != NULL, print);
}

const struct verb verb_net_ls = {
	.name = "net ls",
	.args = "",
	.summary = "list the networks with state, bridge, address and users",
	.options = options,
	.lab = CLI_LAB_OPTIONAL,
	.run = run,
};
