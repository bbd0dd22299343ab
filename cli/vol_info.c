/* SPDX-License-Identifier: MIT */
#include "base/cleanup.h"
#include "base/str.h"
#include "cli/common.h"
#include "cli/vol.h"
#include "vmm/volumes/volumes.h"

enum { OPT_JSON };

static const struct cli_option options[] = {
	[OPT_JSON] = {"json", 'j', NULL, "as a JSON object", false},
	{0},
};

static void print(json_t *volume)
{
	static const char *const texts[] = {"name", "path", "format", "backing"};
	static const char *const flags[] = {"in_use", "read_only"};
	static const char *const lists[] = {"users", "clones"};
	char size[32];

	for (size_t i = 0; i < ARRAY_SIZE(texts); i++)
		(void)printf("%-10s %s\n", texts[i], cli_text(volume, texts[i]));
	cli_vol_size(volume, "virtual", size);
	(void)printf("%-10s %s\n", "size", size);
	cli_vol_size(volume, "allocated", size);
	(void)printf("%-10s %s\n", "allocated", size);
	(void)printf("%-10s %lld\n", "snapshots",
		     (long long)json_integer_value(json_object_get(volume, "snapshots")));
	for (size_t i = 0; i < ARRAY_SIZE(flags); i++)
		(void)printf("%-10s %s\n", flags[i],
			     json_is_true(json_object_get(volume, flags[i])) ? "yes" : "no");
	for (size_t i = 0; i < ARRAY_SIZE(lists); i++) {
		cleanup_strbuf struct strbuf names = {0};

		cli_vol_names(json_object_get(volume, lists[i]), &names);
		(void)printf("%-10s %s\n", lists[i], names.len ? names.data : "-");
	}
	if (json_get_string(volume, "error"))
		(void)printf("%-10s %s\n", "error", cli_text(volume, "error"));
}

static int run(struct cli *cli)
{
	cleanup_volume struct volume volume = {0};
	cleanup_json json_t *j = NULL;
	int rc = volume_find(cli->lab, cli->names[0], &volume, &cli->err);

	if (rc == 0)
		rc = volume_describe(&cli->paths, cli->lab, &volume, &j, &cli->err);
	return rc < 0 ? rc : cli_show(cli, j, cli->values[OPT_JSON] != NULL, print);
}

const struct verb verb_vol_info = {
	.name = "vol info",
	.args = "POOL/FILE",
	.summary = "show a volume with all that uses it",
	.options = options,
	.min_names = 1,
	.max_names = 1,
	.lab = CLI_LAB_NEEDED,
	.run = run,
};
