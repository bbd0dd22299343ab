/* SPDX-License-Identifier: MIT */
/* Which VMs a verb is about, and the steps that `up` would take for them. */
#ifndef HV_CLI_PLAN_H
#define HV_CLI_PLAN_H

#include "cli/verb.h"

/*
 * The VMs named on the command line, each once, or all with autostart that are no
 * templates where none is named. The array is the caller's to free, its entries the lab's.
 */
int cli_choose_vms(struct cli *cli, const struct spec_vm ***ret_vms, size_t *ret_n);

/* The networks of these VMs, each once. */
int cli_networks_of(struct cli *cli, const struct spec_vm *const *vms, size_t n_vms,
		    const struct spec_network ***ret_nets, size_t *ret_n);

/* Prints the steps and counts them. Touches nothing. */
int cli_print_plan(struct cli *cli, const struct spec_vm *const *vms, size_t n_vms, bool as_json,
		   size_t *ret_steps);

#endif
