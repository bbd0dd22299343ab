/* SPDX-License-Identifier: MIT */
/* The first words between client and peer. */
#include "peer.h"

static void test_handshake(void **state)
{
	struct peer p;

	(void)state;
	peer_open(&p);
	peer_spin(&p);
	/* The peer speaks first. */
	assert_string_equal(peer_heard(&p), "");
	peer_say(&p, GREETING);
	assert_string_equal(peer_heard(&p), NEGOTIATE);
	peer_say(&p, NEGOTIATED);
	assert_int_equal(p.n_ready, 1);
	assert_string_equal(peer_heard(&p), "");
	assert_int_equal(p.n_closed, 0);
	peer_close(&p);
}

/* `ready` promises that the handshake is over, not that it began. */
static void test_ready_comes_after_the_answer(void **state)
{
	struct peer p;

	(void)state;
	peer_open(&p);
	peer_say(&p, GREETING);
	assert_int_equal(p.n_ready, 0);
	peer_say(&p, NEGOTIATED);
	assert_int_equal(p.n_ready, 1);
	peer_close(&p);
}

static void test_calls_wait_for_the_handshake(void **state)
{
	struct outcome a = {0}, b = {0};
	struct peer p;

	(void)state;
	peer_open(&p);
	peer_call(&p, "query-status", 0, &a);
	peer_call(&p, "cont", 0, &b);
	peer_spin(&p);
	assert_string_equal(peer_heard(&p), "");
	assert_int_equal(qmp_client_pending(p.client), 2);
	peer_say(&p, GREETING);
	assert_string_equal(peer_heard(&p), NEGOTIATE);
	peer_say(&p, NEGOTIATED);
	assert_string_equal(peer_heard(&p), "{\"execute\":\"query-status\",\"id\":1}"
					    "{\"execute\":\"cont\",\"id\":2}");
	peer_say(&p, "{\"return\": {\"running\": false}, \"id\": 1}\r\n"
		     "{\"return\": {}, \"id\": 2}\r\n");
	assert_int_equal(a.n, 1);
	assert_true(json_is_false(json_object_get(a.result, "running")));
	assert_int_equal(b.n, 1);
	assert_int_equal(qmp_client_pending(p.client), 0);
	outcome_clear(&a);
	outcome_clear(&b);
	peer_close(&p);
}

/* Nobody else's answer comes before the negotiation is over. */
static void test_everything_in_one_piece(void **state)
{
	struct outcome a = {0};
	struct peer p;

	(void)state;
	peer_open(&p);
	peer_call(&p, "cont", 0, &a);
	peer_say(&p, GREETING NEGOTIATED "{\"return\": {}, \"id\": 1}\r\n");
	assert_int_equal(a.n, 1);
	assert_int_equal(a.code, 0);
	assert_string_equal(peer_heard(&p), NEGOTIATE "{\"execute\":\"cont\",\"id\":1}");
	outcome_clear(&a);
	peer_close(&p);
}

static void test_arguments_are_sent_and_stolen(void **state)
{
	json_t *args = json_pack("{s:s s:i}", "path", "/a,\"b\"\n", "value", 3);
	struct peer p;

	(void)state;
	peer_ready(&p);
	assert_int_equal(qmp_client_call(p.client, "qom-set", json_incref(args), NULL, 0, 0, NULL,
					 NULL, NULL),
			 0);
	peer_spin(&p);
	assert_string_equal(peer_heard(&p), "{\"execute\":\"qom-set\",\"id\":1,\"arguments\":"
					    "{\"path\":\"/a,\\\"b\\\"\\n\",\"value\":3}}");
	assert_int_equal(args->refcount, 1);
	/* Also on failure, and nobody needs the answer. */
	peer_say(&p, "{\"return\": {}, \"id\": 1}\r\n");
	close_fd(&p.fd);
	peer_spin(&p);
	assert_int_equal(qmp_client_call(p.client, "qom-set", json_incref(args), NULL, 0, 0, NULL,
					 NULL, NULL),
			 -ECONNRESET);
	assert_int_equal(args->refcount, 1);
	json_decref(args);
	peer_close(&p);
}

static void test_bad_handshakes(void **state)
{
	static const char *const rows[] = {
		"{\"QMP\": 7}\r\n",
		"{\"hello\": {}}\r\n",
		"{\"return\": {}, \"id\": 0}\r\n",
		"{\"error\": {\"class\": \"GenericError\", \"desc\": \"full\"}}\r\n",
		"SSH-2.0-OpenSSH\r\n",
		"[]\r\n",
		GREETING GREETING,
		GREETING
		"{\"error\": {\"class\": \"GenericError\", \"desc\": \"no\"}, \"id\": 0}\r\n",
		GREETING "{\"error\": 7, \"id\": 0}\r\n",
		GREETING NEGOTIATED GREETING,
		GREETING NEGOTIATED "{}\r\n",
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct outcome a = {0};
		struct peer p;

		peer_open(&p);
		peer_call(&p, "cont", 0, &a);
		peer_say(&p, rows[i]);
		if (p.n_closed != 1 || a.n != 1)
			fail_msg("row %zu: closed %d times, completed %d times", i, p.n_closed,
				 a.n);
		assert_int_equal(p.closed_code, EPROTO);
		assert_int_equal(a.code, EPROTO);
		assert_int_equal(p.replies_at_close, 1);
		assert_int_equal(p.n_ready, i >= 9 ? 1 : 0);
		peer_close(&p);
	}
}

static void test_silence_before_the_greeting(void **state)
{
	struct outcome a = {0};
	struct peer p;

	(void)state;
	peer_open(&p);
	peer_call(&p, "cont", 1, &a);
	peer_wait(&p, &a);
	assert_int_equal(a.code, ETIMEDOUT);
	/* The client itself has more patience. */
	assert_int_equal(p.n_closed, 0);
	peer_say(&p, GREETING NEGOTIATED);
	assert_int_equal(p.n_ready, 1);
	peer_close(&p);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_handshake),
		cmocka_unit_test(test_ready_comes_after_the_answer),
		cmocka_unit_test(test_calls_wait_for_the_handshake),
		cmocka_unit_test(test_everything_in_one_piece),
		cmocka_unit_test(test_arguments_are_sent_and_stolen),
		cmocka_unit_test(test_bad_handshakes),
		cmocka_unit_test(test_silence_before_the_greeting),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
