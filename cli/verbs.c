/* SPDX-License-Identifier: MIT */
#include "cli/verb.h"

const struct verb *const cli_verbs[] = {
	&verb_up,
	&verb_down,
	&verb_kill,
	&verb_pause,
	&verb_resume,
	&verb_reset,
	&verb_reload,
	&verb_ls,
	&verb_status,
	&verb_console,
	&verb_logs,
	&verb_run,
	&verb_check,
	&verb_plan,
	&verb_net_ls,
	&verb_net_up,
	&verb_net_down,
	&verb_net_reload,
	&verb_net_leases,
	&verb_net_run,
	&verb_doctor,
	&verb_completion,
	&verb_man,
	/* What systemd calls. */
	&verb_systemd_generator,
	&verb_unit_end,
	&verb_unit_groups,
	NULL,
};
