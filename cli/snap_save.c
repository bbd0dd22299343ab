/* SPDX-License-Identifier: MIT */
#include "base/cleanup.h"
#include "base/str.h"
#include "cli/common.h"
#include "cli/snap.h"
#include "cli/snap_layers.h"
#include "vmm/snapshot/snapshot_record.h"

#include <errno.h>
#include <time.h>

enum { OPT_NOTE, OPT_LIVE, OPT_EXTERNAL, OPT_JSON };

static const struct cli_option options[] = {
	[OPT_NOTE] = {"note", 0, "TEXT", "what it is for, for hv snap ls", false},
	[OPT_LIVE] = {"live", 0, NULL, "do not stop the guest meanwhile, where that can be had",
		      false},
	[OPT_EXTERNAL] = {"external", 0, NULL, "only the disks: each goes on in a new layer",
			  false},
	[OPT_JSON] = {"json", 'j', NULL, "progress and result as lines of JSON", false},
	{0},
};

static void print(const struct snap *s, const struct snapshot_outcome *outcome)
{
	char size[32];

	str_format_size(size, sizeof(size), outcome->memory_bytes);
	if (outcome->stood_usec && s->request.live)
		(void)printf("%s: snapshot %s, with %s of memory; the guest stood for %.1f ms\n",
			     s->request.vm->name, s->request.tag, size,
			     (double)outcome->stood_usec / 1000);
	else if (outcome->stopped)
		(void)printf("%s: snapshot %s, without memory\n", s->request.vm->name,
			     s->request.tag);
	else
		(void)printf("%s: snapshot %s, with %s of memory\n", s->request.vm->name,
			     s->request.tag, size);
}

static int run(struct cli *cli)
{
	const char *note = cli->values[OPT_NOTE];
	struct snapshot_outcome outcome;
	bool json = cli->values[OPT_JSON] != NULL;
	char tag[32] = "";
	time_t now = time(NULL);
	struct tm tm;
	struct snap s;
	int rc;

	if (cli->values[OPT_EXTERNAL] && (note || cli->values[OPT_LIVE] || cli->n_names < 2))
		return cli_usage(cli, &verb_snap_save,
				 "--external wants a TAG, and has neither --note nor --live");
	if (cli->values[OPT_EXTERNAL])
		return cli_snap_save_external(cli, cli->names[0], cli->names[1], json);
	if (!cli_check_note(cli, &verb_snap_save, note))
		return 0;
	if (localtime_r(&now, &tm))
		(void)strftime(tag, sizeof(tag), "%Y-%m-%d-%H%M%S", &tm);
	rc = snap_begin(&s, cli, "save", cli->names[0], cli->n_names > 1 ? cli->names[1] : tag,
			json);
	if (rc < 0) {
		snap_end(&s);
		return rc;
	}
	s.request.note = note;
	s.request.live = cli->values[OPT_LIVE] != NULL;
	rc = snapshot_save(&s.request, &outcome, &cli->err);
	snap_end(&s);
	if (rc < 0)
		return error_wrap(&cli->err, rc, "vm '%s'", s.request.vm->name);
	if (json)
		return snap_print_done(&s, &outcome);
	print(&s, &outcome);
	return 0;
}

const struct verb verb_snap_save = {
	.name = "snap save",
	.args = "NAME [TAG]",
	.summary = "keep disks, NVRAM, memory and TPM as they are now",
	.text = "Of a machine that runs, is paused or is stopped; without TAG it is named by date "
		"and time. A guest\nthat runs stands while its memory is written; with --live it runs "
		"on, stands for some\nmilliseconds at the end, and is saved as it is then. Either all "
		"of it is there afterwards or\nnothing. Disks have to be qcow2; those that are "
		"read_only are left out. Ctrl-C takes away what\nwas made, and the machine goes on as "
		"before.\n"
		"With --external the image of dc01.qcow2 becomes dc01@TAG.qcow2, "
		"which nobody writes to any more,\nand dc01.qcow2 a layer on it: see hv snap "
		"commit and rebase.",
	.options = options,
	.min_names = 1,
	.max_names = 2,
	.names = CLI_NAMES_VM,
	.run = run,
};
