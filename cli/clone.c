/* SPDX-License-Identifier: MIT */
#include "vmm/fork/clone.h"

#include "base/cleanup.h"
#include "base/str.h"
#include "cli/bar.h"
#include "cli/common.h"
#include "cli/interrupt.h"
#include "cli/made.h"
#include "vmm/fork/template.h"
#include "vmm/rundir.h"

#include <errno.h>

enum { OPT_FULL, OPT_LINKED };

static const struct cli_option options[] = {
	[OPT_FULL] = {"full", 'f', NULL, "copy the disks (the default, but for templates)", false},
	[OPT_LINKED] = {"linked", 'l', NULL,
			"overlays on the source's disks (the default for templates)", false},
	{0},
};

struct shown {
	struct bar bar;
	uint64_t done; /* of this disk */
};

/* One disk after another. */
static void show(void *arg, uint64_t done, uint64_t total)
{
	struct shown *shown = arg;

	if (done < shown->done) {
		bar_end(&shown->bar);
		bar_begin(&shown->bar, "copy", false);
	}
	shown->done = done;
	bar_show(&shown->bar, done, total);
}

/* Before its disks are found to be in use. */
static int check_down(struct cli *cli, const char *name)
{
	enum rundir_state state;
	int rc = rundir_check_held(&cli->paths, PATHS_VM, name, &cli->err);

	rundir_settle(&cli->paths, PATHS_VM, name);
	if (rc < 0)
		return error_wrap(&cli->err, rc, "vm '%s'", name);
	rc = rundir_look(&cli->paths, PATHS_VM, name, &state, &cli->err);
	if (rc == 0 && state == RUNDIR_SERVED)
		rc = error_set(
			&cli->err, EBUSY,
			"vm '%s' is up (hv down %s; hv fork makes machines of one that runs)", name,
			name);
	return rc;
}

static int run(struct cli *cli)
{
	struct shown shown = {0};
	const struct disk_copy_watch watch = {show, cli_interrupted(), &shown};
	struct clone clone = {
		.paths = &cli->paths, .lab = cli->lab, .name = cli->names[1], .watch = &watch};
	cleanup_json json_t *vm = NULL;
	int rc;

	if (cli->values[OPT_FULL] && cli->values[OPT_LINKED])
		return cli_usage(cli, &verb_clone, "--full or --linked, not both");
	rc = cli_find_vm(cli, cli->names[0], &clone.source);
	if (rc == 0)
		rc = cli_check_new_vm(cli, clone.name);
	if (rc == 0)
		rc = check_down(cli, clone.source->name);
	if (rc < 0)
		return rc;
	clone.linked = cli->values[OPT_LINKED] ||
		       (!cli->values[OPT_FULL] && template_is(&cli->paths, clone.source->name));
	rc = clone_describe(&clone, &vm, &cli->err);
	if (rc == 0)
		rc = cli_try_vm(cli, clone.name, vm);
	if (rc < 0)
		return error_wrap(&cli->err, rc, "vm '%s'", clone.source->name);
	bar_begin(&shown.bar, "copy", false);
	rc = clone_make(&clone, vm, &cli->err);
	bar_end(&shown.bar);
	if (rc < 0)
		return error_wrap(&cli->err, rc, "clone '%s' to '%s'", clone.source->name,
				  clone.name);
	(void)printf("%s is a %s of %s\n", clone.name, clone.linked ? "linked clone" : "copy",
		     clone.source->name);
	return 0;
}

const struct verb verb_clone = {
	.name = "clone",
	.args = "SOURCE NAME",
	.summary = "make a new virtual machine of one that is down",
	.text = "It is like SOURCE, with a uuid, MACs, NVRAM, TPM and disks of its own, which lie "
		"beside SOURCE's;\nhv rm removes it. A template's clones hold only what differs from "
		"it. Any other machine is copied,\nwith shared blocks where the file system can; with "
		"--linked it becomes their base, and cannot\nstart while there are any. An interrupt "
		"leaves nothing. What the guest's own disk says of it (host\nname, machine-id, keys) is "
		"the guest's to renew: prepare a template for that.",
	.options = options,
	.min_names = 2,
	.max_names = 2,
	.names = CLI_NAMES_VM,
	.lab = CLI_LAB_NEEDED,
	.run = run,
};
