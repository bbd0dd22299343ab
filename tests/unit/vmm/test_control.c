/* SPDX-License-Identifier: MIT */
/* The control socket's protocol. */
#include "control_peer.h"

static void test_greeting_and_negotiation(void **state)
{
	cleanup_close int fd = -1, later = -1;
	struct control_peer p;

	(void)state;
	control_peer_open(&p);
	fd = control_peer_connect(&p);
	assert_string_equal(
		control_peer_heard(fd),
		"{\"QMP\":{\"version\":{\"package\":\"test\"},\"capabilities\":[]}}\r\n");
	control_peer_say(&p, fd,
			 "{\"execute\": \"qmp_capabilities\", \"arguments\": "
			 "{\"enable\": []}, \"id\": \"n\"}\r\n");
	assert_string_equal(control_peer_heard(fd), "{\"return\":{},\"id\":\"n\"}\r\n");
	control_peer_say(&p, fd, "{\"execute\": \"qmp_capabilities\", \"id\": 2}\r\n");
	assert_non_null(strstr(control_peer_heard(fd), "CommandNotFound"));
	/* It goes on all the same. */
	control_peer_say(&p, fd, "{\"execute\": \"echo\"}\r\n");
	assert_string_equal(control_peer_heard(fd), "{\"return\":{}}\r\n");
	control_server_set_version(p.server, json_pack("{s:s}", "package", "later"));
	control_server_set_version(p.server, NULL);
	later = control_peer_connect(&p);
	assert_non_null(strstr(control_peer_heard(later), "\"later\""));
	control_peer_close(&p);
}

static void test_nothing_before_the_negotiation(void **state)
{
	static const char *const rows[] = {
		"{\"execute\": \"echo\", \"id\": 7}\r\n",
		"{\"execute\": \"hv-kill\", \"arguments\": {}, \"id\": 7}\r\n",
	};
	json_t *event = json_pack("{s:s}", "event", "STOP");
	cleanup_close int fd = -1;
	struct control_peer p;

	(void)state;
	control_peer_open(&p);
	fd = control_peer_connect(&p);
	(void)control_peer_heard(fd);
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		const char *heard;

		control_peer_say(&p, fd, rows[i]);
		heard = control_peer_heard(fd);
		assert_non_null(strstr(heard, "\"CommandNotFound\""));
		assert_non_null(strstr(heard, "\"id\":7"));
	}
	assert_int_equal(p.n_commands, 0);
	/* Events are for those who have negotiated. */
	control_peer_broadcast(&p, event);
	json_decref(event);
	control_peer_spin(&p);
	assert_string_equal(control_peer_heard(fd), "");
	control_peer_say(&p, fd, NEGOTIATE "{\"execute\": \"echo\"}\r\n");
	assert_int_equal(p.n_commands, 1);
	control_peer_close(&p);
}

static void test_ids_of_any_type(void **state)
{
	static const char *const ids[] = {
		"1",
		"-9223372036854775808",
		"18446744073709551615",
		"123456789012345678901234567890",
		"-0",
		"1.50",
		"1e2",
		"9223372036854775807",
		"1.5",
		"\"\"",
		"\"a\"",
		"\"\\u00fc\\n\"",
		"null",
		"true",
		"false",
		"[]",
		"[1, [2]]",
		"{}",
		"{\"a\": {\"b\": 1}}",
	};
	cleanup_close int fd = -1;
	struct control_peer p;

	(void)state;
	control_peer_open(&p);
	fd = control_peer_ready(&p);
	for (size_t i = 0; i < ARRAY_SIZE(ids); i++) {
		static const char *const commands[] = {"echo", "fail", "hold"};

		for (size_t j = 0; j < ARRAY_SIZE(commands); j++) {
			cleanup_free char *line = str_printf("{\"id\": %s, \"execute\": \"%s\"}\n",
							     ids[i], commands[j]);
			cleanup_free char *wanted = str_printf(",\"id\":%s}\r\n", ids[i]);
			const char *heard, *end;

			control_peer_say(&p, fd, line);
			if (p.n_held)
				control_reply(p.held[--p.n_held], NULL);
			heard = control_peer_heard(fd);
			assert_non_null(str_after(heard, j == 1 ? "{\"error\"" : "{\"return\""));
			end = strstr(heard, ",\"id\"");
			if (!end || !str_eq(end, wanted))
				fail_msg("id %s came back otherwise: %s", ids[i], heard);
		}
	}
	control_peer_say(&p, fd, "{\"execute\": \"echo\"}\n");
	assert_string_equal(control_peer_heard(fd), "{\"return\":{}}\r\n");
	control_peer_close(&p);
}

