/* SPDX-License-Identifier: MIT */
/* Calls that wait: the peer answers each before it is made, so nobody does. */
#include "peer.h"

#include "qmp/sync.h"

static struct qmp_sync *open_sync(const char *said, int *ret_peer)
{
	struct qmp_sync *s;
	int fd;

	log_set_level(LOG_LEVEL_ERROR);
	assert_int_equal(fd_socketpair(ret_peer, &fd, NULL), 0);
	assert_int_equal(send(*ret_peer, said, strlen(said), MSG_NOSIGNAL), (int)strlen(said));
	assert_int_equal(qmp_sync_open(fd, &s, NULL), 0);
	return s;
}

static void say(int peer, const char *text)
{
	assert_int_equal(send(peer, text, strlen(text), MSG_NOSIGNAL), (int)strlen(text));
}

static void test_calls_one_after_another(void **state)
{
	struct error err = ERROR_INIT;
	cleanup_close int peer = -1;
	json_t *result = NULL;
	char heard[512] = "";
	struct qmp_sync *s;

	(void)state;
	s = open_sync(GREETING NEGOTIATED "{\"event\": \"STOP\"}\r\n"
					  "{\"return\": {\"running\": true}, \"id\": 1}\r\n",
		      &peer);
	assert_int_equal(qmp_sync_call(s, "query-status", NULL, 0, &result, &err), 0);
	assert_true(json_is_true(json_object_get(result, "running")));
	json_decref(result);
	result = NULL;
	say(peer, "{\"error\": {\"class\": \"DeviceNotFound\", \"desc\": \"no nic7\"}, "
		  "\"id\": 1}\r\n");
	assert_int_equal(
		qmp_sync_call(s, "device_del", json_pack("{s:s}", "id", "nic7"), 0, &result, &err),
		-ENOENT);
	assert_int_equal(err.code, ENOENT);
	assert_string_equal(err.text, "no nic7");
	assert_null(result);
	/* The guest agent's silence, and not its refusal. */
	say(peer, "{\"error\": {\"class\": \"DeviceNotActive\", \"desc\": \"silent\"}, "
		  "\"id\": 1}\r\n");
	assert_int_equal(qmp_sync_call(s, "hv-agent", NULL, 0, NULL, &err), -ENODEV);
	assert_int_equal(err.code, ENODEV);
	assert_string_equal(err.text, "silent");
	/* Nobody has to take the result. */
	say(peer, "{\"return\": {}, \"id\": 1}\r\n");
	assert_int_equal(qmp_sync_call(s, "cont", NULL, 0, NULL, NULL), 0);
	assert_true(recv(peer, heard, sizeof(heard) - 1, MSG_DONTWAIT) > 0);
	assert_string_equal(heard, NEGOTIATE
			    "{\"execute\":\"query-status\",\"id\":1}"
			    "{\"execute\":\"device_del\",\"id\":1,\"arguments\":{\"id\":\"nic7\"}}"
			    "{\"execute\":\"hv-agent\",\"id\":1}"
			    "{\"execute\":\"cont\",\"id\":1}");
	qmp_sync_close(s);
}

static void test_silence(void **state)
{
	static const char *const said[] = {"", GREETING, GREETING NEGOTIATED,
					   GREETING NEGOTIATED "{\"return\": {}, \"id\": 7}\r\n"};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(said); i++) {
		struct error err = ERROR_INIT;
		cleanup_close int peer = -1;
		struct qmp_sync *s = open_sync(said[i], &peer);

		assert_int_equal(qmp_sync_call(s, "stop", NULL, 1, NULL, &err), -ETIMEDOUT);
		assert_int_equal(err.code, ETIMEDOUT);
		qmp_sync_close(s);
	}
}

static void test_peer_goes(void **state)
{
	static const struct {
		const char *said;
		int code;
	} rows[] = {
		{"", ECONNRESET},
		{GREETING, ECONNRESET},
		{GREETING NEGOTIATED, ECONNRESET},
		{GREETING NEGOTIATED "{\"return\": {}, \"id\": 1}", ECONNRESET},
		{"nonsense\r\n", EPROTO},
		{GREETING "{\"error\": {\"desc\": \"no\"}}\r\n", EPROTO},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct error err = ERROR_INIT;
		int peer;
		struct qmp_sync *s = open_sync(rows[i].said, &peer);

		assert_int_equal(shutdown(peer, SHUT_WR), 0);
		assert_int_equal(qmp_sync_call(s, "stop", json_object(), 0, NULL, &err),
				 -rows[i].code);
		assert_int_equal(err.code, rows[i].code);
		/* And it stays so. */
		assert_int_equal(qmp_sync_call(s, "stop", json_object(), 0, NULL, &err),
				 -ECONNRESET);
		qmp_sync_close(s);
		close(peer);
	}
}

static int on_wish(sd_event_source *source, uint64_t usec, void *userdata)
{
	(void)source;
	return qmp_sync_wait_until(userdata, usec, NULL);
}

