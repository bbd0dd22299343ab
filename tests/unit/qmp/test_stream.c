/* SPDX-License-Identifier: MIT */
/* What a peer may throw at the client: events, floods, halves, monsters. */
#include "peer.h"

#include <malloc.h>

static void test_events_before_and_between(void **state)
{
	struct outcome a = {0}, b = {0};
	struct peer p;

	(void)state;
	peer_open(&p);
	peer_call(&p, "cont", 0, &a);
	peer_call(&p, "stop", 0, &b);
	peer_say(&p, "{\"event\": \"EARLY\"}\r\n");
	assert_int_equal(p.n_events, 1);
	peer_say(&p, GREETING "{\"event\": \"NEGOTIATING\", \"data\": {}}\r\n");
	assert_int_equal(p.n_events, 2);
	assert_int_equal(p.n_ready, 0);
	peer_say(&p, NEGOTIATED);
	/* An id makes no answer of an event. */
	peer_say(&p, "{\"event\": \"RESUME\", \"id\": 1, \"return\": {}}\r\n");
	assert_int_equal(a.n, 0);
	peer_say(&p, "{\"return\": {}, \"id\": 1}\r\n{\"event\": \"STOP\", \"timestamp\": "
		     "{\"seconds\": 1, \"microseconds\": 2}}\r\n{\"return\": {}, \"id\": 2}\r\n");
	assert_int_equal(p.n_events, 4);
	assert_string_equal(p.last_event, "STOP");
	assert_int_equal(a.n, 1);
	assert_int_equal(b.n, 1);
	outcome_clear(&a);
	outcome_clear(&b);
	peer_close(&p);
}

/* An event whose name is no string is no event, and no answer either. */
static void test_event_without_a_name(void **state)
{
	struct peer p;

	(void)state;
	peer_ready(&p);
	peer_say(&p, "{\"event\": 7}\r\n");
	assert_int_equal(p.n_events, 0);
	assert_int_equal(p.n_closed, 1);
	assert_int_equal(p.closed_code, EPROTO);
	peer_close(&p);
}

static size_t heap_bytes(void)
{
	struct mallinfo2 info = mallinfo2();

	return __sanitizer_get_current_allocated_bytes ? __sanitizer_get_current_allocated_bytes()
						       : info.uordblks + info.hblkhd;
}

static void test_flood_of_events(void **state)
{
	enum { EVENTS = 100000, AT_ONCE = 10007 };
	static const char event[] =
		"{\"timestamp\": {\"seconds\": 1600000000, \"microseconds\": 7}, \"event\": "
		"\"BLOCK_IO_ERROR\", \"data\": {\"device\": \"disk0\", \"action\": \"stop\"}}\r\n";
	const size_t len = sizeof(event) - 1;
	cleanup_strbuf struct strbuf flood = {0};
	struct outcome a = {0};
	size_t before, most = 0, at = 0;
	struct peer p;

	(void)state;
	while (flood.len < AT_ONCE + len)
		strbuf_add(&flood, event, len);
	peer_ready(&p);
	peer_call(&p, "query-block", 0, &a);
	peer_spin(&p);
	before = heap_bytes();
	while (at < EVENTS * len) {
		size_t now;
		ssize_t n;

		/* The flood is always ahead: the socket is full, then comes one step,
		 * which ends in the middle of a line. */
		do {
			size_t part = EVENTS * len - at < AT_ONCE ? EVENTS * len - at : AT_ONCE;

			n = part ? send(p.fd, flood.data + at % len, part,
					MSG_NOSIGNAL | MSG_DONTWAIT)
				 : -1;
			at += n > 0 ? (size_t)n : 0;
		} while (n > 0);
		assert_true(sd_event_run(p.event, 0) >= 0);
		now = heap_bytes();
		most = now > before + most ? now - before : most;
	}
	peer_spin(&p);
	peer_say(&p, "{\"return\": [], \"id\": 1}\r\n");
	assert_int_equal(p.n_events, EVENTS);
	assert_int_equal(a.n, 1);
	assert_int_equal(p.n_closed, 0);
	assert_true(most < 1024 * 1024);
	outcome_clear(&a);
	peer_close(&p);
}

static void test_half_a_line_waits(void **state)
{
	struct outcome a = {0};
	struct peer p;

	(void)state;
	peer_ready(&p);
	peer_call(&p, "cont", 0, &a);
	peer_say(&p, "{\"return\": {}");
	peer_say(&p, ", \"id\": ");
	assert_int_equal(a.n, 0);
	peer_say(&p, "1}");
	assert_int_equal(a.n, 0);
	peer_say(&p, "\n");
	assert_int_equal(a.n, 1);
	outcome_clear(&a);
	peer_close(&p);
}

/* Half a line at the end of the stream is nothing. */
static void test_half_a_line_at_the_end(void **state)
{
	struct outcome a = {0};
	struct peer p;

	(void)state;
	peer_ready(&p);
	peer_call(&p, "cont", 0, &a);
	peer_say(&p, "{\"return\": {}, \"id\": 1}");
	close_fd(&p.fd);
	peer_spin(&p);
	assert_int_equal(a.n, 1);
	assert_int_equal(a.code, ECONNRESET);
	assert_int_equal(p.n_closed, 1);
	peer_close(&p);
}

