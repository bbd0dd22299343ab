/* SPDX-License-Identifier: MIT */
/* What one client may take from the others: nothing. */
#include "control_peer.h"

static void test_64_clients(void **state)
{
	int fds[64], more, n = 0;
	struct control_peer p;

	(void)state;
	control_peer_open(&p);
	while (n < 64)
		fds[n++] = control_peer_ready(&p);
	more = control_peer_connect(&p);
	assert_non_null(strstr(control_peer_heard(more), "too many clients"));
	assert_true(control_peer_hung_up(more));
	close(more);
	/* It was never one, so nobody went. */
	assert_int_equal(p.n_gone, 0);
	close(fds[--n]);
	control_peer_spin(&p);
	assert_int_equal(p.n_gone, 1);
	fds[n++] = control_peer_ready(&p);
	/* All of them work. */
	for (int i = 0; i < 64; i++) {
		control_peer_say(&p, fds[i], "{\"execute\": \"echo\"}\n");
		assert_string_equal(control_peer_heard(fds[i]), "{\"return\":{}}\r\n");
		close(fds[i]);
	}
	control_peer_close(&p);
}

/* A request of exactly bytes, its line end not counted. */
static char *request_of(size_t bytes)
{
	static const char head[] = "{\"execute\": \"hold\", \"id\": \"";
	char *line = malloc(bytes + 2);

	assert_non_null(line);
	memset(line, 'x', bytes);
	memcpy(line, head, strlen(head));
	memcpy(line + bytes - 2, "\"}\n", 4);
	return line;
}

static void say_in_pieces(struct control_peer *p, int fd, const char *text)
{
	size_t len = strlen(text);

	while (len) {
		ssize_t n = send(fd, text, len < 32768 ? len : 32768, MSG_NOSIGNAL | MSG_DONTWAIT);

		if (n < 0 && errno == EPIPE)
			return;
		assert_true(n > 0);
		text += n;
		len -= (size_t)n;
		control_peer_spin(p);
	}
}

static void test_request_of_1_mebibyte(void **state)
{
	static const struct {
		size_t bytes;
		bool taken;
	} rows[] = {{1024 * 1024, true}, {1024 * 1024 + 1, false}, {3 * 1024 * 1024, false}};
	int fd, other;
	struct control_peer p;

	(void)state;
	control_peer_open(&p);
	other = control_peer_ready(&p);
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		cleanup_free char *line = request_of(rows[i].bytes);
		size_t held = p.n_held, gone = p.n_gone;

		fd = control_peer_ready(&p);
		say_in_pieces(&p, fd, line);
		assert_int_equal(p.n_held, held + rows[i].taken);
		assert_int_equal(p.n_gone, gone + !rows[i].taken);
		if (!rows[i].taken) {
			assert_non_null(strstr(control_peer_heard(fd), "larger than 1 MiB"));
			assert_true(control_peer_hung_up(fd));
		}
		close(fd);
		control_peer_spin(&p);
	}
	control_peer_say(&p, other, "{\"execute\": \"echo\"}\n");
	assert_string_equal(control_peer_heard(other), "{\"return\":{}}\r\n");
	close(other);
	control_peer_close(&p);
}

static void test_256_requests_in_flight(void **state)
{
	int fd, other;
	struct control_peer p;

	(void)state;
	control_peer_open(&p);
	fd = control_peer_ready(&p);
	other = control_peer_ready(&p);
	for (int i = 0; i < 256; i++)
		control_peer_say(&p, fd, "{\"execute\": \"hold\"}\n");
	assert_string_equal(control_peer_heard(fd), "");
	assert_int_equal(p.n_held, 256);
	control_peer_say(&p, fd, "{\"execute\": \"hold\", \"id\": 257}\n");
	assert_non_null(strstr(control_peer_heard(fd), "\"id\":257"));
	assert_int_equal(p.n_held, 256);
	/* The bound is each client's own. */
	control_peer_say(&p, other, "{\"execute\": \"echo\"}\n");
	assert_string_equal(control_peer_heard(other), "{\"return\":{}}\r\n");
	control_reply(p.held[100], NULL);
	(void)control_peer_heard(fd);
	control_peer_say(&p, fd, "{\"execute\": \"echo\"}\n");
	assert_string_equal(control_peer_heard(fd), "{\"return\":{}}\r\n");
	close(fd);
	close(other);
	control_peer_spin(&p);
	control_peer_close(&p);
}

/* A client that does not read is dropped; the others miss nothing. */
static void test_slow_reader(void **state)
{
	char blob[4097];
	int slow, quick, rounds = 0;
	struct control_peer p;
	json_t *event;

	(void)state;
	memset(blob, 'x', sizeof(blob) - 1);
	blob[sizeof(blob) - 1] = '\0';
	event = json_pack("{s:s s:s}", "event", "BLOB", "data", blob);
	control_peer_open(&p);
	slow = control_peer_ready(&p);
	quick = control_peer_ready(&p);
	control_peer_say(&p, slow, "{\"execute\": \"hold\", \"id\": 1}\n");
	for (; rounds < 10000 && !p.n_gone; rounds++) {
		control_server_broadcast(p.server, event);
		control_peer_spin(&p);
		assert_int_equal(strlen(control_peer_heard(quick)),
				 sizeof(blob) - 1 +
					 strlen("{\"event\":\"BLOB\",\"data\":\"\"}\r\n"));
	}
	/* 8 MiB and what the socket took. */
	assert_int_equal(p.n_gone, 1);
	assert_true(rounds >= 8 * 256 && rounds < 9 * 256);
	assert_int_equal(p.gone[0], p.last_client);
	control_reply(p.held[0], NULL);
	assert_true(control_peer_hung_up(slow));
	control_peer_say(&p, quick, "{\"execute\": \"echo\"}\n");
	assert_string_equal(control_peer_heard(quick), "{\"return\":{}}\r\n");
	json_decref(event);
	close(slow);
	close(quick);
	control_peer_close(&p);
}

/* One that reads after a while hears everything, in order. */
static void test_reader_that_catches_up(void **state)
{
	enum { EVENTS = 2000 };
	static char heard[512 * 1024];
	size_t len = 0;
	struct control_peer p;
	char *at = heard;
	ssize_t n;
	int fd;

	(void)state;
	control_peer_open(&p);
	fd = control_peer_ready(&p);
	for (int i = 0; i < EVENTS; i++) {
		json_t *event = json_pack("{s:i s:s}", "n", i, "event",
					  "A_LONG_NAME_SO_THAT_THE_SOCKET_IS_FULL_BEFORE_THE_LAST_"
					  "ONE_HAS_BEEN_SAID_AND_MORE_THAN_THAT_TOO_0123456789");

		control_server_broadcast(p.server, event);
		json_decref(event);
	}
	while ((n = recv(fd, heard + len, sizeof(heard) - 1 - len, MSG_DONTWAIT)) > 0) {
		len += (size_t)n;
		control_peer_spin(&p);
	}
	heard[len] = '\0';
	for (int i = 0; i < EVENTS; i++) {
		cleanup_free char *wanted = str_printf("{\"n\":%d,", i);

		assert_non_null(str_after(at, wanted));
		at = strchr(at, '\n') + 1;
	}
	assert_string_equal(at, "");
	assert_int_equal(p.n_gone, 0);
	close(fd);
	control_peer_close(&p);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_64_clients),
		cmocka_unit_test(test_request_of_1_mebibyte),
		cmocka_unit_test(test_256_requests_in_flight),
		cmocka_unit_test(test_slow_reader),
		cmocka_unit_test(test_reader_that_catches_up),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
