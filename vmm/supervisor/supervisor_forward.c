/* SPDX-License-Identifier: MIT */
/*
 * From a client to QEMU and back. What either said goes on as text, so nothing is lost
 * that a decoder would not keep. Two answers are made larger: query-commands and
 * query-qmp-schema list hvup's own commands beside QEMU's. The schema costs QEMU 60 ms,
 * so it is kept as long as the monitor is connected.
 */
#include "vmm/supervisor/supervisor_private.h"

#include "base/cleanup.h"
#include "base/str.h"
#include "qmp/text.h"
#include "vmm/supervisor/monitor_rules.h"

#include <stdlib.h>

static void on_forwarded(json_t *result, const char *class, const struct error *err, void *arg)
{
	struct control_call *call = arg;
	struct supervisor *s = control_call_arg(call);
	struct qmp_span value;
	size_t len;
	const char *text = qmp_client_text(s->qmp, &len);

	(void)result;
	if (!text) {
		control_fail(call, class ? class : "GenericError", err->text);
		return;
	}
	value = qmp_text_member(text, len, err ? "error" : "return");
	if (!value.at)
		control_fail(call, class ? class : "GenericError", err ? err->text : "no result");
	else if (err)
		control_fail_text(call, value.at, value.len);
	else
		control_reply_text(call, value.at, value.len);
}

/* QEMU's list, and behind it what add() has. NULL: no list, or no memory. */
static char *enlarge(struct supervisor *s, void (*add)(struct strbuf *into))
{
	struct strbuf list = {0};
	size_t len;
	const char *text = qmp_client_text(s->qmp, &len);
	struct qmp_span value = {0};

	if (text)
		value = qmp_text_member(text, len, "return");
	if (!value.at || value.len < 3 || *value.at != '[')
		return NULL;
	strbuf_add(&list, value.at, value.len - 1);
	add(&list);
	strbuf_add(&list, "]", 1);
	return strbuf_steal(&list);
}

static void on_commands(json_t *result, const char *class, const struct error *err, void *arg)
{
	struct control_call *call = arg;
	cleanup_free char *list =
		err ? NULL : enlarge(control_call_arg(call), supervisor_list_commands);

	if (list)
		control_reply_text(call, list, strlen(list));
	else
		on_forwarded(result, class, err, arg);
}

static void on_schema(json_t *result, const char *class, const struct error *err, void *arg)
{
	struct control_call *call = arg;
	struct supervisor *s = control_call_arg(call);
	char *list = err ? NULL : enlarge(s, supervisor_add_schema);

	if (!list) {
		on_forwarded(result, class, err, arg);
		return;
	}
	free(s->schema);
	s->schema = list;
	control_reply_text(call, list, strlen(list));
}

static bool has_none(json_t *args)
{
	return json_object_size(args) == 0;
}

void supervisor_forward(struct supervisor *s, struct control_call *call, const char *name,
			json_t *args, const int *fds, size_t n_fds)
{
	const struct qmp_forward what = {
		.command = name,
		.arguments = control_call_arguments(call),
		.oob = control_call_is_oob(call),
		.owner = control_call_client(call) + 1,
		.fds = fds,
		.n_fds = n_fds,
	};
	const char *reason = monitor_rule(name, args);
	qmp_reply_fn reply = on_forwarded;
	struct error err = ERROR_INIT;

	if (!s->qmp)
		reason = "QEMU's monitor is not connected";
	else if (s->state == VM_STATE_SPARE)
		reason = "it is a spare, whose guest has not begun (hv up begins it)";
	else if (what.oob && !qmp_client_has_oob(s->qmp))
		reason = "QEMU's monitor takes nothing out of band";
	if (reason) {
		control_fail(call, "GenericError", reason);
		return;
	}
	if (str_eq(name, "query-commands") && !what.oob)
		reply = on_commands;
	if (str_eq(name, "query-qmp-schema") && has_none(args) && !what.oob) {
		if (s->schema) {
			control_reply_text(call, s->schema, strlen(s->schema));
			return;
		}
		reply = on_schema;
	}
	if (qmp_client_forward(s->qmp, &what, reply, call, &err) < 0)
		control_fail(call, "GenericError", err.text);
}

void supervisor_withdraw(struct supervisor *s, unsigned client)
{
	if (s->qmp)
		qmp_client_withdraw(s->qmp, client + 1);
}
