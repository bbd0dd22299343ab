/* SPDX-License-Identifier: MIT */
/* What systemd calls: the generator, what comes after a unit's end, and the unit that holds
 * machines' control groups. */
#include "cli/common.h"

#include "base/cleanup.h"
#include "base/log.h"
#include "base/str.h"
#include "lab/config.h"
#include "vmm/units/generator.h"
#include "vmm/units/group_holder.h"
#include "vmm/units/units.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <syslog.h>
#include <systemd/sd-journal.h>
#include <unistd.h>

/* systemd throws a generator's standard error away, and at boot there is no journal
 * yet, only the kernel's log. A container has the journal alone. */
static void tell(const struct error *err)
{
	cleanup_strbuf struct strbuf line = {0};
	cleanup_close int kmsg = -1;

	strbuf_addf(&line, "<3>hv-generator: ");
	strbuf_add_printable(&line, err->text, strlen(err->text), false);
	strbuf_addf(&line, "\n");
	if (!line.data)
		return;
	(void)fputs(line.data + strlen("<3>"), stderr);
	if (!getenv("SYSTEMD_SCOPE"))
		return;
	kmsg = open("/dev/kmsg", O_WRONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
	if (kmsg < 0 || write(kmsg, line.data, line.len) < 0)
		(void)sd_journal_print(LOG_ERR, "%s", line.data + strlen("<3>"));
}

static int generate(struct cli *cli)
{
	cleanup_free char *made = paths_machines(&cli->paths);
	struct lab_faults faults = {0};
	struct lab *lab = NULL;
	int rc;

	if (!made)
		return error_oom(&cli->err);
	/* hv is installed and not configured (yet). */
	if (access(cli->paths.config, F_OK) < 0 && errno == ENOENT)
		return 0;
	rc = lab_load_all(cli->paths.config, made, NULL, &lab, &faults, &cli->err);
	for (size_t i = 0; i < faults.n; i++) {
		struct error err = ERROR_INIT;

		(void)error_set(&err, EINVAL, "%s:%u:%u: %s", faults.v[i].file, faults.v[i].line,
				faults.v[i].column, faults.v[i].text);
		tell(&err);
	}
	lab_faults_free(&faults);
	if (rc < 0)
		(void)error_wrap(&cli->err, rc, "no unit is made");
	else
		rc = generator_write(lab, cli->names[0], tell, &cli->err);
	if (rc < 0)
		tell(&cli->err);
	lab_free(lab);
	/* It was told where it is looked for; systemd adds that we failed, and the
	 * boot goes on. */
	cli->exit_code = rc < 0 ? CLI_FAILED : CLI_DONE;
	return 0;
}

const struct verb verb_systemd_generator = {
	.name = "systemd-generator",
	.args = "FOLDER EARLY-FOLDER LATE-FOLDER",
	.summary = "make systemd's units out of the configuration",
	.min_names = 1,
	.max_names = 3,
	.lab = CLI_LAB_NONE,
	.hidden = true,
	.run = generate,
};

static int end(struct cli *cli)
{
	const char *result = getenv("SERVICE_RESULT");
	enum paths_kind kind = str_eq(cli->names[0], "vm") ? PATHS_VM : PATHS_NET;

	if (kind == PATHS_NET && !str_eq(cli->names[0], "net"))
		return cli_usage(cli, &verb_unit_end, "'%s' is neither vm nor net", cli->names[0]);
	if (!str_is_name(cli->names[1]))
		return cli_usage(cli, &verb_unit_end, "'%s' is not a name", cli->names[1]);
	return units_after_end(&cli->paths, kind, cli->names[1], result ? result : "success",
			       &cli->err);
}

const struct verb verb_unit_end = {
	.name = "unit-end",
	.args = "vm|net NAME",
	.summary = "what a unit does when its supervisor has ended",
	.min_names = 2,
	.max_names = 2,
	.lab = CLI_LAB_NONE,
	.hidden = true,
	.run = end,
};

static int hold_groups(struct cli *cli)
{
	return group_holder_run(&cli->err);
}

const struct verb verb_unit_groups = {
	.name = "unit-groups",
	.args = "",
	.summary = "hold the control groups of machines under a unit",
	.lab = CLI_LAB_NONE,
	.hidden = true,
	.run = hold_groups,
};
