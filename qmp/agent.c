/* SPDX-License-Identifier: MIT */
/*
 * Theory of operation
 *
 * The agent's answers carry no id, so an answer is known by its place alone. The
 * channel outlives both ends: what comes first may be the answer to a question
 * of somebody who has gone. guest-sync-delimited sets both right: the request
 * begins with 0xFF, which no JSON has and at which the agent drops what it had
 * not finished; the answer begins with 0xFF, too, and repeats our number.
 *
 *	OUT      whatever comes is thrown away
 *	SYNCING  thrown away up to 0xFF; the line behind it has to be our number,
 *	         else on to the next 0xFF: it answers an older question
 *	IN       one call is on the wire, or none
 *
 * From IN everything that is not the one answer leads to OUT: a line that
 * nobody asked for, one that is too long or not JSON, a 0xFF, a call that was
 * cancelled. The next call then begins with a sync. What came together with an
 * answer was said before the next question, and is none to that. So an agent that
 * says more than it was asked shifts no answer by one.
 */
#include "qmp/agent.h"

#include "base/cleanup.h"
#include "base/error.h"
#include "base/str.h"
#include "qmp/decode.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>

enum {
	DELIMITER = 0xff,
	CALLS_MAX = 64,
	CALLS_BYTES_MAX = 16 * 1024 * 1024,
	SYNC_LINE_BYTES = 256,
	KEEP_BYTES = 64 * 1024,
};

enum step { STEP_OUT, STEP_SYNCING, STEP_IN };

struct call {
	struct call *next;
	uint64_t number;
	char *text; /* NULL: a sync, and nothing else */
	size_t len;
	qmp_agent_reply_fn reply;
	void *arg;
};

struct qmp_agent {
	unsigned references;
	size_t line_max;
	enum step step;
	bool delimited; /* SYNCING: behind a delimiter */
	bool asked; /* IN: the first call is on the wire */
	bool freed;
	bool answered; /* by what comes now: the rest of that is no answer to what is asked next */
	uint32_t sync_number;
	uint64_t last_number;
	struct strbuf line; /* what came of the line that is not complete */
	const struct strbuf *answer; /* the complete one, while it is told of */
	struct strbuf output;
	struct call *calls, **calls_end;
	size_t n_calls, calls_bytes;
};

int qmp_agent_new(size_t line_max, uint32_t seed, struct qmp_agent **ret_agent)
{
	struct qmp_agent *a = calloc(1, sizeof(*a));

	if (!a)
		return -ENOMEM;
	*a = (struct qmp_agent){.references = 1, .line_max = line_max, .sync_number = seed};
	a->calls_end = &a->calls;
	*ret_agent = a;
	return 0;
}

static void agent_unref(struct qmp_agent *a)
{
	if (--a->references)
		return;
	strbuf_free(&a->line);
	strbuf_free(&a->output);
	free(a);
}

static void line_clear(struct qmp_agent *a)
{
	if (a->line.cap > KEEP_BYTES)
		strbuf_free(&a->line);
	a->line.len = 0;
	a->line.failed = false;
}

/* Takes a call out of the list, tells its caller, and frees it. */
static void complete(struct qmp_agent *a, struct call **link, json_t *result,
		     const struct error *err)
{
	struct call *call = *link;

	*link = call->next;
	if (!call->next)
		a->calls_end = link;
	a->n_calls--;
	a->calls_bytes -= call->len;
	if (call->reply)
		call->reply(result, err, call->arg);
	free(call->text);
	free(call);
}

/* What was not sent yet is not sent any more: the agent drops the beginning of
 * it at the next sync. */
static void step_out(struct qmp_agent *a)
{
	a->step = STEP_OUT;
	a->asked = false;
	strbuf_free(&a->output);
	line_clear(a);
}

static void begin_sync(struct qmp_agent *a)
{
	step_out(a);
	a->sync_number++;
	strbuf_addf(&a->output,
		    "%c{\"execute\":\"guest-sync-delimited\",\"arguments\":{\"id\":%u}}\n",
		    DELIMITER, a->sync_number);
	a->delimited = false;
	/* Without memory it stays out of step until the next call. */
	a->step = a->output.failed ? STEP_OUT : STEP_SYNCING;
}

/* Sends what comes next where nothing is on the wire. */
static void advance(struct qmp_agent *a)
{
	if (!a->calls || a->asked || a->freed || a->answered)
		return;
	if (a->step == STEP_OUT || (a->step == STEP_IN && !a->calls->text))
		begin_sync(a);
	if (a->step != STEP_IN)
		return;
	strbuf_add(&a->output, a->calls->text, a->calls->len);
	a->asked = true;
	if (a->output.failed)
		begin_sync(a);
}

