/* SPDX-License-Identifier: MIT */
/* The guest agent's protocol, against an agent in the test's own hand: honest,
 * late, lying, flooding, and silent. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/cleanup.h"
#include "base/error.h"
#include "base/str.h"
#include "qmp/agent.h"

#include <errno.h>

enum { SEED = 41, LINE_MAX_BYTES = 4096 };

struct outcome {
	int n; /* how often it was completed */
	int code;
	char result[256], text[256];
	struct qmp_agent **free_agent; /* from within the callback */
	struct qmp_agent *call_again; /* from within the callback */
};

static void on_reply(json_t *result, const struct error *err, void *arg)
{
	struct outcome *o = arg;
	cleanup_free char *text = result ? json_dumps(result, JSON_ENCODE_ANY) : NULL;

	assert_false(result && err);
	o->n++;
	o->code = err ? err->code : 0;
	(void)str_format(o->result, sizeof(o->result), "%s", text ? text : "");
	(void)str_format(o->text, sizeof(o->text), "%s", err ? err->text : "");
	if (o->free_agent)
		qmp_agent_free(steal_ptr(o->free_agent));
	if (o->call_again)
		(void)qmp_agent_call(o->call_again, "guest-again", NULL, NULL, NULL, NULL, NULL);
}

static struct qmp_agent *open_agent(void)
{
	struct qmp_agent *a = NULL;

	assert_int_equal(qmp_agent_new(LINE_MAX_BYTES, SEED, &a), 0);
	return a;
}

static uint64_t call(struct qmp_agent *a, const char *command, struct outcome *o)
{
	uint64_t number = 0;

	assert_int_equal(qmp_agent_call(a, command, NULL, on_reply, o, &number, NULL), 0);
	return number;
}

static void say(struct qmp_agent *a, const char *text)
{
	qmp_agent_push(a, text, strlen(text));
}

/* What it sends now, and takes it as sent. */
static const char *heard(struct qmp_agent *a)
{
	static char text[4096];
	const char *data;
	size_t len = qmp_agent_take(a, &data);

	assert_true(len < sizeof(text));
	if (len)
		memcpy(text, data, len);
	text[len] = '\0';
	qmp_agent_sent(a, len);
	return text;
}

static const char *sync_request(unsigned id)
{
	static char text[128];

	(void)str_format(text, sizeof(text),
			 "\xff{\"execute\":\"guest-sync-delimited\",\"arguments\":{\"id\":%u}}\n",
			 id);
	return text;
}

/* Through the sync with that number. */
static void answer_sync(struct qmp_agent *a, unsigned id)
{
	char text[64];

	assert_string_equal(heard(a), sync_request(id));
	(void)str_format(text, sizeof(text), "\xff{\"return\": %u}\n", id);
	say(a, text);
}

static void test_calls_in_sequence(void **state)
{
	struct qmp_agent *a = open_agent();
	struct outcome o[3] = {0};

	(void)state;
	assert_string_equal(heard(a), "");
	for (size_t i = 0; i < 3; i++)
		(void)call(a, i == 1 ? "guest-b" : "guest-a", &o[i]);
	answer_sync(a, SEED + 1);
	assert_string_equal(heard(a), "{\"execute\":\"guest-a\"}\n");
	assert_int_equal(o[0].n, 0);
	say(a, "{\"return\": {\"n\": 1}}\n");
	assert_int_equal(o[0].n, 1);
	assert_string_equal(o[0].result, "{\"n\": 1}");
	/* One at a time. */
	assert_string_equal(heard(a), "{\"execute\":\"guest-b\"}\n");
	say(a, "{\"error\": {\"class\": \"CommandNotFound\", \"desc\": \"none\\u001b[2J\"}}\r\n");
	assert_int_equal(o[1].n, 1);
	assert_int_equal(o[1].code, ENOENT);
	assert_string_equal(o[1].text, "the agent refuses: none\\x1b[2J");
	/* A refusal is an answer: it is still in step. */
	assert_string_equal(heard(a), "{\"execute\":\"guest-a\"}\n");
	say(a, "{\"return\": []}\n");
	assert_int_equal(o[2].n, 1);
	assert_int_equal(o[2].code, 0);
	qmp_agent_free(a);
}

