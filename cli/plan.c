/* SPDX-License-Identifier: MIT */
#include "cli/plan.h"

#include "base/cleanup.h"
#include "cli/common.h"
#include "cli/spares.h"
#include "vmm/fork/template.h"
#include "vmm/inspect.h"
#include "vmm/machine_hold.h"
#include "vmm/rundir.h"

#include <stdlib.h>

static bool is_among(const void *what, const void *const *list, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (list[i] == what)
			return true;
	return false;
}

int cli_choose_vms(struct cli *cli, const struct spec_vm ***ret_vms, size_t *ret_n)
{
	cleanup_free const struct spec_vm **vms =
		calloc(cli->n_names + cli->lab->n_vms + 1, sizeof(*vms));
	size_t n = 0;

	if (!vms)
		return error_oom(&cli->err);
	for (size_t i = 0; i < cli->n_names; i++) {
		const struct spec_vm *vm;
		int rc = cli_find_vm(cli, cli->names[i], &vm);

		if (rc < 0)
			return rc;
		if (!is_among(vm, (const void *const *)vms, n))
			vms[n++] = vm;
	}
	for (size_t i = 0; !cli->n_names && i < cli->lab->n_vms; i++)
		if (cli->lab->vms[i].autostart && !template_is(&cli->paths, cli->lab->vms[i].name))
			vms[n++] = &cli->lab->vms[i];
	*ret_vms = steal_ptr(&vms);
	*ret_n = n;
	return 0;
}

int cli_networks_of(struct cli *cli, const struct spec_vm *const *vms, size_t n_vms,
		    const struct spec_network ***ret_nets, size_t *ret_n)
{
	const struct spec_network **nets = calloc(cli->lab->n_networks + 1, sizeof(*nets));
	size_t n = 0;

	if (!nets)
		return error_oom(&cli->err);
	for (size_t i = 0; i < n_vms; i++)
		for (size_t j = 0; j < vms[i]->n_nics; j++)
			if (!is_among(vms[i]->nics[j].network, (const void *const *)nets, n))
				nets[n++] = vms[i]->nics[j].network;
	*ret_nets = nets;
	*ret_n = n;
	return 0;
}

static json_t *plan_as_json(const struct plan *plan)
{
	json_t *list = json_array();

	for (size_t i = 0; i < plan->n; i++)
		(void)json_array_append_new(list, json_pack("{s:s s:s s:s}", "step",
							    plan_kind_name(plan->steps[i].kind),
							    "object", plan->steps[i].object,
							    "detail", plan->steps[i].detail));
	return list;
}

static void print_steps(const struct plan *plan)
{
	struct cli_table t;

	if (!plan->n) {
		(void)printf("nothing to do\n");
		return;
	}
	cli_table_init(&t, 3);
	for (size_t i = 0; i < plan->n; i++) {
		cli_table_add(&t, "%s", plan->steps[i].object);
		cli_table_add(&t, "%s", plan_kind_name(plan->steps[i].kind));
		cli_table_add(&t, "%s", plan->steps[i].detail);
	}
	cli_table_print(&t, stdout);
}

static int add_network(struct cli *cli, const struct spec_network *net, struct plan *plan)
{
	enum rundir_state state;
	int rc = rundir_look(&cli->paths, PATHS_NET, net->name, &state, &cli->err);

	if (rc == 0 && state != RUNDIR_SERVED)
		rc = plan_add_network(plan, net, &cli->err);
	return rc;
}

/* What another verb works on may not be what a start will find; what is known is told all the same.
 */
static int add_held(struct cli *cli, const struct spec_vm *vm, const struct error *who,
		    struct plan *plan)
{
	struct error unused = ERROR_INIT;
	int rc = plan_add_wait(plan, vm, who->text, &cli->err);

	if (rc == 0)
		(void)inspect_plan_vm(&cli->paths, vm, plan, &unused);
	return rc;
}

static int add_vm(struct cli *cli, const struct spec_vm *vm, struct plan *plan)
{
	cleanup_json json_t *status = NULL;
	struct error who = ERROR_INIT;
	enum rundir_state state;
	bool served = false;
	int rc;

	if (machine_check_free(&cli->paths, vm->name, &who) < 0)
		return add_held(cli, vm, &who, plan);
	rc = rundir_look(&cli->paths, PATHS_VM, vm->name, &state, &cli->err);
	if (rc == 0)
		rc = rundir_read_status(&cli->paths, PATHS_VM, vm->name, &status, &served,
					&cli->err);
	if (rc == 0 && served && cli_spare_waits(status) && cli_spare_fits(cli, vm, status))
		rc = plan_add_spare(plan, vm, &cli->err);
	else if (rc == 0 && (state != RUNDIR_SERVED || (served && cli_spare_waits(status)))) {
		rc = template_check_writable(&cli->paths, cli->lab, vm, &cli->err);
		if (rc == 0)
			rc = inspect_plan_vm(&cli->paths, vm, plan, &cli->err);
	}
	return error_wrap_if(&cli->err, rc, "vm '%s'", vm->name);
}

int cli_print_plan(struct cli *cli, const struct spec_vm *const *vms, size_t n_vms, bool as_json,
		   size_t *ret_steps)
{
	cleanup_free const struct spec_network **nets = NULL;
	struct plan plan = {0};
	size_t n_nets = 0;
	int rc;

	rc = cli_networks_of(cli, vms, n_vms, &nets, &n_nets);
	for (size_t i = 0; rc == 0 && i < n_nets; i++)
		rc = add_network(cli, nets[i], &plan);
	for (size_t i = 0; rc == 0 && i < n_vms; i++)
		rc = add_vm(cli, vms[i], &plan);
	if (rc == 0 && as_json)
		rc = cli_print_json(cli, plan_as_json(&plan));
	else if (rc == 0)
		print_steps(&plan);
	*ret_steps = plan.n;
	plan_free(&plan);
	return rc;
}

/* All that a start does not refuse because of those who lie on its disks. */
static size_t choose_all(const struct cli *cli, const struct spec_vm **vms)
{
	size_t n = 0;

	for (size_t i = 0; i < cli->lab->n_vms; i++)
		if (template_check_writable(&cli->paths, cli->lab, &cli->lab->vms[i], NULL) == 0)
			vms[n++] = &cli->lab->vms[i];
	return n;
}

enum { OPT_JSON };

static const struct cli_option options[] = {
	[OPT_JSON] = {"json", 'j', NULL, "as a JSON array of {step, object, detail}", false},
	{0},
};

static int run(struct cli *cli)
{
	cleanup_free const struct spec_vm **vms = NULL;
	size_t n = 0, steps;
	int rc;

	rc = cli_choose_vms(cli, &vms, &n);
	/* Without names, and with none that starts by itself: the whole lab. */
	if (rc == 0 && !n)
		n = choose_all(cli, vms);
	if (rc == 0)
		rc = cli_print_plan(cli, vms, n, cli->values[OPT_JSON] != NULL, &steps);
	if (rc == 0 && steps)
		cli->exit_code = CLI_CHANGES;
	return rc;
}

const struct verb verb_plan = {
	.name = "plan",
	.args = "[NAME…]",
	.summary = "print what up would change",
	.text = "Looks and touches nothing. Without names: the virtual machines that have "
		"autostart, or all\nwhere none has. Exits with 0 where there is nothing to do, with 3 "
		"where there is. What another verb\nworks on has to wait for that first.",
	.options = options,
	.max_names = SIZE_MAX,
	.names = CLI_NAMES_VM,
	.run = run,
};