static void test_line_of_100_megabytes(void **state)
{
	static char chunk[65536];
	const size_t wanted = 100 * 1024 * 1024;
	struct outcome o[3] = {0};
	struct peer p;
	size_t sent = 0;

	(void)state;
	memset(chunk, ' ', sizeof(chunk));
	peer_ready(&p);
	for (size_t i = 0; i < 3; i++)
		peer_call(&p, "query-block", 0, &o[i]);
	/* What came in order before it still counts. */
	peer_say(&p, "{\"return\": {}, \"id\": 2}\r\n{\"return\": \"");
	while (sent < wanted && !p.n_closed) {
		ssize_t n = send(p.fd, chunk, sizeof(chunk), MSG_NOSIGNAL | MSG_DONTWAIT);

		assert_true(n > 0 || errno == EAGAIN);
		sent += n > 0 ? (size_t)n : 0;
		assert_true(sd_event_run(p.event, 0) >= 0);
	}
	assert_true(sent < 10 * 1024 * 1024);
	assert_int_equal(p.n_closed, 1);
	assert_int_equal(p.closed_code, EMSGSIZE);
	assert_int_equal(p.replies_at_close, 3);
	for (size_t i = 0; i < 3; i++) {
		assert_int_equal(o[i].n, 1);
		assert_int_equal(o[i].code, i == 1 ? 0 : EMSGSIZE);
		outcome_clear(&o[i]);
	}
	assert_int_equal(
		qmp_client_call(p.client, "stop", NULL, NULL, 0, 0, peer_on_reply, NULL, NULL),
		-ECONNRESET);
	peer_close(&p);
}

/* A long line within the bound is an answer like any other. */
static void test_line_of_7_megabytes(void **state)
{
	static char chunk[65536];
	const size_t wanted = 7 * 1024 * 1024;
	struct outcome a = {0};
	size_t sent = 0, before;
	struct peer p;

	(void)state;
	memset(chunk, 'x', sizeof(chunk));
	peer_ready(&p);
	before = heap_bytes();
	peer_call(&p, "ringbuf-read", 0, &a);
	peer_say(&p, "{\"id\": 1, \"return\": \"");
	while (sent < wanted) {
		ssize_t n = send(p.fd, chunk, sizeof(chunk), MSG_NOSIGNAL | MSG_DONTWAIT);

		assert_true(n > 0 || errno == EAGAIN);
		sent += n > 0 ? (size_t)n : 0;
		peer_spin(&p);
	}
	peer_say(&p, "\"}\r\n");
	assert_int_equal(a.n, 1);
	assert_int_equal(json_string_length(a.result), sent);
	outcome_clear(&a);
	/* What it took is given back with the next bytes. */
	peer_say(&p, "{\"event\": \"STOP\"}\r\n");
	assert_int_equal(p.n_events, 1);
	assert_true(heap_bytes() < before + 1024 * 1024);
	peer_close(&p);
}

static void test_numbers_beyond_int64(void **state)
{
	struct outcome a = {0};
	struct peer p;

	(void)state;
	peer_ready(&p);
	peer_call(&p, "query-migrate", 0, &a);
	peer_say(&p, "{\"return\": {\"max\": 18446744073709551615, \"total\": "
		     "1152921504606846977}, \"id\": 1}\r\n");
	assert_int_equal(p.n_closed, 0);
	assert_int_equal(a.n, 1);
	assert_true(json_real_value(json_object_get(a.result, "max")) > 1.8e19);
	assert_int_equal(json_integer_value(json_object_get(a.result, "total")),
			 1152921504606846977);
	outcome_clear(&a);
	peer_close(&p);
}

static void test_what_is_not_qmp_ends_it(void **state)
{
	cleanup_strbuf struct strbuf deep = {0};
	const char *rows[] = {"nonsense\r\n",
			      "7\r\n",
			      "[]\r\n",
			      "{\"id\": 1}\r\n",
			      "{\"return\": {}, \"id\": 1, \"id\": 1}\r\n",
			      NULL};

	(void)state;
	strbuf_addf(&deep, "{\"id\": 1, \"return\": ");
	for (size_t i = 0; i < 50000; i++)
		strbuf_add(&deep, "{\"a\":", 5);
	strbuf_add(&deep, "\n", 1);
	rows[ARRAY_SIZE(rows) - 1] = deep.data;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct outcome a = {0};
		struct peer p;
		size_t at = 0, len = strlen(rows[i]);

		peer_ready(&p);
		peer_call(&p, "cont", 0, &a);
		while (at < len) {
			size_t part = len - at < 50000 ? len - at : 50000;

			peer_send_bytes(&p, rows[i] + at, part);
			peer_spin(&p);
			at += part;
		}
		assert_int_equal(a.n, 1);
		assert_int_equal(a.code, EPROTO);
		assert_int_equal(p.n_closed, 1);
		assert_int_equal(p.closed_code, EPROTO);
		peer_close(&p);
	}
}

static void test_blank_lines_are_nothing(void **state)
{
	struct peer p;

	(void)state;
	peer_ready(&p);
	peer_say(&p, "\r\n\n   \r\n\t\n");
	assert_int_equal(p.n_closed, 0);
	peer_close(&p);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_events_before_and_between),
		cmocka_unit_test(test_event_without_a_name),
		cmocka_unit_test(test_flood_of_events),
		cmocka_unit_test(test_half_a_line_waits),
		cmocka_unit_test(test_half_a_line_at_the_end),
		cmocka_unit_test(test_line_of_100_megabytes),
		cmocka_unit_test(test_line_of_7_megabytes),
		cmocka_unit_test(test_numbers_beyond_int64),
		cmocka_unit_test(test_what_is_not_qmp_ends_it),
		cmocka_unit_test(test_blank_lines_are_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