/* The words are a QEMU 7.2's. */
static void test_capabilities(void **state)
{
	static const struct {
		const char *enable, *answer;
	} rows[] = {
		{"{\"enable\": 7}", "Invalid parameter type for 'enable', expected: array"},
		{"{\"enable\": [7]}", "Invalid parameter type for 'enable[0]', expected: string"},
		{"{\"enable\": [\"x\"]}", "Parameter 'enable' does not accept value 'x'"},
		{"{\"foo\": 7}", "Parameter 'foo' is unexpected"},
		{"{\"enable\": [\"oob\"]}", "Capability oob not available"},
	};
	cleanup_close int plain = -1, fd = -1;
	struct control_peer p;

	(void)state;
	control_peer_open(&p);
	plain = control_peer_connect(&p);
	(void)control_peer_heard(plain);
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		cleanup_free char *line = str_printf(
			"{\"execute\": \"qmp_capabilities\", \"arguments\": %s}", rows[i].enable);
		cleanup_free char *wanted =
			str_printf("{\"error\":{\"class\":\"GenericError\",\"desc\":\"%s\"}}\r\n",
				   rows[i].answer);

		control_peer_say(&p, plain, line);
		assert_string_equal(control_peer_heard(plain), wanted);
	}
	control_peer_say(&p, plain, NEGOTIATE "{\"exec-oob\": \"echo\", \"id\": 1}");
	assert_non_null(
		strstr(control_peer_heard(plain), "QMP input member 'exec-oob' is unexpected"));
	control_server_set_oob(p.server, true);
	fd = control_peer_connect(&p);
	assert_non_null(strstr(control_peer_heard(fd), "\"capabilities\":[\"oob\"]"));
	control_peer_say(&p, fd,
			 "{\"execute\": \"qmp_capabilities\", \"arguments\": {\"enable\": "
			 "[\"oob\"]}}{\"exec-oob\": \"oob\", \"id\": 1}{\"execute\": \"oob\"}");
	assert_string_equal(control_peer_heard(fd), "{\"return\":{}}\r\n"
						    "{\"return\":true,\"id\":1}\r\n"
						    "{\"return\":false}\r\n");
	control_peer_close(&p);
}

static void test_arguments_as_text(void **state)
{
	cleanup_close int fd = -1;
	struct control_peer p;

	(void)state;
	control_peer_open(&p);
	fd = control_peer_ready(&p);
	control_peer_say(&p, fd,
			 "{\"execute\": \"text\", \"arguments\": {\"a\" : 18446744073709551615}}");
	assert_string_equal(control_peer_heard(fd),
			    "{\"return\":{\"a\":18446744073709551615}}\r\n");
	control_peer_say(&p, fd, "{\"execute\": \"text\"}");
	assert_string_equal(control_peer_heard(fd), "{\"return\":null}\r\n");
	control_peer_close(&p);
}

static void test_answers(void **state)
{
	cleanup_close int fd = -1;
	struct control_peer p;

	(void)state;
	control_peer_open(&p);
	fd = control_peer_ready(&p);
	control_peer_say(&p, fd, "{\"execute\": \"echo\", \"arguments\": {\"a\": [1, null]}}\n");
	assert_string_equal(control_peer_heard(fd), "{\"return\":{\"a\":[1,null]}}\r\n");
	control_peer_say(&p, fd, "{\"execute\": \"fail\", \"id\": 1}\n");
	assert_string_equal(control_peer_heard(fd),
			    "{\"error\":{\"class\":\"DeviceNotFound\",\"desc\":\"no \\\"such\\\" "
			    "device\"},\"id\":1}\r\n");
	/* Several in one piece, answered in any order. */
	control_peer_say(
		&p, fd,
		"{\"execute\": \"hold\", \"id\": 1}\n{\"execute\": \"hold\", \"id\": 2}\n"
		"{\"execute\": \"echo\", \"id\": 3}\n{\"execute\": \"hold\", \"id\": 4}\n");
	assert_string_equal(control_peer_heard(fd), "{\"return\":{},\"id\":3}\r\n");
	assert_int_equal(p.n_held, 3);
	assert_true(control_server_is_busy(p.server));
	control_reply(p.held[1], json_integer(7));
	control_fail(p.held[2], "GenericError", "");
	control_reply(p.held[0], NULL);
	assert_false(control_server_is_busy(p.server));
	assert_string_equal(control_peer_heard(fd),
			    "{\"return\":7,\"id\":2}\r\n"
			    "{\"error\":{\"class\":\"GenericError\",\"desc\":\"\"},\"id\":4}\r\n"
			    "{\"return\":{},\"id\":1}\r\n");
	control_peer_close(&p);
}

