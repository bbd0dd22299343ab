/* SPDX-License-Identifier: MIT */
#include "vmm/doctor.h"

#include "base/cleanup.h"
#include "base/str.h"
#include "cli/common.h"

enum { OPT_JSON };

static const struct cli_option options[] = {
	[OPT_JSON] = {"json", 'j', NULL, "as a JSON array of {name, state, detail, remedy}", false},
	{0},
};

static void print(json_t *list)
{
	json_t *entry;
	struct cli_table t;
	size_t i;

	cli_table_init(&t, 3);
	json_array_foreach (list, i, entry) {
		cli_table_add(&t, "%s", cli_text(entry, "state"));
		cli_table_add(&t, "%s", cli_text(entry, "name"));
		cli_table_add(&t, "%s", cli_text(entry, "detail"));
	}
	cli_table_print(&t, stdout);
	json_array_foreach (list, i, entry) {
		const char *remedy = json_get_string(entry, "remedy");

		if (remedy)
			(void)printf("%s: %s\n", cli_text(entry, "name"), remedy);
	}
}

static int run(struct cli *cli)
{
	cleanup_json json_t *list = NULL;
	json_t *entry;
	size_t i;
	int rc;

	rc = doctor_examine(&cli->paths, &list, &cli->err);
	if (rc < 0)
		return rc;
	json_array_foreach (list, i, entry)
		if (str_eq(cli_text(entry, "state"), "missing"))
			cli->exit_code = CLI_FAILED;
	return cli_show(cli, list, cli->values[OPT_JSON] != NULL, print);
}

const struct verb verb_doctor = {
	.name = "doctor",
	.args = "",
	.summary = "what this host can do, and the command that mends what it cannot",
	.text = "Looks and changes nothing. Exits with 1 where something is missing.",
	.options = options,
	.lab = CLI_LAB_NONE,
	.run = run,
};
