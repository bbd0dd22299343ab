/* SPDX-License-Identifier: MIT */
/* Descriptors that clients send with their requests. */
#include "control_peer.h"

#include <dirent.h>

static unsigned open_fds(void)
{
	cleanup_closedir DIR *d = opendir("/proc/self/fd");
	unsigned n = 0;

	assert_non_null(d);
	while (readdir(d))
		n++;
	return n;
}

/* A descriptor that can be told from all others. */
static int make_fd(ino_t *ret_inode)
{
	struct stat st;
	int fds[2];

	assert_int_equal(pipe2(fds, O_CLOEXEC), 0);
	close(fds[1]);
	assert_int_equal(fstat(fds[0], &st), 0);
	*ret_inode = st.st_ino;
	return fds[0];
}

/* Sends without letting the server look. */
static void send_text(int client, const char *text)
{
	assert_int_equal(send(client, text, strlen(text), MSG_NOSIGNAL), (int)strlen(text));
}

static void test_with_their_request(void **state)
{
	struct control_peer p;
	ino_t inode;
	int fd, client;

	(void)state;
	control_peer_open(&p);
	client = control_peer_ready(&p);
	fd = make_fd(&inode);
	assert_int_equal(
		fd_send(client, "{\"execute\": \"fds\"}\n", 19, (int[]){fd, fd, fd}, 3, NULL), 0);
	control_peer_spin(&p);
	assert_string_equal(control_peer_heard(client), "{\"return\":3}\r\n");
	assert_int_equal(p.last_inode, inode);
	/* The next one has none. */
	control_peer_say(&p, client, "{\"execute\": \"fds\"}\n");
	assert_string_equal(control_peer_heard(client), "{\"return\":0}\r\n");
	close(fd);
	close(client);
	control_peer_close(&p);
}

/* They belong to the request whose bytes they came with, whatever was read
 * together with it. */
static void test_behind_other_requests(void **state)
{
	static const struct {
		const char *before, *head, *rest;
	} rows[] = {
		{"", "{", "\"execute\": \"fds\"}\n"},
		{"{\"execute\": \"echo\"}\n", "{", "\"execute\": \"fds\"}\n"},
		{"{\"execute\": \"echo\"}\n{\"execute\": \"echo\"}\r\n",
		 "{\"execute\": \"fds\"}\r\n", ""},
		{"nonsense\n", "{\"execute\":", " \"fds\"}\n"},
		{"\r\n", "{\"execute\": \"fds\"}\n", ""},
	};
	struct control_peer p;
	int client;

	(void)state;
	control_peer_open(&p);
	client = control_peer_ready(&p);
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		ino_t inode;
		int fd = make_fd(&inode);

		if (*rows[i].before)
			send_text(client, rows[i].before);
		assert_int_equal(fd_send(client, rows[i].head, strlen(rows[i].head), &fd, 1, NULL),
				 0);
		close(fd);
		control_peer_spin(&p);
		control_peer_say(&p, client, rows[i].rest);
		if (p.last_n_fds != 1 || p.last_inode != inode)
			fail_msg("row %zu: the request got %zu descriptors", i, p.last_n_fds);
		(void)control_peer_heard(client);
	}
	close(client);
	control_peer_close(&p);
}

/* Two requests with one each, sent before the server looks. */
static void test_two_in_a_row(void **state)
{
	struct control_peer p;
	ino_t inodes[2];
	int client;

	(void)state;
	control_peer_open(&p);
	client = control_peer_ready(&p);
	for (size_t i = 0; i < 2; i++) {
		int fd = make_fd(&inodes[i]);

		assert_int_equal(fd_send(client, "{", 1, &fd, 1, NULL), 0);
		send_text(client, "\"execute\": \"fds\"}\n");
		close(fd);
	}
	control_peer_spin(&p);
	assert_string_equal(control_peer_heard(client), "{\"return\":1}\r\n{\"return\":1}\r\n");
	assert_int_equal(p.last_inode, inodes[1]);
	close(client);
	control_peer_close(&p);
}

/* What came with a request that is refused is not the next one's. */
static void test_refused_request(void **state)
{
	static const char *const rows[] = {
		"nonsense\n",
		"{\"execute\": 7}\n",
		"{\"execute\": \"fds\", \"arguments\": 7}\n",
		"{\"execute\": \"qmp_capabilities\"}\n",
	};
	struct control_peer p;
	int client;

	(void)state;
	control_peer_open(&p);
	client = control_peer_ready(&p);
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		ino_t inode;
		int fd = make_fd(&inode);

		assert_int_equal(fd_send(client, rows[i], strlen(rows[i]), &fd, 1, NULL), 0);
		close(fd);
		control_peer_spin(&p);
		(void)control_peer_heard(client);
		control_peer_say(&p, client, "{\"execute\": \"fds\"}\n");
		if (!str_eq(control_peer_heard(client), "{\"return\":0}\r\n"))
			fail_msg("after %s", rows[i]);
	}
	close(client);
	control_peer_close(&p);
}

static void test_none_is_left(void **state)
{
	unsigned before = open_fds();

	(void)state;
	for (int way = 0; way < 4; way++) {
		struct control_peer p;
		int fds[FD_PASS_MAX], client;
		ino_t inode;

		for (size_t i = 0; i < ARRAY_SIZE(fds); i++)
			fds[i] = make_fd(&inode);
		control_peer_open(&p);
		client = control_peer_ready(&p);
		/* Half a request with descriptors, replaced by others, and so on. */
		for (int i = 0; i <= way; i++) {
			assert_int_equal(fd_send(client, "{", 1, fds, FD_PASS_MAX, NULL), 0);
			control_peer_spin(&p);
		}
		for (size_t i = 0; i < ARRAY_SIZE(fds); i++)
			close(fds[i]);
		if (way == 2)
			control_peer_say(&p, client, "\n");
		close(client);
		if (way)
			control_peer_spin(&p);
		control_peer_close(&p);
		assert_int_equal(open_fds(), before);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_with_their_request),
		cmocka_unit_test(test_behind_other_requests),
		cmocka_unit_test(test_two_in_a_row),
		cmocka_unit_test(test_refused_request),
		cmocka_unit_test(test_none_is_left),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
