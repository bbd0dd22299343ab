/* SPDX-License-Identifier: MIT */
/* Calls and their answers. */
#include "peer.h"

static void test_answers_out_of_order(void **state)
{
	struct outcome o[3] = {0};
	struct peer p;

	(void)state;
	peer_ready(&p);
	for (size_t i = 0; i < 3; i++)
		peer_call(&p, "query-status", 0, &o[i]);
	peer_say(&p, "{\"return\": {\"n\": 3}, \"id\": 3}\r\n");
	assert_int_equal(o[2].n, 1);
	assert_int_equal(qmp_client_pending(p.client), 2);
	peer_say(&p,
		 "{\"id\": 1, \"return\": {\"n\": 1}}\r\n{\"return\": {\"n\": 2}, \"id\": 2}\r\n");
	for (size_t i = 0; i < 3; i++) {
		assert_int_equal(o[i].n, 1);
		assert_int_equal(o[i].code, 0);
		assert_int_equal(json_integer_value(json_object_get(o[i].result, "n")), i + 1);
		outcome_clear(&o[i]);
	}
	assert_int_equal(qmp_client_pending(p.client), 0);
	peer_close(&p);
}

/* Every order of four answers, each with the call after it already made. */
static void test_every_order(void **state)
{
	(void)state;
	for (unsigned code = 0; code < 256; code++) {
		unsigned ids[4] = {code & 3, code >> 2 & 3, code >> 4 & 3, code >> 6 & 3};
		struct outcome o[5] = {0};
		struct peer p;

		if ((1u << ids[0] | 1u << ids[1] | 1u << ids[2] | 1u << ids[3]) != 15)
			continue;
		peer_ready(&p);
		for (size_t i = 0; i < 4; i++)
			peer_call(&p, "stop", 0, &o[i]);
		for (size_t i = 0; i < 4; i++) {
			char line[64];

			(void)str_format(line, sizeof(line), "{\"return\": {}, \"id\": %u}\r\n",
					 ids[i] + 1);
			peer_say(&p, line);
			assert_int_equal(o[ids[i]].n, 1);
			assert_int_equal(o[ids[i]].order, i + 1);
		}
		/* The list's end is still where it was. */
		peer_call(&p, "stop", 0, &o[4]);
		peer_say(&p, "{\"return\": {}, \"id\": 1}\r\n");
		assert_int_equal(qmp_client_pending(p.client), 0);
		for (size_t i = 0; i < 5; i++) {
			assert_int_equal(o[i].n, 1);
			outcome_clear(&o[i]);
		}
		peer_close(&p);
	}
}

static void test_wrong_ids_answer_nobody(void **state)
{
	static const char *const rows[] = {
		"{\"return\": {}}\r\n",
		"{\"return\": {}, \"id\": 99}\r\n",
		"{\"return\": {}, \"id\": 0}\r\n",
		"{\"return\": {}, \"id\": -1}\r\n",
		"{\"return\": {}, \"id\": \"1\"}\r\n",
		"{\"return\": {}, \"id\": 1.0}\r\n",
		"{\"return\": {}, \"id\": null}\r\n",
		"{\"return\": {}, \"id\": [1]}\r\n",
		"{\"return\": {}, \"id\": 18446744073709551617}\r\n",
		"{\"error\": {\"class\": \"GenericError\", \"desc\": \"x\"}}\r\n",
		"{\"error\": {\"class\": \"GenericError\", \"desc\": \"x\"}, \"id\": 2}\r\n",
	};
	struct outcome a = {0};
	struct peer p;

	(void)state;
	peer_ready(&p);
	peer_call(&p, "cont", 0, &a);
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
		peer_say(&p, rows[i]);
	assert_int_equal(a.n, 0);
	assert_int_equal(p.n_closed, 0);
	peer_say(&p, "{\"return\": {}, \"id\": 1}\r\n");
	assert_int_equal(a.n, 1);
	/* A second answer to the same call is nobody's. */
	peer_say(&p, "{\"return\": {}, \"id\": 1}\r\n");
	assert_int_equal(a.n, 1);
	assert_int_equal(p.n_closed, 0);
	outcome_clear(&a);
	peer_close(&p);
}