/* Fails the call that is on the wire, if any; nothing is known to be in step
 * any more. */
static void fail_asked(struct qmp_agent *a, const struct error *why)
{
	bool asked = a->asked;

	step_out(a);
	if (asked)
		complete(a, &a->calls, NULL, why);
}

static void take_sync(struct qmp_agent *a, json_t *message)
{
	json_t *number = json_object_get(message, "return");

	a->delimited = false;
	if (!json_is_integer(number) || json_integer_value(number) != (json_int_t)a->sync_number)
		return;
	a->step = STEP_IN;
	if (a->calls && !a->calls->text)
		complete(a, &a->calls, NULL, NULL);
}

static void take_answer(struct qmp_agent *a, json_t *message)
{
	json_t *failure = json_object_get(message, "error");
	json_t *result = json_object_get(message, "return");
	const char *class = json_string_value(json_object_get(failure, "class"));
	const char *desc = json_string_value(json_object_get(failure, "desc"));
	struct error err = ERROR_INIT;

	a->answered = true;
	if (result && !failure) {
		a->asked = false;
		complete(a, &a->calls, result, NULL);
	} else if (json_is_object(failure)) {
		cleanup_strbuf struct strbuf shown = {0};

		/* The guest's own words, which end on somebody's terminal. */
		desc = desc ? desc : "no reason given";
		strbuf_add_printable(&shown, desc, strlen(desc), false);
		(void)error_set(&err,
				class && str_eq(class, "CommandNotFound") ? ENOENT : EREMOTEIO,
				"the agent refuses: %s", shown.data ? shown.data : "");
		a->asked = false;
		complete(a, &a->calls, NULL, &err);
	} else {
		(void)error_set(&err, EPROTO, "the agent says what is no answer");
		fail_asked(a, &err);
	}
}

static bool line_is_blank(const struct qmp_agent *a)
{
	for (size_t i = 0; i < a->line.len; i++)
		if (a->line.data[i] != ' ' && a->line.data[i] != '\r')
			return false;
	return !a->line.failed;
}

/* A complete line, without its end. */
static void take_line(struct qmp_agent *a)
{
	cleanup_strbuf struct strbuf line = {0};
	struct error err = ERROR_INIT;
	json_t *message = NULL;
	int rc;

	if (line_is_blank(a)) {
		line_clear(a);
		return;
	}
	if (a->step == STEP_IN && !a->asked) {
		step_out(a);
		return;
	}
	line = a->line;
	a->line = (struct strbuf){0};
	rc = line.failed ? error_oom(&err) : qmp_decode(line.data, line.len, &message, NULL);
	if (rc < 0 && !line.failed)
		(void)error_set(&err, EPROTO, "the agent says what is no JSON");
	a->answer = &line;
	if (a->step == STEP_SYNCING)
		take_sync(a, message);
	else if (rc < 0)
		fail_asked(a, &err);
	else
		take_answer(a, message);
	a->answer = NULL;
	json_decref(message);
}

static void take_delimiter(struct qmp_agent *a)
{
	struct error err = ERROR_INIT;

	line_clear(a);
	a->delimited = true;
	if (a->step != STEP_IN)
		return;
	(void)error_set(&err, EPROTO, "the agent begins anew amid an answer");
	fail_asked(a, &err);
}

/* Adds to the line, within its bound. */
static void take_bytes(struct qmp_agent *a, const char *data, size_t len)
{
	size_t most = a->step == STEP_SYNCING ? SYNC_LINE_BYTES : a->line_max;
	struct error err = ERROR_INIT;

	if (a->step == STEP_OUT || (a->step == STEP_SYNCING && !a->delimited))
		return;
	if (a->line.len + len <= most) {
		strbuf_add(&a->line, data, len);
		return;
	}
	line_clear(a);
	a->delimited = false;
	if (a->step == STEP_SYNCING)
		return;
	(void)error_set(&err, EMSGSIZE, "the agent says a line beyond %zu bytes", most);
	fail_asked(a, &err);
}

void qmp_agent_push(struct qmp_agent *a, const void *data, size_t len)
{
	const char *p = data, *end = p + len;

	a->references++;
	while (p < end && !a->freed) {
		const char *stop = p;

		while (stop < end && *stop != '\n' && (unsigned char)*stop != DELIMITER)
			stop++;
		if (stop > p)
			take_bytes(a, p, (size_t)(stop - p));
		if (stop < end && !a->freed) {
			if ((unsigned char)*stop == DELIMITER)
				take_delimiter(a);
			else if (a->step == STEP_IN || (a->step == STEP_SYNCING && a->delimited))
				take_line(a);
			stop++;
		}
		p = stop;
		advance(a);
	}
	a->answered = false;
	advance(a);
	agent_unref(a);
}

