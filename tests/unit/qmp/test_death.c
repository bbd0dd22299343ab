/* SPDX-License-Identifier: MIT */
/* The end of a connection: the peer's, and the client's from its own callbacks. */
#include "peer.h"

static const char conversation[] =
	"{\"event\": \"EARLY\"}\r\n" GREETING "{\"event\": \"BETWEEN\"}\r\n" NEGOTIATED
	"{\"return\": {\"n\": 2}, \"id\": 2}\r\n"
	"{\"event\": \"STOP\", \"data\": {}}\r\n\r\n"
	"{\"error\": {\"class\": \"GenericError\", \"desc\": \"no\"}, "
	"\"id\": 1}\r\n"
	"{\"return\": 18446744073709551615, \"id\": 4}\r\n"
	"{\"return\": [], \"id\": 3}\r\n";

enum { CALLS = 4 };

static void open_with_calls(struct peer *p, struct outcome o[static CALLS])
{
	peer_open(p);
	for (size_t i = 0; i < CALLS; i++)
		peer_call(p, "stop", i == 2 ? 3600 * 1000 : 0, &o[i]);
}

static void expect_done_once(struct peer *p, struct outcome o[static CALLS], size_t cut)
{
	for (size_t i = 0; i < CALLS; i++) {
		if (o[i].n != 1)
			fail_msg("cut at %zu: call %zu completed %d times", cut, i, o[i].n);
		outcome_clear(&o[i]);
	}
	if (p->n_closed != 1)
		fail_msg("cut at %zu: closed %d times", cut, p->n_closed);
	assert_int_equal(p->replies_at_close, CALLS);
	assert_int_equal(p->closed_code, ECONNRESET);
	assert_int_equal(qmp_client_pending(p->client), 0);
}

/* With all that the client said read before, and with none of it. */
static void test_peer_dies_between_any_two_bytes(void **state)
{
	(void)state;
	for (size_t cut = 0; cut < sizeof(conversation); cut++) {
		for (int reads = 0; reads < 2; reads++) {
			struct outcome o[CALLS] = {0};
			struct peer p;

			open_with_calls(&p, o);
			peer_send_bytes(&p, conversation, cut);
			peer_spin(&p);
			if (reads)
				(void)peer_heard(&p);
			close_fd(&p.fd);
			peer_spin(&p);
			expect_done_once(&p, o, cut);
			peer_close(&p);
		}
	}
}

/* The last bytes and the end are there before the client looks. */
static void test_last_words_are_heard(void **state)
{
	(void)state;
	for (size_t cut = 0; cut < sizeof(conversation); cut++) {
		struct outcome o[CALLS] = {0};
		struct peer p;

		open_with_calls(&p, o);
		peer_send_bytes(&p, conversation, cut);
		assert_int_equal(shutdown(p.fd, SHUT_WR), 0);
		peer_spin(&p);
		if (cut == sizeof(conversation) - 1) {
			assert_int_equal(o[0].code, EREMOTEIO);
			assert_int_equal(o[1].code, 0);
			assert_int_equal(o[2].code, 0);
			assert_int_equal(o[3].code, 0);
			assert_int_equal(p.n_events, 3);
		}
		expect_done_once(&p, o, cut);
		peer_close(&p);
	}
}

static void test_conversation_in_two_pieces(void **state)
{
	(void)state;
	for (size_t cut = 0; cut < sizeof(conversation); cut++) {
		struct outcome o[CALLS] = {0};
		struct peer p;

		open_with_calls(&p, o);
		peer_send_bytes(&p, conversation, cut);
		peer_spin(&p);
		peer_send_bytes(&p, conversation + cut, sizeof(conversation) - 1 - cut);
		peer_spin(&p);
		assert_int_equal(p.n_closed, 0);
		assert_int_equal(p.n_ready, 1);
		assert_int_equal(p.n_events, 3);
		for (size_t i = 0; i < CALLS; i++) {
			if (o[i].n != 1 || o[i].code != (i ? 0 : EREMOTEIO))
				fail_msg("cut at %zu: call %zu completed %d times with %d", cut, i,
					 o[i].n, o[i].code);
			outcome_clear(&o[i]);
		}
		assert_int_equal(qmp_client_pending(p.client), 0);
		peer_close(&p);
	}
}

static void test_owner_frees_with_calls_pending(void **state)
{
	struct outcome o[CALLS] = {0};
	struct peer p;

	(void)state;
	open_with_calls(&p, o);
	peer_say(&p, GREETING NEGOTIATED);
	peer_free_client(&p);
	for (size_t i = 0; i < CALLS; i++) {
		assert_int_equal(o[i].n, 1);
		assert_int_equal(o[i].code, ECANCELED);
	}
	assert_int_equal(p.n_closed, 0);
	/* The peer sees the end. */
	(void)peer_heard(&p);
	assert_int_equal(recv(p.fd, &p, 1, MSG_DONTWAIT), 0);
	peer_spin(&p);
	peer_close(&p);
}

