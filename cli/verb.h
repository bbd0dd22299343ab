/* SPDX-License-Identifier: MIT */
/*
 * Verbs: one per file, each a row of the one table in cli/verbs.c. The row says
 * what the verb takes and does; help, parsing and shell completion follow from
 * it. Only cli/ prints for people, and a failure is told once: a verb returns
 * -errno with its error set, and cli/main.c prints it.
 */
#ifndef HV_CLI_VERB_H
#define HV_CLI_VERB_H

#include "base/error.h"
#include "base/paths.h"
#include "lab/spec.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

enum { CLI_OPTIONS_MAX = 12 };

enum cli_exit { CLI_DONE = 0, CLI_FAILED = 1, CLI_USAGE = 2, CLI_CHANGES = 3 };

struct cli_option {
	const char *name; /* long; NULL ends the list */
	char letter; /* 0: none */
	const char *arg; /* what it takes, "SECONDS"; NULL: nothing */
	const char *help;
	bool hidden; /* for hvup itself */
	bool many; /* may be given more than once: all are in cli.many */
};

/* What a verb's names are, for completion. */
enum cli_names { CLI_NAMES_NONE, CLI_NAMES_VM, CLI_NAMES_NETWORK };

/* What a verb needs of the configuration. */
enum cli_lab {
	CLI_LAB_NEEDED, /* a fault ends it */
	CLI_LAB_OPTIONAL, /* what runs can be ended and looked at all the same */
	CLI_LAB_NONE,
};

struct cli {
	struct paths paths;
	struct lab *lab; /* loaded where the verb wants it */
	bool faulty; /* it has faults, and the verb goes by an empty one */
	struct spec_vm stray; /* one that is up, or was, and not configured */
	const char *values[CLI_OPTIONS_MAX]; /* by option; "" for a flag; NULL: not given */
	char **many; /* values of the option that may be given more than once, NULL at the end */
	char *const *names; /* positional arguments */
	size_t n_names;
	struct error err;
	int exit_code; /* what a verb that returns 0 exits with */
};

struct verb {
	const char *name; /* "up", "net up" */
	const char *args; /* "[NAME…]" */
	const char *summary; /* one line */
	const char *text; /* more for --help; may be NULL */
	const struct cli_option *options; /* ended by an empty one; may be NULL */
	size_t min_names, max_names;
	enum cli_names names;
	enum cli_lab lab;
	bool hidden;
	bool takes_command; /* what stands behind its first name is no option of ours */
	bool ends_in_command; /* nor is what stands behind its second one */
	int (*run)(struct cli *cli);
};

/* The table, ended by an empty row. */
extern const struct verb *const cli_verbs[];

extern const struct verb verb_backup;
extern const struct verb verb_check;
extern const struct verb verb_clone;
extern const struct verb verb_completion;
extern const struct verb verb_console;
extern const struct verb verb_cp;
extern const struct verb verb_doctor;
extern const struct verb verb_down;
extern const struct verb verb_events;
extern const struct verb verb_exec;
extern const struct verb verb_fork;
extern const struct verb verb_fsfreeze;
extern const struct verb verb_fsthaw;
extern const struct verb verb_guest_info;
extern const struct verb verb_image_fetch;
extern const struct verb verb_image_ls;
extern const struct verb verb_image_rm;
extern const struct verb verb_ip;
extern const struct verb verb_key;
extern const struct verb verb_kill;
extern const struct verb verb_logs;
extern const struct verb verb_ls;
extern const struct verb verb_man;
extern const struct verb verb_mouse;
extern const struct verb verb_net_down;
extern const struct verb verb_net_leases;
extern const struct verb verb_net_ls;
extern const struct verb verb_net_reload;
extern const struct verb verb_net_run;
extern const struct verb verb_net_up;
extern const struct verb verb_pause;
extern const struct verb verb_plan;
extern const struct verb verb_qmp;
extern const struct verb verb_reload;
extern const struct verb verb_reset;
extern const struct verb verb_restore;
extern const struct verb verb_resume;
extern const struct verb verb_rm;
extern const struct verb verb_run;
extern const struct verb verb_save;
extern const struct verb verb_screenshot;
extern const struct verb verb_snap_commit;
extern const struct verb verb_snap_load;
extern const struct verb verb_snap_ls;
extern const struct verb verb_snap_rebase;
extern const struct verb verb_snap_rm;
extern const struct verb verb_snap_save;
extern const struct verb verb_ssh;
extern const struct verb verb_state_ls;
extern const struct verb verb_state_rm;
extern const struct verb verb_state_save;
extern const struct verb verb_status;
extern const struct verb verb_systemd_generator;
extern const struct verb verb_template;
extern const struct verb verb_type;
extern const struct verb verb_unit_end;
extern const struct verb verb_unit_groups;
extern const struct verb verb_up;
extern const struct verb verb_view;
extern const struct verb verb_vol_create;
extern const struct verb verb_vol_info;
extern const struct verb verb_vol_ls;
extern const struct verb verb_vol_resize;
extern const struct verb verb_vol_rm;
extern const struct verb verb_vsock_connect;
extern const struct verb verb_wait;

/* Every verb with its summary. */
void cli_print_overview(FILE *out);
/* Whether it has options that people may use. */
bool cli_has_options(const struct verb *verb);
/* "hv VERB ARGS", options and text on standard output. */
void cli_print_help(const struct verb *verb);

/* Prints a usage error; a verb returns the result, 0, and exits with CLI_USAGE.
 * cli and verb may be NULL. */
int cli_usage(struct cli *cli, const struct verb *verb, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

/* The value of an option as seconds or another number; the fault is a usage
 * error. Absent: fallback. */
bool cli_number(struct cli *cli, const struct verb *verb, size_t option, uint64_t max,
		uint64_t fallback, uint64_t *ret_value);

/* Whether a note (NULL: none) can be kept: up to 1000 bytes of UTF-8. What cannot is a usage
 * error. */
bool cli_check_note(struct cli *cli, const struct verb *verb, const char *note);

#endif
