/* SPDX-License-Identifier: MIT */
/* Unix sockets and the passing of descriptors, of base/fd.h. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/cleanup.h"
#include "base/error.h"
#include "base/fd.h"
#include "base/str.h"
#include "tests/unit/base/scratch.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

/* Descriptors that are open now. */
static size_t count_open(void)
{
	cleanup_closedir DIR *dir = opendir("/proc/self/fd");
	size_t n = 0;

	assert_non_null(dir);
	while (readdir(dir))
		n++;
	return n;
}

static bool is_cloexec(int fd)
{
	return fcntl(fd, F_GETFD) & FD_CLOEXEC;
}

static bool is_nonblock(int fd)
{
	return fcntl(fd, F_GETFL) & O_NONBLOCK;
}

/* A folder whose path is far longer than sun_path. */
static int open_deep(const struct scratch *s)
{
	int fd = dup(s->fd);

	for (int i = 0; i < 4; i++) {
		char name[101];
		int below = -1;

		memset(name, 'a' + i, 100);
		name[100] = '\0';
		assert_int_equal(file_open_dir(fd, name, 0700, &below, NULL), 0);
		close(fd);
		fd = below;
	}
	return fd;
}

static void test_listen_in_deep_folder(void **state)
{
	cleanup_close int dir = open_deep(*state), server = -1, client = -1, accepted = -1;
	struct error err = ERROR_INIT;
	char text[8] = {0};
	struct stat st;
	uid_t uid;
	gid_t gid;
	pid_t pid;

	assert_int_equal(fd_listen_unix(dir, "qmp", 0660, &server, &err), 0);
	assert_true(is_cloexec(server) && is_nonblock(server));
	assert_int_equal(fstatat(dir, "qmp", &st, 0), 0);
	assert_true(S_ISSOCK(st.st_mode));
	assert_int_equal(st.st_mode & 07777, 0660);
	assert_int_equal(fd_connect_unix(dir, "qmp", &client, &err), 0);
	assert_true(is_cloexec(client));
	assert_false(is_nonblock(client));
	accepted = accept4(server, NULL, NULL, SOCK_CLOEXEC);
	assert_true(accepted >= 0);
	assert_int_equal(fd_send(client, "hello", 5, NULL, 0, &err), 0);
	assert_int_equal(read(accepted, text, sizeof(text)), 5);
	assert_string_equal(text, "hello");
	assert_int_equal(fd_peer(accepted, &uid, &gid, &pid, &err), 0);
	assert_int_equal(uid, geteuid());
	assert_int_equal(gid, getegid());
	assert_int_equal(pid, getpid());
}

static void test_connect_fails(void **state)
{
	const struct scratch *s = *state;
	struct error err = ERROR_INIT;
	int fd = -1, server = -1;

	assert_int_equal(fd_connect_unix(s->fd, "none", &fd, &err), -ENOENT);
	assert_string_equal(err.text, "connect to socket 'none': No such file or directory");
	assert_int_equal(fd_listen_unix(s->fd, "stale", 0600, &server, &err), 0);
	close(server);
	assert_int_equal(fd_connect_unix(s->fd, "stale", &fd, &err), -ECONNREFUSED);
	assert_int_equal(fd, -1);
}

static void test_listen_replaces_stale(void **state)
{
	const struct scratch *s = *state;
	cleanup_close int server = -1, client = -1;
	struct error err = ERROR_INIT;
	int fd = -1;

	assert_int_equal(fd_listen_unix(s->fd, "qmp", 0600, &fd, &err), 0);
	close_fd(&fd);
	assert_int_equal(fd_listen_unix(s->fd, "qmp", 0600, &server, &err), 0);
	assert_int_equal(fd_connect_unix(s->fd, "qmp", &client, &err), 0);
	/* A folder is not taken for a stale socket. */
	assert_int_equal(mkdirat(s->fd, "folder", 0700), 0);
	assert_int_equal(fd_listen_unix(s->fd, "folder", 0600, &fd, &err), -EISDIR);
	assert_int_equal(fd, -1);
}

