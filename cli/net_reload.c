/* SPDX-License-Identifier: MIT */
/* net reload: as reload, for networks. */
#include "cli/common.h"

#include "base/clock.h"
#include "base/str.h"
#include "cli/wait.h"
#include "vmm/json.h"
#include "vmm/network/network.h"

#include <errno.h>

enum { RELOAD_SECONDS = 30 };

static int reload(struct cli *cli, const struct spec_network *net)
{
	cleanup_json json_t *status = NULL;
	int rc, pid;

	rc = cli_adopt_network(cli, net->name);
	if (rc <= 0)
		return rc;
	rc = network_status_read(&cli->paths, net, &status, &cli->err);
	if (rc < 0)
		return error_wrap(&cli->err, rc, "network '%s'", net->name);
	pid = (int)json_integer_value(
		json_object_get(json_object_get(status, "supervisor"), "pid"));
	rc = cli_command(cli, PATHS_NET, net->name, "hv-net-reload", NULL, CLI_COMMAND_MS, NULL,
			 &cli->err);
	if (rc == 0)
		rc = cli_wait_network_replaced(cli, net, pid,
					       clock_now_usec() + RELOAD_SECONDS * 1000000ULL);
	return rc < 0 ? rc : 1;
}

static int run(struct cli *cli)
{
	for (size_t i = 0; i < cli->n_names; i++) {
		const struct spec_network *net;
		int rc = cli_find_network(cli, cli->names[i], &net);

		if (rc == 0)
			rc = reload(cli, net);
		if (rc < 0) {
			cli_tell(&cli->err);
			cli->exit_code = CLI_FAILED;
		} else if (rc == 0) {
			(void)printf("%s is not up\n", cli->names[i]);
		} else {
			(void)printf("%s stays up, looked after by hv " HV_VERSION "\n",
				     cli->names[i]);
		}
	}
	return 0;
}

const struct verb verb_net_reload = {
	.name = "net reload",
	.args = "NAME…",
	.summary = "let the hv that is installed now look after networks",
	.text = "For after an update: keeper, supervisor and dnsmasq are replaced, bridge, rules and "
		"leases stay.\nThe configuration is read again, so hosts and rules are those that it "
		"says now.",
	.min_names = 1,
	.max_names = SIZE_MAX,
	.names = CLI_NAMES_NETWORK,
	.run = run,
};
