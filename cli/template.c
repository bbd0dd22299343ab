/* SPDX-License-Identifier: MIT */
#include "vmm/fork/template.h"
#include "cli/common.h"

enum { OPT_UNDO };

static const struct cli_option options[] = {
	[OPT_UNDO] = {"undo", 'u', NULL, "make it a machine again, where it has no clones", false},
	{0},
};

static int run(struct cli *cli)
{
	const struct spec_vm *vm;
	int rc = cli_find_vm(cli, cli->names[0], &vm);

	if (rc < 0)
		return rc;
	rc = cli->values[OPT_UNDO] ? template_undo(&cli->paths, cli->lab, vm, &cli->err)
				   : template_make(&cli->paths, vm, &cli->err);
	if (rc < 0)
		return rc;
	(void)printf(cli->values[OPT_UNDO] ? "%s is no template any more\n" : "%s is a template\n",
		     vm->name);
	return 0;
}

const struct verb verb_template = {
	.name = "template",
	.args = "NAME",
	.summary = "freeze a virtual machine that is down, to be cloned",
	.text = "Its disks can be written to by nobody any more, and it does not start. hv clone makes "
		"linked\nclones of it, which take no time and little space.",
	.options = options,
	.min_names = 1,
	.max_names = 1,
	.names = CLI_NAMES_VM,
	.lab = CLI_LAB_NEEDED,
	.run = run,
};
