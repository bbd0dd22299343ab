/* SPDX-License-Identifier: MIT */
/* What several verbs do. */
#ifndef HV_CLI_COMMON_H
#define HV_CLI_COMMON_H

#include "base/child.h"
#include "cli/table.h"
#include "cli/verb.h"
#include "vmm/json.h"

#include <stdio.h>

/* How long a command that answers at once may take all the same. */
enum { CLI_COMMAND_MS = 30 * 1000 };

/* Prints an error line, "hv: …". For verbs that act on several names; the
 * caller goes on and fails in the end. */
void cli_tell(const struct error *err);

/* Leaves the error of a supervisor with systemd, as its unit's status: there
 * whoever started the unit finds it. */
void cli_notify_failure(const struct error *err);

/* The VM or network of that name; -ENOENT names those that exist. */
int cli_find_vm(struct cli *cli, const char *name, const struct spec_vm **ret_vm);
/* As cli_find_vm(), and one that is not configured (any more), but up or with a
 * state of its own: then only its name is known. */
int cli_find_any_vm(struct cli *cli, const char *name, const struct spec_vm **ret_vm);
int cli_find_network(struct cli *cli, const char *name, const struct spec_network **ret_net);

/* Connects to the control socket of a VM or network that is up; -ENOTCONN where it
 * is not. The error names the object. */
struct qmp_sync;
int cli_connect(struct cli *cli, enum paths_kind kind, const char *name, struct qmp_sync **ret_sync,
		struct error *err);

/* Runs one command on the control socket of a VM or network that is up;
 * -ENOTCONN where it is not. The error names the object. args is stolen. */
int cli_command(struct cli *cli, enum paths_kind kind, const char *name, const char *command,
		json_t *args, uint64_t timeout_ms, json_t **ret_result, struct error *err);

/* Takes hold of a supervisor; -ESRCH where there is none. */
int cli_find_supervisor(struct cli *cli, enum paths_kind kind, const char *name,
			struct child *ret_supervisor);

/* Waits until one that has said that all is gone has gone itself, which it does
 * at once. Lets go of it. Accepts CHILD_INIT. */
void cli_await_supervisor(struct child *supervisor);

/* A network whose supervisor was killed gets a new one, which can undo it. 1: it
 * has one now; 0: nothing was left of it; or -errno. */
int cli_adopt_network(struct cli *cli, const char *name);

/* As cli_command(), for a network. One that hangs up and is still there has a new supervisor
 * by now, which is asked again. -ECONNRESET: it has gone, which some commands are for. */
int cli_command_network(struct cli *cli, const char *name, const char *command, json_t *args,
			uint64_t timeout_ms, struct error *err);

/* Tells a network that its users may have gone, and waits until it is gone
 * where it goes for that. */
void cli_release_network(struct cli *cli, const struct spec_network *net);

/* The same command for every name given, one after the other; all are tried. */
int cli_each_vm(struct cli *cli, const char *command);

/* One line of compact or indented JSON on standard output; steals j. */
int cli_print_json(struct cli *cli, json_t *j);

/* Shows what a verb lists: as JSON, or by print() for people. Borrows list. */
int cli_show(struct cli *cli, json_t *list, bool as_json, void (*print)(json_t *list));

/* A string of a status object for people: "-" where it is null; printable. */
const char *cli_text(json_t *object, const char *key);

/* "3m 12s" since a status object's "started"; "-" where it is null. */
void cli_format_uptime(char *buf, size_t size, json_t *started);

/* Progress of vmm/fork/prepare.h; arg is a struct progress. */
void cli_show_copying(uint64_t done_bytes, uint64_t total_bytes, void *arg);

/* The addresses of all NICs of a status object, with spaces between. */
struct strbuf;
void cli_add_addresses(struct strbuf *into, json_t *status);

#endif
