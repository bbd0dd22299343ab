/* SPDX-License-Identifier: MIT */
/*
 * The configuration: text to nodes, to what is wanted, to a plan. A byte 0x1e
 * (record separator) begins another file.
 */
#include "fuzz.h"

#include "base/error.h"
#include "lab/config.h"
#include "lab/plan.h"

#include <string.h>

static void make_plans(const struct lab *lab)
{
	struct plan plan = {0};

	for (size_t i = 0; i < lab->n_networks; i++)
		fuzz_check(plan_add_network(&plan, &lab->networks[i], NULL) == 0);
	for (size_t i = 0; i < lab->n_vms; i++) {
		const struct spec_vm *vm = &lab->vms[i];
		struct plan_found_disk *disks = calloc(vm->n_disks + 1, sizeof(*disks));
		struct plan_found_vm found = {.disks = disks};

		fuzz_check(lab_find_vm(lab, vm->name) == vm);
		fuzz_check(plan_add_vm(&plan, vm, &found, NULL) == 0);
		free(disks);
	}
	for (size_t i = 0; i < plan.n; i++)
		fuzz_check(fuzz_is_plain(plan.steps[i].object));
	plan_free(&plan);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct lab_config *c = lab_config_new();
	struct lab_faults faults = {0};
	const char *text = (const char *)data, *end = text + size;
	struct error err = ERROR_INIT;
	struct lab *lab = NULL;
	int rc;

	do {
		const char *stop = size ? memchr(text, 0x1e, (size_t)(end - text)) : NULL;

		stop = stop ? stop : end;
		fuzz_check(lab_config_add(c, "lab.yaml", text, (size_t)(stop - text), &err) == 0);
		text = stop + 1;
	} while (text < end);
	rc = lab_config_resolve(c, &lab, &faults, &err);
	lab_config_free(c);
	fuzz_check(rc == 0 ? lab && !faults.n : !lab && faults.n);
	for (size_t i = 0; i < faults.n; i++)
		fuzz_check(fuzz_is_plain(faults.v[i].text));
	if (lab)
		make_plans(lab);
	lab_faults_free(&faults);
	lab_free(lab);
	return 0;
}
