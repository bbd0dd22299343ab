/* SPDX-License-Identifier: MIT */
#include "cli/made.h"

#include "base/cleanup.h"
#include "base/str.h"
#include "lab/config.h"
#include "vmm/machines.h"
#include "vmm/rundir.h"

#include <errno.h>

int cli_check_new_vm(struct cli *cli, const char *name)
{
	const struct spec_vm *vm = lab_find_vm(cli->lab, name);
	enum rundir_state state;
	int rc;

	if (!str_is_name(name))
		return error_set(&cli->err, EINVAL,
				 "'%s' is not a name: 1 to 63 letters, digits and _ . -, the first "
				 "a letter or digit",
				 name);
	if (vm)
		return error_set(&cli->err, EEXIST, "there is a vm '%s' already (%s:%u)", name,
				 vm->where.file, vm->where.line);
	rc = rundir_look(&cli->paths, PATHS_VM, name, &state, &cli->err);
	if (rc == 0 && state != RUNDIR_NONE)
		rc = error_set(&cli->err, EEXIST,
			       "there is a vm '%s' already: it is up, and not configured any more",
			       name);
	return rc;
}

int cli_try_vm(struct cli *cli, const char *name, json_t *vm)
{
	cleanup_free char *text = machine_text(name, vm), *made = paths_machines(&cli->paths);
	cleanup_free char *file = made ? str_printf("%s/%s.yaml", made, name) : NULL;
	struct lab_faults faults = {0};
	struct lab *lab = NULL;
	int rc;

	if (!text || !file)
		return error_oom(&cli->err);
	rc = lab_load_all(cli->paths.config, made, &(struct lab_extra){file, text}, &lab, &faults,
			  &cli->err);
	for (size_t i = 0; i < faults.n; i++)
		(void)fprintf(stderr, "%s:%u:%u: %s\n", faults.v[i].file, faults.v[i].line,
			      faults.v[i].column, faults.v[i].text);
	lab_faults_free(&faults);
	lab_free(lab);
	return rc;
}