static void test_arguments(void **state)
{
	struct qmp_agent *a = open_agent();
	struct outcome o = {0};

	(void)state;
	assert_int_equal(qmp_agent_call(a, "guest-shutdown", json_pack("{s:s}", "mode", "halt"),
					on_reply, &o, NULL, NULL),
			 0);
	answer_sync(a, SEED + 1);
	assert_string_equal(heard(a),
			    "{\"execute\":\"guest-shutdown\",\"arguments\":{\"mode\":\"halt\"}}\n");
	qmp_agent_free(a);
	assert_int_equal(o.n, 1);
	assert_int_equal(o.code, ECANCELED);
}

/* What stood in the channel before is nobody's answer, whatever it looks like. */
static void test_what_is_old_is_passed_over(void **state)
{
	static const char *const old[] = {
		"{\"return\": {\"old\": true}}\n",
		"\xff{\"return\": 7}\n",
		"\xff{\"return\": \"42\"}\n",
		"\xff{\"return\": 42.0}\n",
		"{\"return\": 42}\n",
		"\xff\xff\xff",
		"\xff{\"error\": {\"class\": \"GenericError\", \"desc\": \"x\"}}\n",
		"\xff[42]\n",
		"\xff{\"return\"",
		"half a line",
		"\n\n\n",
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(old); i++) {
		struct qmp_agent *a = open_agent();
		struct outcome o = {0};

		(void)call(a, "guest-a", &o);
		assert_string_equal(heard(a), sync_request(SEED + 1));
		say(a, old[i]);
		assert_string_equal(heard(a), "");
		say(a, "\xff{\"return\": 42}\n");
		assert_string_equal(heard(a), "{\"execute\":\"guest-a\"}\n");
		assert_int_equal(o.n, 0);
		say(a, "{\"return\": {}}\n");
		assert_int_equal(o.n, 1);
		assert_int_equal(o.code, 0);
		qmp_agent_free(a);
	}
}

/* Cut at each byte, by one and by two. */
static void test_any_chunks(void **state)
{
	static const char talk[] =
		"junk{\n\xff{\"return\": 42}\n{\"return\": {\"s\": \"a\\nb\"}}\n";

	(void)state;
	for (size_t cut = 0; cut < sizeof(talk); cut++) {
		struct qmp_agent *a = open_agent();
		struct outcome o = {0};

		(void)call(a, "guest-a", &o);
		qmp_agent_push(a, talk, cut);
		qmp_agent_push(a, talk + cut, sizeof(talk) - 1 - cut);
		assert_int_equal(o.n, 1);
		assert_string_equal(o.result, "{\"s\": \"a\\nb\"}");
		qmp_agent_free(a);
	}
}

/* Each costs the one call that is on the wire; the next begins with a sync. */
static void test_what_is_no_answer(void **state)
{
	static const struct {
		const char *said;
		int code;
	} rows[] = {
		{"garbage\n", EPROTO},
		{"{\"\x1b[2J\"\n", EPROTO},
		{"{}\n", EPROTO},
		{"{\"error\": 1}\n", EPROTO},
		{"[]\n", EPROTO},
		{"{\"return\": {}\n", EPROTO},
		{"{\"return\": \"\\u0000\"}\n", EPROTO},
		{"\xff", EPROTO},
		{"{\"return\": {}}\xff\n", EPROTO},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct qmp_agent *a = open_agent();
		struct outcome first = {0}, second = {0};

		(void)call(a, "guest-a", &first);
		(void)call(a, "guest-b", &second);
		answer_sync(a, SEED + 1);
		(void)heard(a);
		say(a, rows[i].said);
		assert_null(strchr(first.text, 0x1b));
		if (first.n != 1 || first.code != rows[i].code)
			fail_msg("row %zu: %d times, code %d", i, first.n, first.code);
		assert_int_equal(second.n, 0);
		/* What it says now is not the second's answer. */
		say(a, "{\"return\": {\"lie\": 1}}\n");
		answer_sync(a, SEED + 2);
		assert_string_equal(heard(a), "{\"execute\":\"guest-b\"}\n");
		say(a, "{\"return\": {}}\n");
		assert_int_equal(second.n, 1);
		assert_string_equal(second.result, "{}");
		qmp_agent_free(a);
	}
}

