/* SPDX-License-Identifier: MIT */
/* What one client may take from the others: nothing. */
#include "control_peer.h"

#include <sys/resource.h>
#include <sys/wait.h>

/* A client that another process has opened. */
static int connect_elsewhere(struct control_peer *p)
{
	int ours, theirs, fd = -1, status;
	size_t n_fds = 0;
	pid_t child;
	char byte;

	assert_int_equal(fd_socketpair(&ours, &theirs, NULL), 0);
	child = fork();
	assert_true(child >= 0);
	if (!child)
		_exit(fd_connect_unix(p->dirfd, "qmp", &fd, NULL) < 0 ||
		      fd_send(theirs, "x", 1, &fd, 1, NULL) < 0);
	assert_int_equal(fd_receive(ours, &byte, 1, &fd, &n_fds, NULL), 1);
	assert_int_equal(n_fds, 1);
	assert_int_equal(waitpid(child, &status, 0), child);
	close(ours);
	close(theirs);
	control_peer_spin(p);
	return fd;
}

static void expect_refused(int fd, const char *why)
{
	assert_non_null(strstr(control_peer_heard(fd), why));
	assert_true(control_peer_hung_up(fd));
	close(fd);
}

enum { CLIENTS = 256 };

/* One process has half of the places at the most. */
static void test_all_clients(void **state)
{
	int fds[CLIENTS], n = 0;
	struct control_peer p;

	(void)state;
	control_peer_open(&p);
	while (n < CLIENTS / 2)
		fds[n++] = control_peer_ready(&p);
	expect_refused(control_peer_connect(&p), "too many clients out of one process");
	while (n < CLIENTS) {
		fds[n] = connect_elsewhere(&p);
		(void)control_peer_heard(fds[n]);
		control_peer_say(&p, fds[n], NEGOTIATE);
		assert_string_equal(control_peer_heard(fds[n++]), "{\"return\":{}}\r\n");
	}
	expect_refused(connect_elsewhere(&p), "too many clients of the control socket");
	/* It was never one, so nobody went. */
	assert_int_equal(p.n_gone, 0);
	close(fds[31]);
	control_peer_spin(&p);
	assert_int_equal(p.n_gone, 1);
	fds[31] = control_peer_ready(&p);
	/* All of them work. */
	for (int i = 0; i < CLIENTS; i++) {
		control_peer_say(&p, fds[i], "{\"execute\": \"echo\"}\n");
		assert_string_equal(control_peer_heard(fds[i]), "{\"return\":{}}\r\n");
		close(fds[i]);
	}
	control_peer_close(&p);
}

/* Descriptors run out while somebody waits to be let in: the loop does not spin,
 * and he is let in when there are some. */
static void test_no_descriptor_left(void **state)
{
	struct rlimit was, none;
	struct control_peer p;
	int other, fd, turns = 0, spare;
	char byte;

	(void)state;
	control_peer_open(&p);
	other = control_peer_ready(&p);
	assert_int_equal(fd_connect_unix(p.dirfd, "qmp", &fd, NULL), 0);
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &was), 0);
	spare = dup(fd);
	close(spare);
	none = was;
	none.rlim_cur = (rlim_t)spare;
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &none), 0);
	while (sd_event_run(p.event, 0) > 0 && turns < 1000)
		turns++;
	assert_true(turns < 1000);
	/* The others are served meanwhile. */
	control_peer_say(&p, other, "{\"execute\": \"echo\"}\n");
	assert_string_equal(control_peer_heard(other), "{\"return\":{}}\r\n");
	assert_int_equal(recv(fd, &byte, 1, MSG_DONTWAIT), -1);
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &was), 0);
	while (recv(fd, &byte, 1, MSG_DONTWAIT | MSG_PEEK) < 0)
		assert_true(sd_event_run(p.event, UINT64_MAX) >= 0);
	assert_non_null(strstr(control_peer_heard(fd), "\"QMP\""));
	close(fd);
	close(other);
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

static void expect_whole_messages(const char *heard)
{
	while (*heard) {
		const char *end = strstr(heard, "\r\n");
		json_t *message = end ? json_loadb(heard, (size_t)(end - heard), 0, NULL) : NULL;

		assert_non_null(message);
		json_decref(message);
		heard = end + 2;
	}
}

/* A client that does not read is dropped and told why; the others miss nothing. */
static void test_slow_reader(void **state)
{
	enum { BLOB = 4096, ROUNDS = 9 * 256 };
	char blob[BLOB + 1];
	int slow, quick;
	struct control_peer p;
	const char *heard;
	json_t *event;

	(void)state;
	memset(blob, 'x', BLOB);
	blob[BLOB] = '\0';
	event = json_pack("{s:s s:s}", "event", "BLOB", "data", blob);
	control_peer_open(&p);
	slow = control_peer_ready(&p);
	quick = control_peer_ready(&p);
	control_peer_say(&p, slow, "{\"execute\": \"hold\", \"id\": 1}\n");
	/* 8 MiB, what the socket takes, and more. */
	for (int i = 0; i < ROUNDS; i++) {
		control_peer_broadcast(&p, event);
		control_peer_spin(&p);
		assert_int_equal(strlen(control_peer_heard(quick)),
				 BLOB + strlen("{\"event\":\"BLOB\",\"data\":\"\"}\r\n"));
	}
	/* It asks no more. */
	control_peer_say(&p, slow, "{\"execute\": \"hold\", \"id\": 2}\n");
	assert_int_equal(p.n_held, 1);
	/* What the socket took, the rest of that message, and why. */
	heard = control_peer_heard(slow);
	assert_true(strlen(heard) > BLOB);
	control_peer_spin(&p);
	assert_int_equal(p.n_gone, 1);
	assert_int_equal(p.gone[0], p.last_client);
	{
		cleanup_free char *all = str_printf("%s", heard);
		cleanup_free char *both = NULL;

		assert_non_null(all);
		both = str_printf("%s%s", all, control_peer_heard(slow));
		assert_non_null(both);
		expect_whole_messages(both);
		assert_non_null(strstr(both, "8 MiB wait that were not read"));
	}
	assert_true(control_peer_hung_up(slow));
	control_reply(p.held[0], NULL);
	control_peer_say(&p, quick, "{\"execute\": \"echo\"}\n");
	assert_string_equal(control_peer_heard(quick), "{\"return\":{}}\r\n");
	json_decref(event);
	close(slow);
	close(quick);
	control_peer_close(&p);
}