/* One that is told meanwhile to wait no longer does not, and later ones neither. */
static void test_end_of_waiting(void **state)
{
	struct error err = ERROR_INIT;
	cleanup_close int peer = -1;
	struct qmp_sync *s = open_sync(GREETING NEGOTIATED, &peer);

	(void)state;
	assert_int_equal(qmp_sync_wait_until(s, UINT64_MAX - 1, &err), 0);
	assert_true(sd_event_add_time_relative(qmp_sync_loop(s), NULL, CLOCK_MONOTONIC, 1, 0,
					       on_wish, s) >= 0);
	assert_int_equal(qmp_sync_call(s, "stop", NULL, 0, NULL, &err), -ETIMEDOUT);
	assert_int_equal(err.code, ETIMEDOUT);
	assert_int_equal(qmp_sync_wait_until(s, UINT64_MAX - 1, &err), 0);
	assert_int_equal(qmp_sync_call(s, "stop", NULL, 0, NULL, &err), -ETIMEDOUT);
	/* It goes, with what is still asked. */
	qmp_sync_close(s);
}

static void test_late_answer_is_not_the_next_ones(void **state)
{
	cleanup_close int peer = -1;
	json_t *result = NULL;
	struct qmp_sync *s = open_sync(GREETING NEGOTIATED, &peer);

	(void)state;
	assert_int_equal(qmp_sync_call(s, "stop", NULL, 1, NULL, NULL), -ETIMEDOUT);
	say(peer, "{\"return\": {\"n\": 1}, \"id\": 1}\r\n{\"return\": {\"n\": 2}, \"id\": 2}\r\n");
	assert_int_equal(qmp_sync_call(s, "stop", NULL, 0, &result, NULL), 0);
	assert_int_equal(json_integer_value(json_object_get(result, "n")), 2);
	json_decref(result);
	qmp_sync_close(s);
	qmp_sync_close(NULL);
}

static void keep_event(const char *name, json_t *message, void *arg)
{
	char *kept = arg;

	assert_true(json_is_object(message));
	(void)str_format(kept + strlen(kept), 32 - strlen(kept), "%s ", name);
}

/* Another call's wait, or a turn: whichever comes first hears them. */
static void test_events_come_while_it_waits(void **state)
{
	struct error err = ERROR_INIT;
	cleanup_close int peer = -1;
	char heard[32] = "";
	struct qmp_sync *s;
	int fd;

	(void)state;
	assert_int_equal(fd_socketpair(&peer, &fd, NULL), 0);
	say(peer, GREETING NEGOTIATED "{\"event\": \"STOP\"}\r\n{\"return\": {}, \"id\": 1}\r\n");
	assert_int_equal(qmp_sync_open_on(NULL, fd, keep_event, heard, &s, NULL), 0);
	assert_int_equal(qmp_sync_call(s, "stop", NULL, 0, NULL, NULL), 0);
	assert_string_equal(heard, "STOP ");
	say(peer, "{\"event\": \"RESUME\"}\r\n");
	assert_int_equal(qmp_sync_turn(s, UINT64_MAX, NULL), 0);
	assert_string_equal(heard, "STOP RESUME ");
	/* Nothing comes, and that is no failure. */
	assert_int_equal(qmp_sync_turn(s, 1, NULL), 0);
	assert_false(qmp_sync_is_closed(s));
	assert_int_equal(shutdown(peer, SHUT_WR), 0);
	assert_int_equal(qmp_sync_turn(s, UINT64_MAX, NULL), 0);
	assert_true(qmp_sync_is_closed(s));
	assert_true(qmp_sync_is_closed(NULL));
	assert_int_equal(qmp_sync_turn(s, UINT64_MAX, &err), -ECONNRESET);
	assert_string_equal(err.text, "the peer closed the connection");
	qmp_sync_close(s);
}

/* The caller's loop ends under a call: what it was to get has no place any more. */
static void test_loop_ends(void **state)
{
	cleanup_close int peer = -1;
	json_t *result = NULL;
	struct qmp_sync *s;
	sd_event *event;
	int fd;

	(void)state;
	assert_int_equal(fd_socketpair(&peer, &fd, NULL), 0);
	assert_true(sd_event_new(&event) >= 0);
	assert_int_equal(qmp_sync_open_on(event, fd, NULL, NULL, &s, NULL), 0);
	assert_true(sd_event_exit(event, 0) >= 0);
	assert_int_equal(qmp_sync_call(s, "stop", json_object(), 0, &result, NULL), -ESTALE);
	assert_int_equal(qmp_sync_turn(s, UINT64_MAX, NULL), -ESTALE);
	assert_null(result);
	qmp_sync_close(s);
	sd_event_unref(event);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_calls_one_after_another),
		cmocka_unit_test(test_silence),
		cmocka_unit_test(test_peer_goes),
		cmocka_unit_test(test_end_of_waiting),
		cmocka_unit_test(test_late_answer_is_not_the_next_ones),
		cmocka_unit_test(test_events_come_while_it_waits),
		cmocka_unit_test(test_loop_ends),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