/* An agent that says more than it was asked shifts no answer by one. */
static void test_unasked(void **state)
{
	struct qmp_agent *a = open_agent();
	struct outcome o[2] = {0};

	(void)state;
	(void)call(a, "guest-a", &o[0]);
	answer_sync(a, SEED + 1);
	(void)heard(a);
	say(a, "{\"return\": 1}\n\r\n  \n{\"return\": \"for the next\"}\n");
	assert_int_equal(o[0].n, 1);
	assert_string_equal(o[0].result, "1");
	(void)call(a, "guest-b", &o[1]);
	answer_sync(a, SEED + 2);
	assert_string_equal(heard(a), "{\"execute\":\"guest-b\"}\n");
	say(a, "{\"return\": 2}\n");
	assert_string_equal(o[1].result, "2");
	qmp_agent_free(a);
}

/* Also where the next question waits already. */
static void test_answered_twice(void **state)
{
	struct outcome one = {0}, two = {0};
	struct qmp_agent *a = open_agent();

	(void)state;
	(void)call(a, "guest-one", &one);
	(void)call(a, "guest-two", &two);
	answer_sync(a, SEED + 1);
	(void)heard(a);
	say(a, "{\"return\":1}\n{\"return\":1}\n");
	assert_string_equal(one.result, "1");
	assert_int_equal(two.n, 0);
	answer_sync(a, SEED + 2);
	assert_string_equal(heard(a), "{\"execute\":\"guest-two\"}\n");
	say(a, "{\"return\":2}\n");
	assert_string_equal(two.result, "2");
	qmp_agent_free(a);
}

static void test_late_answer(void **state)
{
	struct qmp_agent *a = open_agent();
	struct outcome slow = {0}, next = {0};
	struct error why = ERROR_INIT;
	uint64_t number;

	(void)state;
	(void)error_set(&why, ETIMEDOUT, "no answer in time");
	number = call(a, "guest-slow", &slow);
	(void)call(a, "guest-next", &next);
	answer_sync(a, SEED + 1);
	(void)heard(a);
	qmp_agent_cancel(a, number, &why);
	assert_int_equal(slow.n, 1);
	assert_int_equal(slow.code, ETIMEDOUT);
	qmp_agent_cancel(a, number, &why);
	assert_int_equal(slow.n, 1);
	say(a, "{\"return\": \"slow\"}\n");
	assert_int_equal(next.n, 0);
	answer_sync(a, SEED + 2);
	assert_string_equal(heard(a), "{\"execute\":\"guest-next\"}\n");
	say(a, "{\"return\": \"next\"}\n");
	assert_string_equal(next.result, "\"next\"");
	qmp_agent_free(a);
}

/* One that waits its turn is taken out, and the one on the wire goes on. */
static void test_cancel_in_the_queue(void **state)
{
	struct qmp_agent *a = open_agent();
	struct outcome o[3] = {0};
	struct error why = ERROR_INIT;
	uint64_t number;

	(void)state;
	(void)error_set(&why, ETIMEDOUT, "no answer in time");
	(void)call(a, "guest-a", &o[0]);
	number = call(a, "guest-b", &o[1]);
	answer_sync(a, SEED + 1);
	(void)heard(a);
	qmp_agent_cancel(a, number, &why);
	assert_int_equal(o[1].code, ETIMEDOUT);
	/* The end of the list is where it should be. */
	(void)call(a, "guest-c", &o[2]);
	say(a, "{\"return\": 1}\n");
	assert_int_equal(o[0].code, 0);
	assert_string_equal(heard(a), "{\"execute\":\"guest-c\"}\n");
	say(a, "{\"return\": 3}\n");
	assert_string_equal(o[2].result, "3");
	qmp_agent_free(a);
}

static void test_sync_by_itself(void **state)
{
	struct qmp_agent *a = open_agent();
	struct outcome o[3] = {0};

	(void)state;
	assert_int_equal(qmp_agent_sync(a, on_reply, &o[0], NULL, NULL), 0);
	answer_sync(a, SEED + 1);
	assert_int_equal(o[0].n, 1);
	assert_int_equal(o[0].code, 0);
	/* In step already: it is asked all the same, for it may have gone since. */
	assert_int_equal(qmp_agent_sync(a, on_reply, &o[1], NULL, NULL), 0);
	(void)call(a, "guest-a", &o[2]);
	answer_sync(a, SEED + 2);
	assert_int_equal(o[1].n, 1);
	assert_string_equal(heard(a), "{\"execute\":\"guest-a\"}\n");
	qmp_agent_free(a);
}