size_t qmp_agent_take(const struct qmp_agent *a, const char **ret_data)
{
	*ret_data = a->output.data;
	return a->output.len;
}

void qmp_agent_sent(struct qmp_agent *a, size_t len)
{
	strbuf_consume(&a->output, len);
	if (!a->output.len && a->output.cap > KEEP_BYTES)
		strbuf_free(&a->output);
}

/* Takes over text (NULL: a sync). */
static int add_call(struct qmp_agent *a, char *text, qmp_agent_reply_fn reply, void *arg,
		    uint64_t *ret_number, struct error *err)
{
	size_t len = text ? strlen(text) : 0;
	struct call *call = NULL;
	int rc = 0;

	if (a->freed)
		rc = error_set(err, ECANCELED, "the connection was closed");
	else if (a->n_calls == CALLS_MAX)
		rc = error_set(err, EBUSY, "%d calls of the agent wait already", CALLS_MAX);
	else if (a->calls_bytes + len > CALLS_BYTES_MAX)
		rc = error_set(err, ENOBUFS, "the calls of the agent that wait pass %d MiB",
			       CALLS_BYTES_MAX >> 20);
	else if (!(call = calloc(1, sizeof(*call))))
		rc = error_oom(err);
	if (rc < 0) {
		free(text);
		return rc;
	}
	*call = (struct call){
		.number = ++a->last_number,
		.text = text,
		.len = len,
		.reply = reply,
		.arg = arg,
	};
	*a->calls_end = call;
	a->calls_end = &call->next;
	a->n_calls++;
	a->calls_bytes += len;
	if (ret_number)
		*ret_number = call->number;
	advance(a);
	return 0;
}

int qmp_agent_call(struct qmp_agent *a, const char *command, json_t *args, qmp_agent_reply_fn reply,
		   void *arg, uint64_t *ret_number, struct error *err)
{
	cleanup_free char *text = NULL;
	json_t *request = json_pack("{s:s}", "execute", command);
	char *line;

	if (request && (!args || json_object_set(request, "arguments", args) == 0))
		text = json_dumps(request, JSON_COMPACT);
	json_decref(request);
	json_decref(args);
	line = text ? str_printf("%s\n", text) : NULL;
	return line ? add_call(a, line, reply, arg, ret_number, err) : error_oom(err);
}

int qmp_agent_call_text(struct qmp_agent *a, const char *command, const char *args, size_t len,
			qmp_agent_reply_fn reply, void *arg, uint64_t *ret_number,
			struct error *err)
{
	json_t *name = json_string(command);
	cleanup_free char *quoted = name ? json_dumps(name, JSON_ENCODE_ANY) : NULL;
	struct strbuf line = {0};
	char *text;

	json_decref(name);
	if (!quoted)
		return error_oom(err);
	strbuf_addf(&line, "{\"execute\":%s,\"arguments\":", quoted);
	strbuf_add(&line, args, len);
	strbuf_add(&line, "}\n", 2);
	text = strbuf_steal(&line);
	return text ? add_call(a, text, reply, arg, ret_number, err) : error_oom(err);
}

const char *qmp_agent_text(const struct qmp_agent *a, size_t *ret_len)
{
	*ret_len = a->answer ? a->answer->len : 0;
	return a->answer ? a->answer->data : NULL;
}

int qmp_agent_sync(struct qmp_agent *a, qmp_agent_reply_fn reply, void *arg, uint64_t *ret_number,
		   struct error *err)
{
	return add_call(a, NULL, reply, arg, ret_number, err);
}

void qmp_agent_cancel(struct qmp_agent *a, uint64_t number, const struct error *why)
{
	struct call **link = &a->calls;

	while (*link && (*link)->number != number)
		link = &(*link)->next;
	if (!*link)
		return;
	a->references++;
	/* Also one whose sync is on the wire: the next begins with its own. */
	if (link == &a->calls)
		step_out(a);
	complete(a, link, NULL, why);
	advance(a);
	agent_unref(a);
}

void qmp_agent_fail(struct qmp_agent *a, const struct error *why)
{
	/* Those made by a callback are not meant. */
	uint64_t last = a->last_number;

	a->references++;
	step_out(a);
	while (a->calls && a->calls->number <= last)
		complete(a, &a->calls, NULL, why);
	advance(a);
	agent_unref(a);
}

void qmp_agent_free(struct qmp_agent *a)
{
	struct error err = ERROR_INIT;

	if (!a)
		return;
	a->freed = true;
	(void)error_set(&err, ECANCELED, "the connection was closed");
	while (a->calls)
		complete(a, &a->calls, NULL, &err);
	agent_unref(a);
}
