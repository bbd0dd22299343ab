/* SPDX-License-Identifier: MIT */
/* The clients' side of the supervisor: hvup's own commands by a table, all
 * others go to QEMU. */
#include "vmm/supervisor/supervisor_private.h"

#include "base/cleanup.h"
#include "base/str.h"
#include "vmm/command.h"
#include "vmm/json.h"
#include "vmm/life_events.h"

#include <errno.h>
#include <stdlib.h>

enum { SHUTDOWN_MS_MAX = 24 * 3600 * 1000 };

static void cmd_status(struct supervisor *s, struct control_call *call, json_t *args)
{
	json_t *status = supervisor_status(s);

	(void)args;
	if (status)
		control_reply(call, status);
	else
		control_fail(call, "GenericError", "out of memory");
}

static void cmd_kill(struct supervisor *s, struct control_call *call, json_t *args)
{
	(void)args;
	if (s->n_stop_waiters == STOP_WAITERS_MAX) {
		control_fail(call, "GenericError", "too many wait for its end already");
		return;
	}
	s->stop_waiters[s->n_stop_waiters++] = call;
	supervisor_kill(s);
}

static void cmd_shutdown(struct supervisor *s, struct control_call *call, json_t *args)
{
	json_int_t timeout_ms = (json_int_t)s->vm->stop_timeout_s * 1000;
	int force = 0;
	json_error_t fault;

	if (args && json_unpack_ex(args, &fault, JSON_STRICT, "{s?I s?b}", "timeout-ms",
				   &timeout_ms, "force", &force) < 0) {
		control_fail(call, "GenericError", fault.text);
		return;
	}
	if (timeout_ms < 0 || timeout_ms > SHUTDOWN_MS_MAX) {
		control_fail(call, "GenericError", "'timeout-ms' has to be between 0 and a day");
		return;
	}
	if (s->state == VM_STATE_STARTING) {
		control_fail(call, "GenericError",
			     "it is still starting (hv kill ends it at once)");
		return;
	}
	/* Nothing runs; that it comes back, or may begin, is what has to end. */
	if (s->state == VM_STATE_CRASHED || s->state == VM_STATE_SPARE) {
		cmd_kill(s, call, NULL);
		return;
	}
	supervisor_stop(s, call, (uint64_t)timeout_ms, force);
}

/* The keeper starts anew, and a supervisor of its own after it. */
static void cmd_reload(struct supervisor *s, struct control_call *call, json_t *args)
{
	(void)args;
	if (!s->running_once || s->state == VM_STATE_STOPPING) {
		control_fail(call, "GenericError", "only a machine that runs can be taken over");
		return;
	}
	control_reply(call, NULL);
	supervisor_tell(s, (struct vm_message){.word = KEEPER_RELOAD}, NULL);
}

static void cmd_copy(struct supervisor *s, struct control_call *call, json_t *args)
{
	(void)args;
	supervisor_copy_command(s, call);
}

static void cmd_begin(struct supervisor *s, struct control_call *call, json_t *args)
{
	(void)args;
	supervisor_spare_command(s, call);
}

static const struct command_argument shutdown_arguments[] = {
	{"timeout-ms", COMMAND_INT, .optional = true},
	{"force", COMMAND_BOOL, .optional = true},
	{0},
};

/* actions: those of transaction. */
static const struct command_argument copy_arguments[] = {
	{"stand", COMMAND_BOOL, .optional = true},
	{"throughout", COMMAND_BOOL, .optional = true},
	{"stay", COMMAND_BOOL, .optional = true},
	{"actions", COMMAND_VALUE, .optional = true},
	{0},
};

static const struct command_argument copy_end_arguments[] = {
	{"stay", COMMAND_BOOL, .optional = true},
	{0},
};

/* arguments: as the guest agent's own protocol has them. */
static const struct command_argument agent_arguments[] = {
	{"command", COMMAND_STR},
	{"arguments", COMMAND_VALUE, .optional = true},
	{"timeout-ms", COMMAND_INT, .optional = true},
	{0},
};

static const struct {
	struct command row;
	void (*run)(struct supervisor *s, struct control_call *call, json_t *args);
} commands[] = {
	{{"hv-status", .returns_value = true}, cmd_status},
	{{"hv-shutdown", shutdown_arguments, .returns_value = true}, cmd_shutdown},
	{{"hv-kill"}, cmd_kill},
	{{"hv-reload"}, cmd_reload},
	{{"hv-copy", .returns_value = true}, cmd_copy},
	{{"hv-copy-begin", copy_arguments}, supervisor_copy_begin_command},
	{{"hv-copy-end", copy_end_arguments}, supervisor_copy_end_command},
	{{"hv-begin"}, cmd_begin},
	{{"hv-agent", agent_arguments, .returns_value = true}, supervisor_agent_command},
};

void supervisor_list_commands(struct strbuf *into)
{
	for (size_t i = 0; i < ARRAY_SIZE(commands); i++)
		command_add_name(into, &commands[i].row);
}

void supervisor_add_schema(struct strbuf *into)
{
	command_add_common_schema(into);
	for (size_t i = 0; i < ARRAY_SIZE(commands); i++)
		command_add_schema(into, &commands[i].row);
	life_event_add_schema(into);
}

/* One of hvup's own. */
static void execute(struct supervisor *s, struct control_call *call, size_t i, json_t *args)
{
	struct error err = ERROR_INIT;

	if (control_call_is_oob(call))
		(void)error_set(&err, EINVAL, "The command %s does not support OOB",
				commands[i].row.name);
	if (err.code || command_check(&commands[i].row, args, &err) < 0)
		control_fail(call, "GenericError", err.text);
	else
		commands[i].run(s, call, args);
}

static void on_command(struct control_call *call, const char *name, json_t *args, const int *fds,
		       size_t n_fds, void *arg)
{
	struct supervisor *s = arg;
	char desc[300];

	for (size_t i = 0; i < ARRAY_SIZE(commands); i++)
		if (str_eq(name, commands[i].row.name)) {
			execute(s, call, i, args);
			return;
		}
	if (str_after(name, "hv-")) {
		(void)str_format(desc, sizeof(desc), "The command %.200s has not been found", name);
		control_fail(call, "CommandNotFound", desc);
		return;
	}
	supervisor_forward(s, call, name, args, fds, n_fds);
}

static void on_gone(unsigned client, void *arg)
{
	supervisor_withdraw(arg, client);
	supervisor_agent_client_gone(arg, client);
	supervisor_copy_client_gone(arg, client);
}

const struct control_handlers supervisor_commands = {
	.command = on_command,
	.gone = on_gone,
};