static void test_name_too_long(void **state)
{
	const struct scratch *s = *state;
	struct error err = ERROR_INIT;
	char name[109];
	int fd = -1;

	memset(name, 'n', sizeof(name) - 1);
	name[sizeof(name) - 1] = '\0';
	assert_int_equal(fd_listen_unix(s->fd, name, 0600, &fd, &err), -ENAMETOOLONG);
	assert_int_equal(fd_connect_unix(s->fd, name, &fd, &err), -ENAMETOOLONG);
	assert_int_equal(fd, -1);
}

static void test_pipe(void **state)
{
	int from = -1, to = -1;
	struct error err = ERROR_INIT;
	char byte = 0;

	(void)state;
	assert_int_equal(fd_pipe(&from, &to, &err), 0);
	assert_true(fcntl(from, F_GETFD) & FD_CLOEXEC);
	assert_true(fcntl(to, F_GETFD) & FD_CLOEXEC);
	assert_false(fcntl(from, F_GETFL) & O_NONBLOCK);
	assert_int_equal(write(to, "x", 1), 1);
	assert_int_equal(read(from, &byte, 1), 1);
	assert_int_equal(byte, 'x');
	close(from);
	close(to);
	assert_int_equal(fd_pipe_watched(&from, &to, &err), 0);
	assert_int_equal(read(from, &byte, 1), -1);
	assert_int_equal(errno, EAGAIN);
	assert_false(fcntl(to, F_GETFL) & O_NONBLOCK);
	close(from);
	close(to);
}

static void test_room(void **state)
{
	enum { ROOM_BYTES = 2 * 1024 * 1024, CHUNK_BYTES = 64 * 1024 };
	cleanup_free char *chunk = calloc(1, CHUNK_BYTES);
	size_t most = 0, sent[2] = {0};
	struct error err = ERROR_INIT;
	int left, right;
	ssize_t n;

	(void)state;
	assert_non_null(chunk);
	for (int i = 0; i < 2; i++) {
		assert_int_equal(fd_socketpair(&left, &right, &err), 0);
		if (i)
			fd_give_room(left, ROOM_BYTES);
		assert_int_equal(fd_set_nonblock(left, &err), 0);
		while ((n = write(left, chunk, CHUNK_BYTES)) > 0)
			sent[i] += (size_t)n;
		close(left);
		close(right);
	}
	/* Who may not ask for all gets what he may. */
	most = geteuid() == 0 ? ROOM_BYTES : sent[0];
	assert_true(sent[1] >= most);
}

static void test_pass(void **state)
{
	int left, right, fds[FD_PASS_MAX], got[FD_PASS_MAX];
	size_t n = 4711, before = count_open();
	struct error err = ERROR_INIT;
	struct stat sent, received;
	char text[8] = {0};

	(void)state;
	assert_int_equal(fd_socketpair(&left, &right, &err), 0);
	assert_true(is_cloexec(left) && is_cloexec(right) && !is_nonblock(left));
	for (size_t i = 0; i < FD_PASS_MAX; i++) {
		int pipe_fds[2];

		assert_int_equal(pipe2(pipe_fds, O_CLOEXEC), 0);
		close(pipe_fds[1]);
		fds[i] = pipe_fds[0];
	}
	assert_int_equal(fd_send(left, "abc", 3, fds, FD_PASS_MAX, &err), 0);
	assert_int_equal(fd_receive(right, text, sizeof(text), got, &n, &err), 3);
	assert_string_equal(text, "abc");
	assert_int_equal(n, FD_PASS_MAX);
	for (size_t i = 0; i < FD_PASS_MAX; i++) {
		/* The same pipe in the same place, and the sender's still open. */
		assert_int_equal(fstat(fds[i], &sent), 0);
		assert_int_equal(fstat(got[i], &received), 0);
		assert_int_equal(sent.st_ino, received.st_ino);
		assert_true(is_cloexec(got[i]));
		close(fds[i]);
		close(got[i]);
	}
	close(left);
	n = 4711;
	assert_int_equal(fd_receive(right, text, sizeof(text), got, &n, &err), 0);
	assert_int_equal(n, 0);
	close(right);
	assert_int_equal(count_open(), before);
}