static void test_errors(void **state)
{
	static const struct {
		const char *error;
		int code;
		const char *class, *text;
	} rows[] = {
		{"{\"class\": \"GenericError\", \"desc\": \"no such file\"}", EREMOTEIO,
		 "GenericError", "no such file"},
		{"{\"class\": \"CommandNotFound\", \"desc\": \"what?\"}", ENOENT, "CommandNotFound",
		 "what?"},
		{"{\"class\": \"DeviceNotFound\", \"desc\": \"gone\"}", ENOENT, "DeviceNotFound",
		 "gone"},
		{"{\"class\": \"DeviceNotActive\", \"desc\": \"\"}", ENODEV, "DeviceNotActive", ""},
		{"{\"desc\": \"classless\"}", EREMOTEIO, "GenericError", "classless"},
		{"{\"class\": \"X\"}", EREMOTEIO, "X", "no reason given"},
		{"{\"class\": 1, \"desc\": 2}", EREMOTEIO, "GenericError", "no reason given"},
		{"7", EREMOTEIO, "GenericError", "no reason given"},
		{"{\"class\": \"Y\", \"desc\": \"100%s %n\"}", EREMOTEIO, "Y", "100%s %n"},
	};
	struct peer p;

	(void)state;
	peer_ready(&p);
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		cleanup_free char *line =
			str_printf("{\"id\": 1, \"error\": %s}\r\n", rows[i].error);
		struct outcome o = {0};

		peer_call(&p, "eject", 0, &o);
		peer_say(&p, line);
		assert_int_equal(o.n, 1);
		assert_int_equal(o.code, rows[i].code);
		assert_string_equal(o.class, rows[i].class);
		assert_string_equal(o.text, rows[i].text);
	}
	assert_int_equal(p.n_closed, 0);
	peer_close(&p);
}

static void test_silence_is_a_timeout(void **state)
{
	struct outcome patient = {0}, brief = {0}, briefer = {0};
	struct peer p;

	(void)state;
	peer_ready(&p);
	peer_call(&p, "stop", 0, &patient);
	peer_call(&p, "stop", 2, &brief);
	peer_call(&p, "stop", 1, &briefer);
	peer_wait(&p, &brief);
	peer_wait(&p, &briefer);
	assert_int_equal(brief.code, ETIMEDOUT);
	assert_int_equal(briefer.code, ETIMEDOUT);
	assert_int_equal(patient.n, 0);
	assert_int_equal(p.n_closed, 0);
	/* The late answer is nobody's, and the connection goes on. */
	peer_say(&p, "{\"return\": {}, \"id\": 2}\r\n{\"return\": {}, \"id\": 1}\r\n");
	assert_int_equal(brief.n, 1);
	assert_int_equal(patient.n, 1);
	assert_int_equal(patient.code, 0);
	outcome_clear(&patient);
	peer_close(&p);
}

/* Whose time ran out may be answered still: its id is nobody else's before. */
static void test_ids_are_short_and_nobody_elses(void **state)
{
	struct outcome late = {0}, next = {0};
	struct peer p;

	(void)state;
	peer_ready(&p);
	peer_call(&p, "stop", 1, &late);
	peer_wait(&p, &late);
	(void)peer_heard(&p);
	peer_call(&p, "cont", 0, &next);
	assert_string_equal(peer_heard(&p), "{\"execute\":\"cont\",\"id\":2}");
	peer_say(&p, "{\"return\": {\"late\": 1}, \"id\": 1}\r\n");
	assert_int_equal(next.n, 0);
	peer_call(&p, "quit", 0, &late);
	assert_string_equal(peer_heard(&p), "{\"execute\":\"quit\",\"id\":1}");
	peer_say(&p, "{\"return\": {}, \"id\": 2}\r\n");
	assert_int_equal(next.n, 1);
	outcome_clear(&next);
	peer_close(&p);
}

static void test_answer_in_time_stops_the_clock(void **state)
{
	struct outcome a = {0}, b = {0};
	struct peer p;

	(void)state;
	peer_ready(&p);
	peer_call(&p, "stop", 3600 * 1000, &a);
	peer_call(&p, "stop", 1, &b);
	peer_spin(&p);
	peer_say(&p, "{\"return\": {}, \"id\": 1}\r\n");
	assert_int_equal(a.n, 1);
	assert_int_equal(a.code, 0);
	peer_wait(&p, &b);
	assert_int_equal(b.n, 1);
	outcome_clear(&a);
	outcome_clear(&b);
	peer_close(&p);
}

static void make_another(json_t *result, const char *class, const struct error *err, void *arg)
{
	struct outcome *o = arg;

	peer_on_reply(result, class, err, arg);
	if (o->n < 3 && !err)
		assert_int_equal(qmp_client_call(o->peer->client, "stop", NULL, NULL, 0, 0,
						 make_another, o, NULL),
				 0);
}

