/* SPDX-License-Identifier: MIT */
/*
 * The guest agent's side of its protocol. Calls wait, are made by answers, and
 * are cancelled; each is completed once, whatever the agent says.
 */
#include "fuzz.h"

#include "base/error.h"
#include "qmp/agent.h"

#include <errno.h>

enum { LINE_BYTES = 512, CALLS = 8 };

struct call {
	struct talk *talk;
	int done;
};

struct talk {
	struct qmp_agent *agent;
	struct call calls[CALLS];
	size_t n;
};

static void add_call(struct talk *talk, uint64_t *ret_number);

static void on_reply(json_t *result, const struct error *err, void *arg)
{
	struct call *call = arg;

	fuzz_check(!(result && err));
	fuzz_check(!err || fuzz_is_plain(err->text));
	fuzz_check(call->done++ == 0);
	if (result)
		add_call(call->talk, NULL);
}

static void add_call(struct talk *talk, uint64_t *ret_number)
{
	struct call *call = &talk->calls[talk->n];
	int rc;

	if (talk->n == CALLS)
		return;
	talk->n++;
	call->talk = talk;
	if (talk->n % 4 == 0)
		rc = qmp_agent_sync(talk->agent, on_reply, call, ret_number, NULL);
	else
		rc = qmp_agent_call(talk->agent, "guest-ping", NULL, on_reply, call, ret_number,
				    NULL);
	/* Freed meanwhile. */
	call->done += rc < 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct fuzz_chunks chunks = fuzz_cut(data, size);
	struct error why = {.code = ETIMEDOUT};
	struct talk talk = {0};
	uint64_t number = 0;
	const char *output;
	size_t len;

	fuzz_check(qmp_agent_new(LINE_BYTES, 0, &talk.agent) == 0);
	add_call(&talk, NULL);
	add_call(&talk, &number);
	for (unsigned turn = 1; fuzz_next(&chunks, &data, &len); turn++) {
		qmp_agent_push(talk.agent, data, len);
		/* A sync and a call at the most. */
		fuzz_check(qmp_agent_take(talk.agent, &output) < 200);
		if (turn % 3)
			qmp_agent_sent(talk.agent, turn);
		if (turn % 16 == 0)
			qmp_agent_cancel(talk.agent, number, &why);
	}
	qmp_agent_free(talk.agent);
	for (size_t i = 0; i < talk.n; i++)
		fuzz_check(talk.calls[i].done == 1);
	return 0;
}
