/* SPDX-License-Identifier: MIT */
/* What a client of the control socket asks for: requests, negotiation, calls. */
#include "vmm/control_private.h"

#include "base/cleanup.h"
#include "vmm/json.h"

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
	json_decref(call->id);
	free(call);
}

void control_reply(struct control_call *call, json_t *result)
{
	cleanup_json json_t *message = NULL;

	if (!result)
		result = json_object();
	message = json_pack("{s:o}", "return", result);
	if (message && call->id)
		(void)json_object_set(message, "id", call->id);
	if (call->client)
		control_client_send(call->client, message);
	control_call_free(call);
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

int control_call_socket(const struct control_call *call)
{
	return call->client ? call->client->fd : -1;
}

static void control_client_dispatch(struct control_client *c, const char *command, json_t *request)
{
	struct control_server *server = c->server;
	struct control_call *call;

	if (c->n_calls >= CALLS_MAX ||
	    control_count_of_process(server, c->process, true) >= CALLS_OF_PROCESS_MAX) {
		control_client_send_error(c, json_object_get(request, "id"), "GenericError",
					  "too many commands in flight; wait for answers");
		return;
	}
	call = calloc(1, sizeof(*call));
	if (!call) {
		control_client_send_error(c, json_object_get(request, "id"), "GenericError",
					  "out of memory");
		return;
	}
	*call = (struct control_call){
		.client = c,
		.next = c->calls,
		.server = server,
		.client_number = c->number,
		.id = json_incref(json_object_get(request, "id")),
	};
	c->calls = call;
	c->n_calls++;
	server->n_calls++;
	server->handlers.command(call, command, json_object_get(request, "arguments"), c->fds,
				 c->n_fds, server->handlers.arg);
}

static void control_client_handle_request(struct control_client *c, json_t *request)
{
	json_t *id = json_object_get(request, "id"), *args = json_object_get(request, "arguments");
	const char *command = json_get_string(request, "execute");

	if (!command)
		command = json_get_string(request, "exec-oob");
	if (!json_is_object(request) || !command) {
		control_client_send_error(
			c, id, "GenericError",
			"a request is an object with 'execute', and 'arguments' or 'id'");
	} else if (args && !json_is_object(args)) {
		control_client_send_error(c, id, "GenericError", "'arguments' has to be an object");
	} else if (str_eq(command, "qmp_capabilities")) {
		cleanup_json json_t *message = json_pack("{s:{}}", "return");

		if (c->negotiated) {
			control_client_send_error(
				c, id, "CommandNotFound",
				"Capabilities negotiation is already complete, command "
				"ignored");
			return;
		}
		c->negotiated = true;
		if (message && id)
			(void)json_object_set(message, "id", id);
		control_client_send(c, message);
	} else if (!c->negotiated) {
		control_client_send_error(
			c, id, "CommandNotFound",
			"Expecting capabilities negotiation with 'qmp_capabilities'");
	} else {
		control_client_dispatch(c, command, request);
	}
}

void control_client_handle_value(struct control_client *c, const char *text, size_t len)
{
	cleanup_strbuf struct strbuf desc = {0};
	cleanup_json json_t *request = NULL;
	json_error_t fault;

	request = json_loadb(text, len, JSON_REJECT_DUPLICATES | JSON_DECODE_ANY, &fault);
	if (request) {
		control_client_handle_request(c, request);
	} else {
		/* It quotes the request, and may cut a character in two. */
		strbuf_addf(&desc, "JSON parse error at column %d: ", fault.column);
		strbuf_add_printable(&desc, fault.text, strlen(fault.text), false);
		control_client_send_error(c, NULL, "GenericError", desc.data ? desc.data : "");
	}
	/* What came with a request is never the next one's. */
	control_client_close_fds(c);
}