static void test_clients_are_kept_apart(void **state)
{
	enum { CLIENTS = 5 };
	json_t *event = json_pack("{s:s}", "event", "STOP");
	int fds[CLIENTS], silent;
	struct control_peer p;

	(void)state;
	control_peer_open(&p);
	silent = control_peer_connect(&p);
	(void)control_peer_heard(silent);
	for (int i = 0; i < CLIENTS; i++) {
		fds[i] = control_peer_ready(&p);
		control_peer_say(&p, fds[i], "{\"execute\": \"hold\", \"id\": 1}\n");
		for (int j = 0; j < i; j++)
			assert_string_equal(control_peer_heard(fds[j]), "");
	}
	for (int i = CLIENTS - 1; i >= 0; i--) {
		control_reply(p.held[i], json_integer(i));
		for (int j = 0; j < CLIENTS; j++) {
			cleanup_free char *wanted = str_printf("{\"return\":%d,\"id\":1}\r\n", i);

			assert_string_equal(control_peer_heard(fds[j]), i == j ? wanted : "");
		}
	}
	control_peer_broadcast(&p, event);
	for (int i = 0; i < CLIENTS; i++)
		assert_string_equal(control_peer_heard(fds[i]), "{\"event\":\"STOP\"}\r\n");
	assert_string_equal(control_peer_heard(silent), "");
	assert_int_equal(event->refcount, 1);
	json_decref(event);
	for (int i = 0; i < CLIENTS; i++)
		close(fds[i]);
	close(silent);
	control_peer_close(&p);
}

static void test_malformed_lines(void **state)
{
	static const char *const rows[] = {
		"x\n",
		"7\n",
		"null\n",
		"\"execute\"\n",
		"[]\n",
		"{}\n",
		"{\"execute\": 7}\n",
		"{\"execute\": null, \"id\": 1}\n",
		"{\"Execute\": \"echo\"}\n",
		"{\"execute\": \"echo\", \"arguments\": []}\n",
		"{\"execute\": \"echo\", \"arguments\": null}\n",
		"{\"execute\": \"echo\", \"execute\": \"echo\"}\n",
		"{\"execute\": \"\xff\"}\n",
		"{\"execute\": \"a\\u0000b\"}\n",
	};
	cleanup_strbuf struct strbuf deep = {0};
	cleanup_close int fd = -1;
	struct control_peer p;

	(void)state;
	control_peer_open(&p);
	fd = control_peer_ready(&p);
	for (size_t i = 0; i <= ARRAY_SIZE(rows); i++) {
		json_t *answer;

		if (i == ARRAY_SIZE(rows)) {
			for (size_t j = 0; j < 20000; j++)
				strbuf_add(&deep, "[", 1);
			strbuf_add(&deep, "\n", 1);
		}
		control_peer_say(&p, fd, i < ARRAY_SIZE(rows) ? rows[i] : deep.data);
		answer = json_loads(control_peer_heard(fd), 0, NULL);
		if (!json_object_get(answer, "error"))
			fail_msg("row %zu got no error", i);
		json_decref(answer);
		assert_int_equal(p.n_commands, (int)i);
		/* And the client is still there. */
		control_peer_say(&p, fd, "\r\n  \n{\"execute\": \"echo\"}\n");
		assert_string_equal(control_peer_heard(fd), "{\"return\":{}}\r\n");
	}
	control_peer_close(&p);
}

/* A request in two pieces, cut anywhere; the pieces of another one between. */
static void test_half_lines(void **state)
{
	static const char line[] = "{\"execute\": \"echo\", \"id\": 1}\r\n";
	int a, b;
	struct control_peer p;

	(void)state;
	control_peer_open(&p);
	a = control_peer_ready(&p);
	b = control_peer_ready(&p);
	for (size_t cut = 1; cut < strlen(line); cut++) {
		cleanup_free char *head = strndup(line, cut);

		control_peer_say(&p, a, head);
		control_peer_say(&p, b, line);
		control_peer_say(&p, a, line + cut);
		assert_string_equal(control_peer_heard(a), "{\"return\":{},\"id\":1}\r\n");
		assert_string_equal(control_peer_heard(b), "{\"return\":{},\"id\":1}\r\n");
	}
	/* Half a request of a client that goes is none. */
	control_peer_say(&p, a, "{\"execute\": \"echo\"");
	close(a);
	control_peer_spin(&p);
	assert_int_equal(p.n_commands, 2 * ((int)strlen(line) - 1));
	assert_int_equal(p.n_gone, 1);
	close(b);
	control_peer_close(&p);
}