/* Descriptors ahead of requests that never come. */
static void test_descriptors_that_wait(void **state)
{
	int fds[16], clients[9], other;
	struct control_peer p;

	(void)state;
	control_peer_open(&p);
	other = control_peer_ready(&p);
	for (size_t i = 0; i < ARRAY_SIZE(fds); i++)
		fds[i] = p.dirfd;
	for (int i = 0; i < 9; i++) {
		clients[i] = control_peer_ready(&p);
		assert_int_equal(fd_send(clients[i], "{", 1, fds, 16, NULL), 0);
		control_peer_spin(&p);
	}
	/* 128 of them may. */
	assert_string_equal(control_peer_heard(clients[7]), "");
	assert_non_null(strstr(control_peer_heard(clients[8]), "too many descriptors"));
	assert_true(control_peer_hung_up(clients[8]));
	/* Told anew, they are still counted once. */
	assert_int_equal(fd_send(clients[0], " ", 1, fds, 16, NULL), 0);
	control_peer_spin(&p);
	assert_string_equal(control_peer_heard(clients[0]), "");
	close(clients[0]);
	control_peer_spin(&p);
	assert_int_equal(fd_send(other, "{\"execute\": \"fds\"}\n", 19, fds, 16, NULL), 0);
	control_peer_spin(&p);
	assert_string_equal(control_peer_heard(other), "{\"return\":16}\r\n");
	for (int i = 1; i < 9; i++)
		close(clients[i]);
	close(other);
	control_peer_close(&p);
}

static void test_1024_calls_of_a_process(void **state)
{
	int fds[5], other;
	struct control_peer p;

	(void)state;
	control_peer_open(&p);
	for (int i = 0; i < 5; i++)
		fds[i] = control_peer_ready(&p);
	other = connect_elsewhere(&p);
	control_peer_say(&p, other, NEGOTIATE);
	(void)control_peer_heard(other);
	for (int i = 0; i < 1024; i++)
		control_peer_say(&p, fds[i % 4], "{\"execute\": \"hold\"}\n");
	assert_int_equal(p.n_held, 1024);
	control_peer_say(&p, fds[4], "{\"execute\": \"echo\"}\n");
	assert_non_null(strstr(control_peer_heard(fds[4]), "too many commands in flight"));
	control_peer_say(&p, other, "{\"execute\": \"echo\"}\n");
	assert_string_equal(control_peer_heard(other), "{\"return\":{}}\r\n");
	for (int i = 0; i < 5; i++)
		close(fds[i]);
	close(other);
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

		control_peer_broadcast(&p, event);
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

/* Much that is asked at once is answered as it is read: 12 MiB out of 8 KiB. */
static void test_much_asked_at_once(void **state)
{
	enum { REQUESTS = 200 };
	cleanup_strbuf struct strbuf requests = {0}, all = {0};
	struct control_peer p;
	int fd, n = 0;

	(void)state;
	control_peer_open(&p);
	fd = control_peer_ready(&p);
	for (int i = 0; i < REQUESTS; i++)
		strbuf_addf(&requests, "{\"execute\": \"much\", \"id\": %d}\n", i);
	assert_false(requests.failed);
	control_peer_say(&p, fd, requests.data);
	/* Not all of it is done for one who reads nothing. */
	assert_true(p.n_commands < 40);
	/* It asks no more, and hears all the same what is due. */
	assert_int_equal(shutdown(fd, SHUT_WR), 0);
	for (const char *heard = control_peer_heard(fd); *heard; heard = control_peer_heard(fd)) {
		strbuf_addf(&all, "%s", heard);
		control_peer_spin(&p);
	}
	assert_false(all.failed);
	for (const char *at = all.data; (at = strstr(at, "\"id\":")); n++) {
		cleanup_free char *wanted = str_printf("\"id\":%d}", n);

		assert_non_null(wanted);
		at = str_after(at, wanted);
		assert_non_null(at);
	}
	assert_int_equal(n, REQUESTS);
	assert_true(control_peer_hung_up(fd));
	close(fd);
	/* One that goes takes along what it asked and was not done. */
	p.n_commands = 0;
	fd = control_peer_ready(&p);
	control_peer_say(&p, fd, requests.data);
	close(fd);
	control_peer_spin(&p);
	assert_true(p.n_commands < 40);
	assert_int_equal(p.n_gone, 2);
	control_peer_close(&p);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_all_clients),
		cmocka_unit_test(test_request_of_1_mebibyte),
		cmocka_unit_test(test_256_requests_in_flight),
		cmocka_unit_test(test_no_descriptor_left),
		cmocka_unit_test(test_descriptors_that_wait),
		cmocka_unit_test(test_1024_calls_of_a_process),
		cmocka_unit_test(test_slow_reader),
		cmocka_unit_test(test_much_asked_at_once),
		cmocka_unit_test(test_reader_that_catches_up),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
