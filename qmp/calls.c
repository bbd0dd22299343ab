/* SPDX-License-Identifier: MIT */
/*
 * Theory of operation
 *
 * QEMU reads its monitor byte by byte, and each byte costs it as many system calls as a
 * whole request costs us. So nothing is sent that need not be: no blank, no line end, no
 * id where answers come in order, and elsewhere a short one (qmp/ids). A call has its id
 * here in any case; the outbox knows which one is the oldest that was sent, so an answer
 * without an id is that one's, also where nobody waits for it any more. Every sixteenth
 * goes with its id nevertheless: if it is not that one's turn, an answer was lost, and
 * nothing that follows could be trusted to be whose it seems.
 */
#include "qmp/calls.h"

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/error.h"
#include "base/log.h"
#include "base/str.h"

#include <errno.h>
#include <stdlib.h>

enum {
	PENDING_MAX = QMP_IDS_MAX,
	OUTPUT_BYTES_MAX = 16 * 1024 * 1024,
	STRAY_LOGGED_MAX = 10,
	/* Of calls that are answered in order, how many there are for one that has an id. */
	NAMED_EVERY = 16,
};

struct qmp_call {
	struct qmp_call *next;
	json_int_t id;
	uint64_t deadline_usec; /* 0: none */
	unsigned owner; /* 0: nobody */
	qmp_reply_fn reply;
	void *arg;
};

void qmp_calls_init(struct qmp_calls *calls, bool in_order)
{
	*calls = (struct qmp_calls){.in_order = in_order};
	calls->end = &calls->first;
	qmp_outbox_init(&calls->outbox);
}

/* The request; the caller frees it. id 0: without. */
static char *encode(const struct qmp_forward *what, json_int_t id)
{
	cleanup_strbuf struct strbuf text = {0};
	json_t *name = json_string(what->command);
	char *quoted = name ? json_dumps(name, JSON_ENCODE_ANY) : NULL;

	json_decref(name);
	if (!quoted)
		return NULL;
	strbuf_addf(&text, "{\"%s\":%s", what->oob ? "exec-oob" : "execute", quoted);
	free(quoted);
	if (id)
		strbuf_addf(&text, ",\"id\":%" JSON_INTEGER_FORMAT, id);
	if (what->arguments)
		strbuf_addf(&text, ",\"arguments\":%s", what->arguments);
	strbuf_add(&text, "}", 1);
	return strbuf_steal(&text);
}

static int queue(struct qmp_calls *calls, const struct qmp_forward *what, json_int_t id,
		 struct error *err)
{
	bool named = what->oob || !calls->in_order || calls->n_encoded % NAMED_EVERY == 0;
	char *text = encode(what, named ? id : 0);

	if (!text)
		return error_oom(err);
	calls->n_encoded += !what->oob;
	return qmp_outbox_add(&calls->outbox, id, what->owner, what->oob, text, what->fds,
			      what->n_fds, err);
}

static int fail_busy(struct error *err)
{
	return error_set(err, EBUSY, "%d calls wait for an answer already", PENDING_MAX);
}

int qmp_calls_add(struct qmp_calls *calls, const struct qmp_forward *what, qmp_reply_fn reply,
		  void *arg, struct error *err)
{
	struct qmp_call *call;
	json_int_t id;
	int rc;

	if (calls->n >= PENDING_MAX)
		return fail_busy(err);
	if (calls->outbox.bytes > OUTPUT_BYTES_MAX)
		return error_set(err, ENOBUFS, "the peer does not read");
	id = qmp_ids_take(&calls->ids);
	call = id ? calloc(1, sizeof(*call)) : NULL;
	rc = call ? queue(calls, what, id, err) : id ? error_oom(err) : fail_busy(err);
	if (rc < 0) {
		qmp_ids_release(&calls->ids, id);
		free(call);
		return rc;
	}
	*call = (struct qmp_call){
		.id = id,
		.deadline_usec = what->timeout_ms ? clock_now_usec() + what->timeout_ms * 1000 : 0,
		.owner = what->owner,
		.reply = reply,
		.arg = arg,
	};
	*calls->end = call;
	calls->end = &call->next;
	calls->n++;
	return 0;
}

static struct qmp_call *take(struct qmp_calls *calls, struct qmp_call **link)
{
	struct qmp_call *call = *link;

