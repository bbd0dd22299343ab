/* SPDX-License-Identifier: MIT */
#include "vmm/backup/backup.h"

#include "base/cleanup.h"
#include "base/interrupt.h"
#include "base/str.h"
#include "cli/bar.h"
#include "cli/common.h"
#include "cli/freeze.h"
#include "vmm/host.h"

enum { OPTION_INCREMENTAL, OPTION_NO_FREEZE, OPTION_LIMIT, OPTION_JSON };

static const struct cli_option options[] = {
	[OPTION_INCREMENTAL] = {"incremental", 'i', NULL,
				"copy what changed since the last generation in the folder"},
	[OPTION_NO_FREEZE] = {"no-freeze", 0, NULL, "leave the guest's file systems as they are"},
	[OPTION_LIMIT] = {"limit", 0, "SIZE", "read at most so much of each disk in a second"},
	[OPTION_JSON] = {"json", 0, NULL, "JSON lines: progress, and the result as the last"},
	{0},
};

struct shown {
	struct bar bar;
	enum backup_phase phase;
	struct freeze freeze;
};

static bool on_freeze(void *arg)
{
	struct shown *shown = arg;

	return freeze_begin(&shown->freeze);
}

static void on_thaw(void *arg)
{
	struct shown *shown = arg;

	freeze_end(&shown->freeze);
}

static void on_show(enum backup_phase phase, uint64_t done, uint64_t total, void *arg)
{
	struct shown *shown = arg;

	if (phase != shown->phase) {
		bar_end(&shown->bar);
		bar_begin(&shown->bar, "checksums", shown->bar.json);
		shown->phase = phase;
	}
	bar_show(&shown->bar, done, total);
}

static json_t *list_notes(const struct backup_report *report)
{
	json_t *list = json_array();

	for (size_t i = 0; i < report->notes.n; i++)
		(void)json_array_append_new(list, json_string(report->notes.v[i]));
	return list;
}

static void print_json(const struct spec_vm *vm, const struct backup_report *report)
{
	cleanup_json json_t *line = json_pack(
		"{s:s s:s s:i s:b s:b s:I s:o}", "event", "done", "vm", vm->name, "generation",
		(int)report->generation, "running", report->running, "frozen", report->frozen,
		"bytes", (json_int_t)report->bytes, "notes", list_notes(report));
	cleanup_free char *text = line ? json_dumps(line, JSON_COMPACT) : NULL;

	(void)puts(text ? text : "{}");
}

static void print(const struct cli *cli, const struct spec_vm *vm,
		  const struct backup_report *report, const struct freeze *freeze)
{
	char size[32];

	for (size_t i = 0; i < report->notes.n; i++)
		(void)fprintf(stderr, "%s: %s\n", vm->name, report->notes.v[i]);
	if (report->running && !report->frozen && freeze->why_not.code)
		(void)fprintf(stderr,
			      "%s: its file systems were not frozen (%s): the copy is as after a "
			      "power failure\n",
			      vm->name, freeze->why_not.text);
	str_format_size(size, sizeof(size), report->bytes);
	(void)printf("%s: generation %u in '%s', %s", vm->name, report->generation, cli->names[1],
		     size);
	if (report->frozen && freeze->n)
		(void)printf(", %u file system%s frozen", freeze->n, freeze->n == 1 ? "" : "s");
	else if (report->frozen)
		(void)printf(", no file system to freeze, says its agent");
	(void)printf("\n");
}

static int run(struct cli *cli)
{
	struct backup_report report = {.generation = 0};
	struct backup_request request = {
		.paths = &cli->paths,
		.folder = cli->names[1],
		.incremental = cli->values[OPTION_INCREMENTAL] != NULL,
	};
	struct shown shown;
	struct host host;
	sigset_t before;
	int rc = cli_find_vm(cli, cli->names[0], &request.vm);

	if (rc < 0)
		return rc;
	if (str_eq(request.folder, "-"))
		return cli_usage(cli, &verb_backup,
				 "a backup is a folder and cannot go to standard output");
	if (cli->values[OPTION_LIMIT] &&
	    (!str_parse_size(cli->values[OPTION_LIMIT], &request.limit_bytes) ||
	     request.limit_bytes > INT64_MAX))
		return cli_usage(cli, &verb_backup, "--limit takes a size, as in 50M");
	host_probe(&host);
	freeze_init(&shown.freeze, cli, request.vm->name);
	shown.phase = BACKUP_COPY;
	bar_begin(&shown.bar, "copy", cli->values[OPTION_JSON] != NULL);
	request.host = &host;
	request.arg = &shown;
	request.show = on_show;
	if (!cli->values[OPTION_NO_FREEZE] && request.vm->agent) {
		request.freeze = on_freeze;
		request.thaw = on_thaw;
	}
	interrupt_hold(&before);
	rc = backup_make(&request, &report, &cli->err);
	bar_end(&shown.bar);
	interrupt_release(&before);
	if (rc == 0 && shown.bar.json)
		print_json(request.vm, &report);
	else if (rc == 0)
		print(cli, request.vm, &report, &shown.freeze);
	backup_report_free(&report);
	host_free(&host);
	return error_wrap_if(&cli->err, rc, "vm '%s': backup", request.vm->name);
}

const struct verb verb_backup = {
	.name = "backup",
	.args = "NAME FOLDER",
	.summary = "copy a machine's disks, NVRAM and TPM state as they are at one moment",
	.text = "All disks are copied as of the same moment while the guest goes on; its file "
		"systems are frozen\nfor that moment where its agent answers. The folder is made, or "
		"gets one more generation. It\nholds qcow2 images that qemu-img reads, and "
		"manifest.json with their checksums. A stopped\nmachine is copied, too. With "
		"--incremental a disk whose image keeps account of changes (qcow2) is\ncopied by "
		"them, and whole where that account is missing, which is told.\nAn interrupt leaves "
		"the folder as it was.",
	.options = options,
	.min_names = 2,
	.max_names = 2,
	.names = CLI_NAMES_VM,
	.lab = CLI_LAB_NEEDED,
	.run = run,
};
