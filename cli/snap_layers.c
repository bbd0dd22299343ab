/* SPDX-License-Identifier: MIT */
#include "cli/snap_layers.h"

#include "base/interrupt.h"
#include "base/str.h"
#include "cli/bar.h"
#include "cli/common.h"
#include "vmm/host.h"
#include "vmm/layers/layers.h"

enum { OPTION_LIMIT, OPTION_JSON };

static const struct cli_option options[] = {
	[OPTION_LIMIT] = {"limit", 0, "SIZE", "copy at most so much of each disk in a second"},
	[OPTION_JSON] = {"json", 0, NULL, "JSON lines: progress, and the result as the last"},
	{0},
};

static void on_show(uint64_t done, uint64_t total, void *arg)
{
	bar_show(arg, done, total);
}

/* What is done to the layers: what says so, done is said in the end. */
struct change {
	const struct verb *verb;
	const char *what, *done;
	int (*work)(const struct layers_request *request, struct error *err);
	bool json;
	uint64_t limit_bytes;
};

static int change(struct cli *cli, const char *name, const char *tag, const struct change *c)
{
	struct bar bar;
	struct layers_request request = {
		.paths = &cli->paths,
		.lab = cli->lab,
		.tag = tag,
		.limit_bytes = c->limit_bytes,
		.show = on_show,
		.arg = &bar,
	};
	struct host host;
	sigset_t before;
	int rc = cli_find_vm(cli, name, &request.vm);

	if (rc < 0)
		return rc;
	host_probe(&host);
	request.host = &host;
	bar_begin(&bar, c->what, c->json);
	interrupt_hold(&before);
	rc = c->work(&request, &cli->err);
	bar_end(&bar);
	interrupt_release(&before);
	host_free(&host);
	if (rc < 0)
		return error_wrap(&cli->err, rc, "vm '%s': %s", name, c->what);
	if (c->json)
		(void)printf("{\"event\": \"done\", \"vm\": \"%s\", \"what\": \"%s\"}\n", name,
			     c->what);
	else
		(void)printf("%s: %s\n", name, c->done);
	return 0;
}

int cli_snap_save_external(struct cli *cli, const char *name, const char *tag, bool json)
{
	return change(cli, name, tag,
		      &(struct change){
			      .json = json,
			      .what = "overlay",
			      .done = "its disks have a new layer each",
			      .work = layers_save,
		      });
}

static int fold(struct cli *cli, struct change *c)
{
	const char *limit = cli->values[OPTION_LIMIT];

	if (limit && (!str_parse_size(limit, &c->limit_bytes) || c->limit_bytes > INT64_MAX))
		return cli_usage(cli, c->verb, "--limit takes a size, as in 50M");
	c->json = cli->values[OPTION_JSON] != NULL;
	return change(cli, cli->names[0], cli->n_names > 1 ? cli->names[1] : NULL, c);
}

static int run_commit(struct cli *cli)
{
	return fold(cli, &(struct change){
				 .verb = &verb_snap_commit,
				 .what = "commit",
				 .done = "its layers are folded in",
				 .work = layers_commit,
			 });
}

static int run_rebase(struct cli *cli)
{
	return fold(cli, &(struct change){
				 .verb = &verb_snap_rebase,
				 .what = "rebase",
				 .done = "its disks stand alone",
				 .work = layers_rebase,
			 });
}

const struct verb verb_snap_commit = {
	.name = "snap commit",
	.args = "NAME [TAG]",
	.summary = "fold the layers of its disks down to TAG into one",
	.text = "Without TAG the active layer goes into the one next below. The guest goes on, but for "
		"a moment in the\nend. The image below is no snapshot any more from the first moment "
		"on, also after an interrupt. A layer\nwith a snapshot of hv snap save is not folded "
		"away; in the one that is folded into they stay.",
	.options = options,
	.min_names = 1,
	.max_names = 2,
	.names = CLI_NAMES_VM,
	.lab = CLI_LAB_NEEDED,
	.run = run_commit,
};

const struct verb verb_snap_rebase = {
	.name = "snap rebase",
	.args = "NAME",
	.summary = "copy what lies below its disks into them, so that they stand alone",
	.text = "The guest goes on, but for a moment in the end. The images below stay as they are. An "
		"interrupt leaves\nwhat was. It is refused where its own layers hold snapshots of hv "
		"snap save, which would be of no\nuse then.",
	.options = options,
	.min_names = 1,
	.max_names = 1,
	.names = CLI_NAMES_VM,
	.lab = CLI_LAB_NEEDED,
	.run = run_rebase,
};
