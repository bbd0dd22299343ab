/* SPDX-License-Identifier: MIT */
#include "qmp/request.h"

#include "base/cleanup.h"
#include "base/error.h"
#include "base/str.h"
#include "qmp/decode.h"
#include "qmp/text.h"

#include <errno.h>
#include <stdlib.h>

struct parse {
	struct qmp_request *request;
	bool oob_allowed;
	struct qmp_span command, arguments;
	int rc;
	struct error *err;
};

static bool copy(struct qmp_span from, char **ret_text)
{
	free(*ret_text);
	*ret_text = strndup(from.at, from.len);
	return *ret_text != NULL;
}

static bool is_id(struct qmp_span key, struct qmp_span value, void *arg)
{
	struct parse *p = arg;

	if (qmp_span_is(key, "id") && !copy(value, &p->request->id))
		p->rc = error_oom(p->err);
	return p->rc == 0;
}

static int fail_member(struct parse *p, struct qmp_span key, const char *what)
{
	cleanup_strbuf struct strbuf shown = {0};

	strbuf_add_printable(&shown, key.at, key.len < 256 ? key.len : 256, false);
	return error_set(p->err, EPROTO, "QMP input member '%s' %s", shown.data ? shown.data : "",
			 what);
}

static bool check_member(struct qmp_span key, struct qmp_span value, void *arg)
{
	struct parse *p = arg;
	bool oob = p->oob_allowed && qmp_span_is(key, "exec-oob");

	if (oob || qmp_span_is(key, "execute")) {
		if (*value.at != '"')
			p->rc = fail_member(p, key, "must be a string");
		else if (p->command.at)
			p->rc = fail_member(
				p, key, oob ? "clashes with 'execute'" : "clashes with 'exec-oob'");
		p->command = value;
		p->request->oob = oob;
	} else if (qmp_span_is(key, "arguments")) {
		if (*value.at != '{')
			p->rc = fail_member(p, key, "must be an object");
		p->arguments = value;
	} else if (!qmp_span_is(key, "id")) {
		p->rc = fail_member(p, key, "is unexpected");
	}
	return p->rc == 0;
}

/* Duplicate keys, wherever they are, and what little else QEMU would take. */
static int decode(struct parse *p, struct qmp_span value)
{
	json_t *message = NULL;
	struct error fault = ERROR_INIT;
	const char *command;
	int rc = qmp_decode(value.at, value.len, &message, &fault);

	if (rc < 0)
		return error_set(p->err, EPROTO, "JSON parse error, %s",
				 strstr(fault.text, "duplicate") ? "duplicate key" : fault.text);
	p->request->decoded = json_incref(json_object_get(message, "arguments"));
	command = json_string_value(json_object_get(message, "execute")
					    ?: json_object_get(message, "exec-oob"));
	if (command)
		p->request->command = strdup(command);
	json_decref(message);
	return 0;
}

static int parse_value(struct parse *p, const char *text, size_t len)
{
	struct qmp_span value;
	int rc = qmp_text_check(text, len, &value, p->err);

	if (rc < 0)
		return rc;
	if (*value.at != '{')
		return error_set(p->err, EPROTO, "QMP input must be a JSON object");
	rc = decode(p, value);
	if (rc < 0)
		return rc;
	qmp_text_walk(value.at, value.len, is_id, p);
	if (p->rc == 0)
		qmp_text_walk(value.at, value.len, check_member, p);
	if (p->rc == 0 && !p->command.at)
		p->rc = error_set(p->err, EPROTO, "QMP input lacks member 'execute'");
	/* Whatever else reads them, QEMU reads them byte by byte. */
	if (p->rc == 0 && p->arguments.at) {
		p->request->arguments = qmp_text_compact(p->arguments.at, p->arguments.len);
		if (!p->request->arguments)
			p->rc = error_oom(p->err);
	}
	if (p->rc == 0 && !p->request->command)
		p->rc = error_oom(p->err);
	return p->rc;
}

int qmp_request_parse(const char *text, size_t len, bool oob_allowed,
		      struct qmp_request *ret_request, struct error *err)
{
	struct parse p = {.request = ret_request, .oob_allowed = oob_allowed, .err = err};
	cleanup_strbuf struct strbuf requoted = {0};

	*ret_request = (struct qmp_request){0};
	if (!memchr(text, '\'', len))
		return parse_value(&p, text, len);
	qmp_text_requote(&requoted, text, len);
	if (requoted.failed)
		return error_oom(err);
	return parse_value(&p, requoted.data, requoted.len);
}

void qmp_request_free(struct qmp_request *r)
{
	free(r->command);
	free(r->id);
	free(r->arguments);
	json_decref(r->decoded);
	*r = (struct qmp_request){0};
}
