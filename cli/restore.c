/* SPDX-License-Identifier: MIT */
#include "vmm/backup/backup_restore.h"

#include "base/cleanup.h"
#include "base/interrupt.h"
#include "base/str.h"
#include "cli/bar.h"
#include "cli/common.h"
#include "vmm/host.h"

enum { OPTION_GENERATION, OPTION_VERIFY, OPTION_FORCE, OPTION_JSON };

enum { GENERATION_MAX = 1000000 };

static const struct cli_option options[] = {
	[OPTION_GENERATION] = {"generation", 'g', "N", "that one, and not the last"},
	[OPTION_VERIFY] = {"verify", 0, NULL,
			   "only hold all that is in FOLDER against its checksums"},
	[OPTION_FORCE] = {"force", 'f', NULL,
			  "also where the machine has snapshots, which are gone then"},
	[OPTION_JSON] = {"json", 0, NULL, "JSON lines: progress, and the result as the last"},
	{0},
};

struct shown {
	struct bar bar;
	enum restore_phase phase;
};

static void on_show(enum restore_phase phase, uint64_t done, uint64_t total, void *arg)
{
	struct shown *shown = arg;

	if (phase != shown->phase) {
		bar_end(&shown->bar);
		bar_begin(&shown->bar, "write", shown->bar.json);
		shown->phase = phase;
	}
	bar_show(&shown->bar, done, total);
}

static void print(const struct cli *cli, const struct restore_report *report)
{
	char size[32];

	str_format_size(size, sizeof(size), report->bytes);
	if (cli->values[OPTION_VERIFY])
		(void)printf("%s: %u generation%s, %s, as written\n", report->vm,
			     report->generation, report->generation == 1 ? "" : "s", size);
	else
		(void)printf("%s: as it was at %s (generation %u)\n", report->vm, report->time,
			     report->generation);
}

static void print_json(const struct cli *cli, const struct restore_report *report)
{
	/* How many were looked at, or which one it is. */
	const char *what = cli->values[OPTION_VERIFY] ? "generations" : "generation";
	cleanup_json json_t *line = json_pack("{s:s s:s s:i s:s s:I}", "event", "done", "vm",
					      report->vm, what, (int)report->generation, "time",
					      report->time, "bytes", (json_int_t)report->bytes);
	cleanup_free char *text = line ? json_dumps(line, JSON_COMPACT) : NULL;

	(void)puts(text ? text : "{}");
}

static int run(struct cli *cli)
{
	struct restore_request request = {
		.paths = &cli->paths,
		.lab = cli->lab,
		.folder = cli->names[0],
		.name = cli->n_names > 1 ? cli->names[1] : NULL,
		.generation = -1,
		.verify = cli->values[OPTION_VERIFY] != NULL,
		.drop_snapshots = cli->values[OPTION_FORCE] != NULL,
		.show = on_show,
	};
	struct restore_report report;
	uint64_t generation = 0;
	struct host host;
	struct shown shown = {.phase = RESTORE_SUM};
	sigset_t before;
	int rc;

	if (!cli_number(cli, &verb_restore, OPTION_GENERATION, GENERATION_MAX, 0, &generation))
		return 0;
	if (cli->values[OPTION_GENERATION])
		request.generation = (int64_t)generation;
	host_probe(&host);
	bar_begin(&shown.bar, "checksums", cli->values[OPTION_JSON] != NULL);
	request.host = &host;
	request.arg = &shown;
	interrupt_hold(&before);
	rc = backup_restore(&request, &report, &cli->err);
	bar_end(&shown.bar);
	interrupt_release(&before);
	if (rc == 0 && shown.bar.json)
		print_json(cli, &report);
	else if (rc == 0)
		print(cli, &report);
	host_free(&host);
	return error_wrap_if(&cli->err, rc, "restore '%s'", cli->names[0]);
}

const struct verb verb_restore = {
	.name = "restore",
	.args = "FOLDER [NAME]",
	.summary = "bring a machine back to what hv backup copied",
	.text = "Everything is held against its checksum first. Then disks, NVRAM and TPM state are "
		"written beside\nthose that are there, and take their place in one step: an interrupt "
		"or a crash leaves the old ones\nor the new ones. The machine has to be stopped and "
		"configured, and to have no snapshots; NAME may be another one with as\nmany disks.",
	.options = options,
	.min_names = 1,
	.max_names = 2,
	.lab = CLI_LAB_OPTIONAL,
	.run = run,
};