static void test_calls_from_callbacks(void **state)
{
	struct outcome o = {0};
	struct peer p;

	(void)state;
	peer_ready(&p);
	o.peer = &p;
	assert_int_equal(
		qmp_client_call(p.client, "stop", NULL, NULL, 0, 0, make_another, &o, NULL), 0);
	/* Never called back from within the call itself. */
	assert_int_equal(o.n, 0);
	peer_say(&p, "{\"return\": {}, \"id\": 1}\r\n{\"return\": {}, \"id\": 1}\r\n"
		     "{\"return\": {}, \"id\": 1}\r\n");
	assert_int_equal(o.n, 3);
	assert_int_equal(qmp_client_pending(p.client), 0);
	outcome_clear(&o);
	peer_close(&p);
}

static void test_bound_of_pending_calls(void **state)
{
	static struct outcome o[4096];
	struct error err = ERROR_INIT;
	struct peer p;

	(void)state;
	peer_open(&p);
	for (size_t i = 0; i < ARRAY_SIZE(o); i++)
		peer_call(&p, "stop", 0, &o[i]);
	assert_int_equal(
		qmp_client_call(p.client, "stop", NULL, NULL, 0, 0, peer_on_reply, NULL, &err),
		-EBUSY);
	assert_int_equal(err.code, EBUSY);
	assert_int_equal(qmp_client_pending(p.client), 4096);
	close_fd(&p.fd);
	peer_spin(&p);
	for (size_t i = 0; i < ARRAY_SIZE(o); i++) {
		assert_int_equal(o[i].n, 1);
		assert_int_equal(o[i].code, ECONNRESET);
	}
	assert_int_equal(p.n_closed, 1);
	peer_close(&p);
}

/* A peer that does not read: what waits for it is bounded. */
static void test_bound_of_output(void **state)
{
	cleanup_free char *blob = malloc(1024 * 1024 + 1);
	struct outcome o[32] = {0};
	struct peer p;
	size_t n = 0;
	int rc = 0;

	(void)state;
	assert_non_null(blob);
	memset(blob, 'x', 1024 * 1024);
	blob[1024 * 1024] = '\0';
	peer_ready(&p);
	for (; n < ARRAY_SIZE(o) && rc == 0; n++) {
		o[n].peer = &p;
		rc = qmp_client_call(p.client, "x", json_pack("{s:s}", "blob", blob), NULL, 0, 0,
				     peer_on_reply, &o[n], NULL);
		peer_spin(&p);
	}
	assert_int_equal(rc, -ENOBUFS);
	assert_true(n > 16 && n < 20);
	assert_int_equal(p.n_closed, 0);
	close_fd(&p.fd);
	peer_spin(&p);
	for (size_t i = 0; i + 1 < n; i++)
		assert_int_equal(o[i].n, 1);
	assert_int_equal(o[n - 1].n, 0);
	peer_close(&p);
}

/* What was sent is no longer counted. */
static void test_much_output_in_all(void **state)
{
	cleanup_free char *blob = malloc(1024 * 1024 + 1);
	struct outcome o = {0};
	struct peer p;

	(void)state;
	assert_non_null(blob);
	memset(blob, 'x', 1024 * 1024);
	blob[1024 * 1024] = '\0';
	peer_ready(&p);
	for (int i = 1; i <= 20; i++) {
		o.peer = &p;
		assert_int_equal(qmp_client_call(p.client, "x", json_pack("{s:s}", "blob", blob),
						 NULL, 0, 0, peer_on_reply, &o, NULL),
				 0);
		do
			peer_spin(&p);
		while (*peer_heard(&p));
		peer_say(&p, "{\"return\": {}, \"id\": 1}\n");
		assert_int_equal(o.n, i);
	}
	outcome_clear(&o);
	peer_close(&p);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_answers_out_of_order),
		cmocka_unit_test(test_every_order),
		cmocka_unit_test(test_wrong_ids_answer_nobody),
		cmocka_unit_test(test_errors),
		cmocka_unit_test(test_silence_is_a_timeout),
		cmocka_unit_test(test_ids_are_short_and_nobody_elses),
		cmocka_unit_test(test_answer_in_time_stops_the_clock),
		cmocka_unit_test(test_calls_from_callbacks),
		cmocka_unit_test(test_bound_of_pending_calls),
		cmocka_unit_test(test_bound_of_output),
		cmocka_unit_test(test_much_output_in_all),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
