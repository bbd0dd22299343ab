/* SPDX-License-Identifier: MIT */
/* hv-agent, by which clients ask the guest's agent: what is taken, and how it is answered. */
#include "vmm/supervisor/supervisor_agent_private.h"

#include "base/str.h"

#include <errno.h>

enum {
	WAITING_MAX = 128, /* of all clients */
	WAITING_OF_CLIENT_MAX = 32,
	TIMEOUT_MS = 30 * 1000,
	TIMEOUT_MS_MAX = 3600 * 1000,
};

/* An answer goes on as the agent wrote it: a piece of a file is megabytes, and each time that
 * it is decoded and encoded again costs as much as all the rest. */
static void pass_on(struct agent_request *r, json_t *result)
{
	const struct agent *connection = r->s->agent->connection;
	struct qmp_span value = {0};
	size_t len;
	const char *text = connection ? agent_text(connection, &len) : NULL;

	if (text)
		value = qmp_text_member(text, len, "return");
	if (value.at)
		control_reply_text(r->call, value.at, value.len);
	else
		control_reply(r->call, json_incref(result));
}

/* The agent's own refusals, and faults of a request, are told apart from that there is no answer
 * of it: then nothing is known of what it would say, and one may ask again. */
static const char *class_of(const struct error *err)
{
	switch (err->code) {
	case ENOENT:
		return "CommandNotFound";
	case EREMOTEIO:
	case EINVAL:
		return "GenericError";
	}
	return "DeviceNotActive";
}

void supervisor_agent_answer(struct agent_request *r, json_t *result, const struct error *err)
{
	if (err)
		control_fail(r->call, class_of(err), err->text);
	else
		pass_on(r, result);
}

/* Whether a client's call is taken. */
static int check(const struct supervisor *s, const char *command, unsigned client,
		 struct error *err)
{
	size_t of_client = 0;

	if (!str_after(command, "guest-"))
		return error_set(err, EINVAL, "'command' has to be one of the agent's, guest-…");
	if (str_eq(command, "guest-sync") || str_eq(command, "guest-sync-delimited"))
		return error_set(err, EINVAL, "the supervisor keeps the agent in step by itself");
	if (s->state == VM_STATE_STOPPING)
		return error_set(err, ESHUTDOWN, "it is shutting down");
	if (!s->agent_open && !s->vm->agent)
		return error_set(err, ENODEV,
				 "the guest agent is not there: the machine has no channel for one "
				 "(agent: false)");
	if (!s->agent_open)
		return error_set(err, ENODEV,
				 "the guest agent is not there (qemu-guest-agent has to run in the "
				 "guest)");
	for (const struct agent_request *r = s->agent->queue; r; r = r->next)
		of_client += r->client == client && r->call;
	if (of_client >= WAITING_OF_CLIENT_MAX)
		return error_set(err, EBUSY, "%d calls of this client wait for the agent already",
				 WAITING_OF_CLIENT_MAX);
	return s->agent->n_queue < WAITING_MAX
		       ? 0
		       : error_set(err, EBUSY, "%d calls wait for the agent already", WAITING_MAX);
}

/* Takes the arguments as text where they are one line, as the agent wants them. */
static void keep_text(struct agent_request *r, const char *arguments)
{
	struct qmp_span span = {0};

	if (arguments)
		span = qmp_text_member(arguments, strlen(arguments), "arguments");
	if (!span.at || memchr(span.at, '\n', span.len) || memchr(span.at, '\r', span.len))
		return;
	r->text = (struct qmp_span){strndup(span.at, span.len), span.len};
	if (!r->text.at)
		return;
	json_decref(r->args);
	r->args = NULL;
}

void supervisor_agent_command(struct supervisor *s, struct control_call *call, json_t *args)
{
	json_int_t timeout_ms = TIMEOUT_MS;
	struct error err = ERROR_INIT;
	const char *command = NULL;
	json_t *arguments = NULL;
	struct agent_request *r;
	json_error_t fault;

	if (json_unpack_ex(args, &fault, JSON_STRICT, "{s:s s?o s?I}", "command", &command,
			   "arguments", &arguments, "timeout-ms", &timeout_ms) < 0) {
		control_fail(call, "GenericError", args ? fault.text : "'command' is missing");
		return;
	}
	if (arguments && !json_is_object(arguments)) {
		control_fail(call, "GenericError", "'arguments' has to be an object");
		return;
	}
	if (timeout_ms < 1 || timeout_ms > TIMEOUT_MS_MAX) {
		control_fail(call, "GenericError", "'timeout-ms' has to be between 1 and an hour");
		return;
	}
	if (check(s, command, control_call_client(call), &err) < 0) {
		control_fail(call, class_of(&err), err.text);
		return;
	}
	r = agent_request_new(s, command, json_incref(arguments), (uint64_t)timeout_ms);
	if (!r) {
		control_fail(call, "GenericError", "out of memory");
		return;
	}
	keep_text(r, control_call_arguments(call));
	r->call = call;
	r->client = control_call_client(call);
	agent_request_add(s, r);
}