/* Each callback may free the client; then nothing more is told. */
static void test_callbacks_free_the_client(void **state)
{
	static const struct {
		const char *what;
		bool on_ready, on_event, on_closed, on_reply;
		int n_events, n_closed;
		int codes[CALLS];
	} rows[] = {
		{"ready",
		 true,
		 false,
		 false,
		 false,
		 2,
		 0,
		 {ECANCELED, ECANCELED, ECANCELED, ECANCELED}},
		{"event",
		 false,
		 true,
		 false,
		 false,
		 1,
		 0,
		 {ECANCELED, ECANCELED, ECANCELED, ECANCELED}},
		{"reply", false, false, false, true, 2, 0, {ECANCELED, 0, ECANCELED, ECANCELED}},
		{"closed", false, false, true, false, 3, 1, {EREMOTEIO, 0, 0, 0}},
	};

	(void)state;
	for (size_t row = 0; row < ARRAY_SIZE(rows); row++) {
		struct outcome o[CALLS] = {0};
		struct peer p;

		open_with_calls(&p, o);
		p.free_on_ready = rows[row].on_ready;
		p.free_on_event = rows[row].on_event;
		p.free_on_closed = rows[row].on_closed;
		o[1].free_client = rows[row].on_reply;
		peer_send_bytes(&p, conversation, sizeof(conversation) - 1);
		assert_int_equal(shutdown(p.fd, SHUT_WR), 0);
		peer_spin(&p);
		assert_null(p.client);
		assert_int_equal(p.n_events, rows[row].n_events);
		assert_int_equal(p.n_closed, rows[row].n_closed);
		for (size_t i = 0; i < CALLS; i++) {
			if (o[i].n != 1 || o[i].code != rows[row].codes[i])
				fail_msg("%s: call %zu completed %d times with %d", rows[row].what,
					 i, o[i].n, o[i].code);
			outcome_clear(&o[i]);
		}
		peer_close(&p);
	}
}

/* Freed by the first call that the peer's death completes. */
static void test_freed_while_calls_fail(void **state)
{
	struct outcome o[CALLS] = {0};
	struct peer p;

	(void)state;
	open_with_calls(&p, o);
	peer_say(&p, GREETING NEGOTIATED);
	o[0].free_client = true;
	close_fd(&p.fd);
	peer_spin(&p);
	assert_null(p.client);
	assert_int_equal(p.n_closed, 0);
	for (size_t i = 0; i < CALLS; i++)
		assert_int_equal(o[i].n, 1);
	peer_close(&p);
}

static void test_freed_by_a_timeout(void **state)
{
	struct outcome o[CALLS] = {0};
	struct peer p;

	(void)state;
	peer_ready(&p);
	for (size_t i = 0; i < CALLS; i++)
		peer_call(&p, "stop", i == 1 ? 1 : 3600 * 1000, &o[i]);
	o[1].free_client = true;
	peer_wait(&p, &o[1]);
	assert_null(p.client);
	for (size_t i = 0; i < CALLS; i++) {
		assert_int_equal(o[i].n, 1);
		assert_int_equal(o[i].code, i == 1 ? ETIMEDOUT : ECANCELED);
	}
	peer_spin(&p);
	assert_int_equal(p.n_closed, 0);
	peer_close(&p);
}

/* A callback of a dying connection asks for more. */
static void call_again(json_t *result, const char *class, const struct error *err, void *arg)
{
	struct outcome *o = arg;

	peer_on_reply(result, class, err, arg);
	assert_int_equal(
		qmp_client_call(o->peer->client, "stop", NULL, NULL, 0, 0, call_again, o, NULL),
		-ECONNRESET);
}

static void test_call_from_a_failing_call(void **state)
{
	struct outcome o = {0};
	struct peer p;

	(void)state;
	peer_ready(&p);
	o.peer = &p;
	assert_int_equal(qmp_client_call(p.client, "stop", NULL, NULL, 0, 0, call_again, &o, NULL),
			 0);
	close_fd(&p.fd);
	peer_spin(&p);
	assert_int_equal(o.n, 1);
	assert_int_equal(p.n_closed, 1);
	peer_close(&p);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_peer_dies_between_any_two_bytes),
		cmocka_unit_test(test_last_words_are_heard),
		cmocka_unit_test(test_conversation_in_two_pieces),
		cmocka_unit_test(test_owner_frees_with_calls_pending),
		cmocka_unit_test(test_callbacks_free_the_client),
		cmocka_unit_test(test_freed_while_calls_fail),
		cmocka_unit_test(test_freed_by_a_timeout),
		cmocka_unit_test(test_call_from_a_failing_call),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