/* Descriptors come with the first byte of their message only. */
static void test_pass_in_pieces(void **state)
{
	cleanup_close int left = -1, right = -1;
	int got[FD_PASS_MAX];
	size_t n = 0;
	char byte;

	(void)state;
	assert_int_equal(fd_socketpair(&left, &right, NULL), 0);
	assert_int_equal(fd_send(left, "xy", 2, &left, 1, NULL), 0);
	assert_int_equal(fd_receive(right, &byte, 1, got, &n, NULL), 1);
	assert_int_equal(byte, 'x');
	assert_int_equal(n, 1);
	close(got[0]);
	assert_int_equal(fd_receive(right, &byte, 1, got, &n, NULL), 1);
	assert_int_equal(byte, 'y');
	assert_int_equal(n, 0);
}

/* What fd_send() would not send, sent by hand. */
static void send_many(int sock, int fd, size_t n_fds)
{
	union {
		struct cmsghdr align;
		char bytes[CMSG_SPACE(sizeof(int) * 64)];
	} control = {0};
	struct iovec iov = {.iov_base = (char[]){"x"}, .iov_len = 1};
	struct msghdr msg = {
		.msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = control.bytes,
		.msg_controllen = CMSG_SPACE(sizeof(int) * n_fds),
	};
	struct cmsghdr *c = CMSG_FIRSTHDR(&msg);

	c->cmsg_level = SOL_SOCKET;
	c->cmsg_type = SCM_RIGHTS;
	c->cmsg_len = CMSG_LEN(sizeof(int) * n_fds);
	for (size_t i = 0; i < n_fds; i++)
		memcpy(CMSG_DATA(c) + i * sizeof(int), &fd, sizeof(int));
	assert_int_equal(sendmsg(sock, &msg, 0), 1);
}

static void test_pass_too_many(void **state)
{
	static const size_t counts[] = {FD_PASS_MAX + 1, FD_PASS_MAX + 2, 64};
	cleanup_close int left = -1, right = -1;
	int got[FD_PASS_MAX], many[FD_PASS_MAX + 1];
	struct error err = ERROR_INIT;
	size_t n = 4711, before;
	char text[8];

	(void)state;
	assert_int_equal(fd_socketpair(&left, &right, &err), 0);
	before = count_open();
	for (size_t i = 0; i < ARRAY_SIZE(many); i++)
		many[i] = left;
	assert_int_equal(fd_send(left, "x", 1, many, ARRAY_SIZE(many), &err), -EINVAL);
	assert_int_equal(fd_send(left, "", 0, many, 1, &err), -EINVAL);
	for (size_t i = 0; i < ARRAY_SIZE(counts); i++) {
		send_many(left, left, counts[i]);
		assert_int_equal(fd_receive(right, text, sizeof(text), got, &n, &err), -EMSGSIZE);
		/* None stays open, and the outputs are left alone. */
		assert_int_equal(count_open(), before);
		assert_int_equal(n, 4711);
	}
	/* The connection goes on. */
	assert_int_equal(fd_send(left, "x", 1, &left, 1, &err), 0);
	assert_int_equal(fd_receive(right, text, sizeof(text), got, &n, &err), 1);
	assert_int_equal(n, 1);
	close(got[0]);
}

/* A peer that is gone is an error, not a SIGPIPE. */
static void test_send_to_nobody(void **state)
{
	struct error err = ERROR_INIT;
	int left, right;

	(void)state;
	assert_int_equal(fd_socketpair(&left, &right, &err), 0);
	close(right);
	assert_int_equal(fd_send(left, "x", 1, NULL, 0, &err), -EPIPE);
	close(left);
}

static void test_nonblock(void **state)
{
	struct error err = ERROR_INIT;
	int left, right, got[FD_PASS_MAX];
	size_t n;
	char byte;

	(void)state;
	assert_int_equal(fd_socketpair(&left, &right, &err), 0);
	assert_int_equal(fd_set_nonblock(left, &err), 0);
	assert_int_equal(fd_receive(left, &byte, 1, got, &n, &err), -EAGAIN);
	close(left);
	close(right);
	assert_int_equal(fd_set_nonblock(-1, &err), -EBADF);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		scratch_test(test_listen_in_deep_folder),
		scratch_test(test_connect_fails),
		scratch_test(test_listen_replaces_stale),
		scratch_test(test_name_too_long),
		cmocka_unit_test(test_pipe),
		cmocka_unit_test(test_room),
		cmocka_unit_test(test_pass),
		cmocka_unit_test(test_pass_in_pieces),
		cmocka_unit_test(test_pass_too_many),
		cmocka_unit_test(test_send_to_nobody),
		cmocka_unit_test(test_nonblock),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