static void test_bounds(void **state)
{
	struct qmp_agent *a = open_agent();
	cleanup_free char *flood = malloc(LINE_MAX_BYTES + 1);
	struct outcome o = {0}, other = {0};
	struct error err = ERROR_INIT;

	(void)state;
	assert_non_null(flood);
	memset(flood, ' ', LINE_MAX_BYTES + 1);
	(void)call(a, "guest-a", &o);
	/* A flood instead of the sync costs nothing. */
	for (int i = 0; i < 1000; i++)
		qmp_agent_push(a, flood, LINE_MAX_BYTES);
	qmp_agent_push(a, "\xff", 1);
	for (int i = 0; i < 1000; i++)
		qmp_agent_push(a, flood, LINE_MAX_BYTES);
	assert_int_equal(o.n, 0);
	answer_sync(a, SEED + 1);
	(void)heard(a);
	/* A line as long as may be, and one byte more. */
	memcpy(flood, "{\"return\":1}", 12);
	qmp_agent_push(a, flood, LINE_MAX_BYTES);
	assert_int_equal(o.n, 0);
	qmp_agent_push(a, "\n", 1);
	assert_int_equal(o.n, 1);
	assert_int_equal(o.code, 0);
	(void)call(a, "guest-b", &other);
	(void)heard(a);
	qmp_agent_push(a, flood, LINE_MAX_BYTES);
	assert_int_equal(other.n, 0);
	qmp_agent_push(a, " ", 1);
	assert_int_equal(other.n, 1);
	assert_int_equal(other.code, EMSGSIZE);
	qmp_agent_free(a);

	a = open_agent();
	for (int i = 0; i < 64; i++)
		(void)call(a, "guest-a", &o);
	assert_int_equal(qmp_agent_call(a, "guest-a", json_object(), NULL, NULL, NULL, &err),
			 -EBUSY);
	qmp_agent_free(a);
	assert_int_equal(o.n, 65);
}

static void test_much_to_send(void **state)
{
	cleanup_free char *large = malloc((9U << 20) + 1);
	struct qmp_agent *a = open_agent();
	struct error err = ERROR_INIT;

	(void)state;
	assert_non_null(large);
	memset(large, 'x', 9U << 20);
	large[9U << 20] = '\0';
	assert_int_equal(qmp_agent_call(a, "guest-file-write", json_pack("{s:s}", "buf", large),
					NULL, NULL, NULL, &err),
			 0);
	assert_int_equal(qmp_agent_call(a, "guest-file-write", json_pack("{s:s}", "buf", large),
					NULL, NULL, NULL, &err),
			 -ENOBUFS);
	qmp_agent_free(a);
}

static void test_callbacks_may_do_what_they_like(void **state)
{
	struct qmp_agent *a = open_agent();
	struct outcome freeing = {.free_agent = &a}, other = {0}, again = {0};
	struct error why = ERROR_INIT;

	(void)state;
	(void)call(a, "guest-a", &freeing);
	(void)call(a, "guest-b", &other);
	answer_sync(a, SEED + 1);
	say(a, "{\"return\": 1}\n{\"return\": 2}\n");
	assert_null(a);
	assert_int_equal(freeing.n, 1);
	assert_int_equal(other.code, ECANCELED);

	a = open_agent();
	again.call_again = a;
	(void)error_set(&why, ECONNRESET, "gone");
	(void)call(a, "guest-a", &again);
	/* Fails what waits, not what its callbacks ask. */
	qmp_agent_fail(a, &why);
	assert_int_equal(again.n, 1);
	assert_int_equal(again.code, ECONNRESET);
	answer_sync(a, SEED + 2);
	assert_string_equal(heard(a), "{\"execute\":\"guest-again\"}\n");
	again.n = 0;
	(void)call(a, "guest-a", &again);
	/* And none is taken any more while it is freed. */
	qmp_agent_free(a);
	assert_int_equal(again.n, 1);
	qmp_agent_free(NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_calls_in_sequence),
		cmocka_unit_test(test_arguments),
		cmocka_unit_test(test_what_is_old_is_passed_over),
		cmocka_unit_test(test_any_chunks),
		cmocka_unit_test(test_what_is_no_answer),
		cmocka_unit_test(test_unasked),
		cmocka_unit_test(test_answered_twice),
		cmocka_unit_test(test_late_answer),
		cmocka_unit_test(test_cancel_in_the_queue),
		cmocka_unit_test(test_sync_by_itself),
		cmocka_unit_test(test_bounds),
		cmocka_unit_test(test_much_to_send),
		cmocka_unit_test(test_callbacks_may_do_what_they_like),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
