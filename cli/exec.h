/* SPDX-License-Identifier: MIT */
/* hv exec, in its parts: one command in one guest, and the same in many. */
#ifndef HV_CLI_EXEC_H
#define HV_CLI_EXEC_H

#include "cli/verb.h"
#include "vmm/guest_script.h"

/* What hv itself failed at, as ssh has it: below are the commands' own. */
enum { EXEC_FAILED = 255, EXEC_NAMES_MAX = 64 };

struct exec_options {
	struct guest_command command;
	bool no_input; /* standard input is not read */
	uint64_t timeout_ms; /* 0: for ever */
};

/* Runs it in the guest, with our standard streams for its own. *ret_status is its exit
 * status. */
int exec_run(struct cli *cli, const char *name, const struct exec_options *options, int *ret_status,
	     struct error *err);

/* Runs it in all of them side by side, by a process of its own for each, with the name in
 * front of each line. The highest status is the result. */
int exec_many(struct cli *cli, char *const *names, size_t n_names,
	      const struct exec_options *options, int *ret_status, struct error *err);

#endif