	*link = call->next;
	if (!call->next)
		calls->end = link;
	calls->n--;
	return call;
}

/* Completes one that is out of the list; frees it. */
static void complete(struct qmp_call *call, json_t *result, const char *class,
		     const struct error *err)
{
	if (call->reply)
		call->reply(result, class, err, call->arg);
	free(call);
}

static int code_of(const char *class)
{
	if (str_eq(class, "CommandNotFound") || str_eq(class, "DeviceNotFound"))
		return ENOENT;
	return str_eq(class, "DeviceNotActive") ? ENODEV : EREMOTEIO;
}

static void complete_with(struct qmp_call *call, json_t *message)
{
	json_t *failure = json_object_get(message, "error");
	struct error err = ERROR_INIT;
	const char *class, *desc;

	if (!failure) {
		complete(call, json_object_get(message, "return"), NULL, NULL);
		return;
	}
	class = json_string_value(json_object_get(failure, "class"));
	desc = json_string_value(json_object_get(failure, "desc"));
	class = class ? class : "GenericError";
	(void)error_set(&err, code_of(class), "%s", desc ? desc : "no reason given");
	complete(call, NULL, class, &err);
}

int qmp_calls_answer(struct qmp_calls *calls, json_t *message, struct error *err)
{
	json_t *named = json_object_get(message, "id");
	json_int_t id = json_integer_value(named);
	struct qmp_call **link = &calls->first;
	enum qmp_asked asked;

	if (!named && calls->in_order)
		id = qmp_outbox_oldest(&calls->outbox);
	asked = qmp_outbox_answered(&calls->outbox, id);
	if (asked == QMP_ASKED_LATER && calls->in_order)
		return error_set(err, EPROTO, "the peer did not answer a call before this one");
	if (asked != QMP_NOT_ASKED) {
		qmp_ids_release(&calls->ids, id);
		calls->released = true;
	}
	while (*link && (asked == QMP_NOT_ASKED || (*link)->id != id))
		link = &(*link)->next;
	if (*link)
		complete_with(take(calls, link), message);
	else if (calls->n_stray_logged++ < STRAY_LOGGED_MAX)
		log_warning("qmp: an answer that nobody waits for is passed over");
	return 0;
}

uint64_t qmp_calls_deadline(const struct qmp_calls *calls)
{
	uint64_t nearest = 0;

	for (const struct qmp_call *call = calls->first; call; call = call->next)
		if (call->deadline_usec && (!nearest || call->deadline_usec < nearest))
			nearest = call->deadline_usec;
	return nearest;
}

/* Whether it was not sent. If it was, its answer may still come: its id stays taken. */
static bool take_back(struct qmp_calls *calls, json_int_t id)
{
	bool unsent = qmp_outbox_withdraw(&calls->outbox, id);

	if (unsent)
		qmp_ids_release(&calls->ids, id);
	return unsent;
}

void qmp_calls_expire(struct qmp_calls *calls, uint64_t now_usec)
{
	struct qmp_call **link = &calls->first;
	struct error err = ERROR_INIT;

	(void)error_set(&err, ETIMEDOUT, "no answer in time");
	while (*link) {
		if (!(*link)->deadline_usec || (*link)->deadline_usec > now_usec) {
			link = &(*link)->next;
			continue;
		}
		(void)take_back(calls, (*link)->id);
		complete(take(calls, link), NULL, NULL, &err);
		/* The callback may have changed the list. */
		link = &calls->first;
	}
}

void qmp_calls_withdraw(struct qmp_calls *calls, unsigned owner)
{
	struct qmp_call **link = &calls->first;
	struct error err = ERROR_INIT;

	(void)error_set(&err, ECANCELED, "who asked has gone");
	while (*link) {
		if ((*link)->owner != owner || !take_back(calls, (*link)->id)) {
			link = &(*link)->next;
			continue;
		}
		complete(take(calls, link), NULL, NULL, &err);
		/* The callback may have changed the list. */
		link = &calls->first;
	}
}

void qmp_calls_fail(struct qmp_calls *calls, const struct error *why)
{
	while (calls->first) {
		(void)take_back(calls, calls->first->id);
		complete(take(calls, &calls->first), NULL, NULL, why);
	}
}