/* As QEMU's own clients may send them: not a line each. */
static void test_values_that_are_no_lines(void **state)
{
	cleanup_close int fd = -1;
	struct control_peer p;

	(void)state;
	control_peer_open(&p);
	fd = control_peer_ready(&p);
	control_peer_say(
		&p, fd,
		"{\"execute\": \"echo\", \"id\": 1}{\"execute\":\n\"echo\", \"id\": \"}\"}");
	assert_string_equal(control_peer_heard(fd),
			    "{\"return\":{},\"id\":1}\r\n{\"return\":{},\"id\":\"}\"}\r\n");
	/* What is not complete goes with the reset byte. */
	control_peer_say(&p, fd, "{\"execute\": [\xff{\"execute\": \"echo\", \"id\": 2}");
	assert_string_equal(control_peer_heard(fd), "{\"return\":{},\"id\":2}\r\n");
	control_peer_close(&p);
}

/* socat hangs up on its side at the end of its input, and waits for answers. */
static void test_client_that_asks_no_more(void **state)
{
	cleanup_close int fd = -1;
	struct control_peer p;

	(void)state;
	control_peer_open(&p);
	fd = control_peer_ready(&p);
	control_peer_say(&p, fd, "{\"execute\": \"hold\", \"id\": 3}");
	assert_int_equal(shutdown(fd, SHUT_WR), 0);
	control_peer_spin(&p);
	assert_int_equal(p.n_gone, 0);
	control_reply(p.held[0], NULL);
	p.n_held = 0;
	control_peer_spin(&p);
	assert_string_equal(control_peer_heard(fd), "{\"return\":{},\"id\":3}\r\n");
	assert_int_equal(p.n_gone, 1);
	control_peer_close(&p);
}

static void test_unanswered_call_of_a_client_that_goes(void **state)
{
	struct control_peer p;
	unsigned number;
	int fd, other;

	(void)state;
	control_peer_open(&p);
	fd = control_peer_ready(&p);
	other = control_peer_ready(&p);
	control_peer_say(&p, fd, "{\"execute\": \"hold\", \"id\": 1}\n{\"execute\": \"hold\"}\n");
	number = p.last_client;
	close(fd);
	control_peer_spin(&p);
	assert_int_equal(p.n_gone, 1);
	assert_int_equal(p.gone[0], number);
	assert_int_equal(control_call_client(p.held[0]), number);
	assert_true(control_server_is_busy(p.server));
	/* Into the void, and to nobody else. */
	control_reply(p.held[0], json_string("late"));
	control_fail(p.held[1], "GenericError", "late");
	assert_false(control_server_is_busy(p.server));
	control_peer_spin(&p);
	assert_string_equal(control_peer_heard(other), "");
	/* Numbers are not given twice. */
	control_peer_say(&p, other, "{\"execute\": \"echo\"}\n");
	assert_int_not_equal(p.last_client, number);
	close(other);
	control_peer_close(&p);
}

/* A server that ends owes nothing: neither to clients nor to those that went. */
static void test_end_with_calls_unanswered(void **state)
{
	cleanup_close int fd = -1, other = -1;
	struct control_peer p;

	(void)state;
	control_peer_open(&p);
	fd = control_peer_ready(&p);
	other = control_peer_ready(&p);
	control_peer_say(&p, fd, "{\"execute\": \"hold\", \"id\": {\"a\": 1}}\n");
	control_peer_say(&p, other, "{\"execute\": \"hold\", \"id\": [1]}\n");
	close_fd(&fd);
	control_peer_spin(&p);
	assert_int_equal(p.n_gone, 1);
	/* What leaks here, the leak checker tells. */
	p.n_held = 0;
	memset(p.held, 0, sizeof(p.held));
	control_peer_close(&p);
	assert_int_equal(p.n_gone, 1);
	assert_true(control_peer_hung_up(other));
	control_server_free(NULL);
}

/* What was said last is heard, too. */
static void test_last_words(void **state)
{
	cleanup_close int fd = -1;
	struct control_peer p;

	(void)state;
	control_peer_open(&p);
	fd = control_peer_ready(&p);
	control_peer_say(&p, fd, "{\"execute\": \"hold\", \"id\": 1}\n");
	control_reply(p.held[0], NULL);
	control_peer_close(&p);
	assert_string_equal(control_peer_heard(fd), "{\"return\":{},\"id\":1}\r\n");
	assert_true(control_peer_hung_up(fd));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_greeting_and_negotiation),
		cmocka_unit_test(test_nothing_before_the_negotiation),
		cmocka_unit_test(test_ids_of_any_type),
		cmocka_unit_test(test_capabilities),
		cmocka_unit_test(test_arguments_as_text),
		cmocka_unit_test(test_answers),
		cmocka_unit_test(test_clients_are_kept_apart),
		cmocka_unit_test(test_malformed_lines),
		cmocka_unit_test(test_half_lines),
		cmocka_unit_test(test_values_that_are_no_lines),
		cmocka_unit_test(test_client_that_asks_no_more),
		cmocka_unit_test(test_unanswered_call_of_a_client_that_goes),
		cmocka_unit_test(test_end_with_calls_unanswered),
		cmocka_unit_test(test_last_words),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
