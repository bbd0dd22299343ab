/* SPDX-License-Identifier: MIT */
#include "base/cleanup.h"
#include "base/str.h"
#include "cli/common.h"
#include "vmm/network/network.h"

#include <errno.h>
#include <time.h>

enum { OPT_JSON };

static const struct cli_option options[] = {
	[OPT_JSON] = {"json", 'j', NULL, "as a JSON array of {address, mac, hostname, expires}",
		      false},
	{0},
};

static void print(json_t *list)
{
	json_t *lease;
	struct cli_table t;
	size_t i;

	cli_table_init(&t, 4);
	cli_table_add(&t, "ADDRESS");
	cli_table_add(&t, "MAC");
	cli_table_add(&t, "NAME");
	cli_table_add(&t, "EXPIRES");
	json_array_foreach (list, i, lease) {
		time_t expires = (time_t)json_integer_value(json_object_get(lease, "expires"));
		struct tm tm;
		char when[64] = "never";

		if (expires && localtime_r(&expires, &tm))
			(void)strftime(when, sizeof(when), "%Y-%m-%d %H:%M:%S", &tm);
		cli_table_add(&t, "%s", cli_text(lease, "address"));
		cli_table_add(&t, "%s", cli_text(lease, "mac"));
		cli_table_add(&t, "%s", cli_text(lease, "hostname"));
		cli_table_add(&t, "%s", when);
	}
	cli_table_print(&t, stdout);
}

static int run(struct cli *cli)
{
	cleanup_json json_t *list = NULL;
	const struct spec_network *net;
	int rc;

	rc = cli_find_network(cli, cli->names[0], &net);
	if (rc == 0)
		rc = network_leases_read(&cli->paths, net->name, &list, &cli->err);
	if (rc < 0)
		return rc;
	return cli_show(cli, list, cli->values[OPT_JSON] != NULL, print);
}

const struct verb verb_net_leases = {
	.name = "net leases",
	.args = "NAME",
	.summary = "the addresses that a network has given out",
	.options = options,
	.min_names = 1,
	.max_names = 1,
	.names = CLI_NAMES_NETWORK,
	.run = run,
};
