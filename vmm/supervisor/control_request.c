/* SPDX-License-Identifier: MIT */
/*
 * What a client of the control socket asks for: requests, negotiation, calls. Its own
 * words go on as they are: the id comes back as its text, and so do arguments reach
 * whoever executes them.
 */
#include "vmm/supervisor/control_private.h"

#include "base/cleanup.h"
#include "base/error.h"
#include "qmp/request.h"
#include "vmm/json.h"

#include <errno.h>
#include <stdlib.h>

void control_call_free(struct control_call *call)
{
	struct control_call **link = call->client ? &call->client->calls : &call->server->orphans;

	while (*link != call)
		link = &(*link)->next;
	*link = call->next;
	if (call->client) {
		call->client->n_calls--;
		if (call->client->ended)
			control_client_write(call->client);
	}
	call->server->n_calls--;
	free(call->id);
	free(call);
}

void control_reply_text(struct control_call *call, const char *result, size_t len)
{
	if (call->client)
		control_client_answer(call->client, "return", result, len, call->id);
	control_call_free(call);
}

void control_fail_text(struct control_call *call, const char *error, size_t len)
{
	if (call->client)
		control_client_answer(call->client, "error", error, len, call->id);
	control_call_free(call);
}

void control_reply(struct control_call *call, json_t *result)
{
	cleanup_free char *text =
		result ? json_dumps(result, JSON_COMPACT | JSON_ENCODE_ANY) : strdup("{}");

	json_decref(result);
	if (text)
		control_reply_text(call, text, strlen(text));
	else
		control_fail(call, "GenericError", "out of memory");
}

void control_fail(struct control_call *call, const char *class, const char *desc)
{
	if (call->client)
		control_client_send_error(call->client, call->id, class, desc);
	control_call_free(call);
}

unsigned control_call_client(const struct control_call *call)
{
	return call->client_number;
}

void *control_call_arg(const struct control_call *call)
{
	return call->server->handlers.arg;
}

int control_call_socket(const struct control_call *call)
{
	return call->client ? call->client->fd : -1;
}

const char *control_call_arguments(const struct control_call *call)
{
	return call->request ? call->request->arguments : NULL;
}

bool control_call_is_oob(const struct control_call *call)
{
	return call->request && call->request->oob;
}

static void dispatch(struct control_client *c, struct qmp_request *request)
{
	struct control_server *server = c->server;
	struct control_call *call;

	if (c->n_calls >= CALLS_MAX ||
	    control_count_of_process(server, c->process, true) >= CALLS_OF_PROCESS_MAX) {
		control_client_send_error(c, request->id, "GenericError",
					  "too many commands in flight; wait for answers");
		return;
	}
	call = calloc(1, sizeof(*call));
	if (!call) {
		control_client_send_error(c, request->id, "GenericError", "out of memory");
		return;
	}
	*call = (struct control_call){
		.client = c,
		.next = c->calls,
		.server = server,
		.client_number = c->number,
		.id = steal_ptr(&request->id),
		.request = request,
	};
	c->calls = call;
	c->n_calls++;
	server->n_calls++;
	server->handlers.command(call, request->command, request->decoded, c->fds, c->n_fds,
				 server->handlers.arg);
	/* Where it was answered its memory is gone; one that stays has no request any more. */
	if (c->calls && c->calls->request == request)
		c->calls->request = NULL;
}

/* What "enable" lists; err has QEMU's words. */
static int enable_capabilities(struct control_client *c, json_t *args, bool *ret_oob,
			       struct error *err)
{
	json_t *enable = json_object_get(args, "enable"), *capability, *value;
	const char *key;
	size_t i;

	*ret_oob = false;
	json_object_foreach (args, key, value)
		if (!str_eq(key, "enable"))
			return error_set(err, EINVAL, "Parameter '%s' is unexpected", key);
	if (enable && !json_is_array(enable))
		return error_set(err, EINVAL,
				 "Invalid parameter type for 'enable', expected: array");
	json_array_foreach (enable, i, capability) {
		if (!json_is_string(capability))
			return error_set(
				err, EINVAL,
				"Invalid parameter type for 'enable[%zu]', expected: string", i);
		if (!str_eq(json_string_value(capability), "oob"))
			return error_set(err, EINVAL,
					 "Parameter 'enable' does not accept value '%.100s'",
					 json_string_value(capability));
		if (!c->server->offers_oob)
			return error_set(err, EINVAL, "Capability oob not available");
		*ret_oob = true;
	}
	return 0;
}

static void negotiate(struct control_client *c, const struct qmp_request *request)
{
	struct error err = ERROR_INIT;
	bool oob;

	if (c->negotiated) {
		control_client_send_error(c, request->id, "CommandNotFound",
					  "Capabilities negotiation is already complete, command "
					  "ignored");
		return;
	}
	if (enable_capabilities(c, request->decoded, &oob, &err) < 0) {
		control_client_send_error(c, request->id, "GenericError", err.text);
		return;
	}
	c->negotiated = true;
	c->oob = oob;
	control_client_answer(c, "return", "{}", 2, request->id);
}

void control_client_handle_value(struct control_client *c, const char *text, size_t len)
{
	struct error err = ERROR_INIT;
	struct qmp_request request;

	if (qmp_request_parse(text, len, c->oob, &request, &err) < 0)
		control_client_send_error(c, request.id, "GenericError", err.text);
	else if (request.oob && str_eq(request.command, "qmp_capabilities"))
		control_client_send_error(c, request.id, "GenericError",
					  "The command qmp_capabilities does not support OOB");
	else if (str_eq(request.command, "qmp_capabilities"))
		negotiate(c, &request);
	else if (!c->negotiated)
		control_client_send_error(
			c, request.id, "CommandNotFound",
			"Expecting capabilities negotiation with 'qmp_capabilities'");
	else
		dispatch(c, &request);
	qmp_request_free(&request);
	/* What came with a request is never the next one's. */
	control_client_close_fds(c);
}
