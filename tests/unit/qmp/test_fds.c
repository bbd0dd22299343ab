/* SPDX-License-Identifier: MIT */
/* Descriptors on their way to the peer. */
#include "peer.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>

/* A descriptor that can be told from all others. */
static int make_fd(struct stat *ret_stat)
{
	int fds[2];

	assert_int_equal(pipe2(fds, O_CLOEXEC), 0);
	close(fds[1]);
	assert_int_equal(fstat(fds[0], ret_stat), 0);
	return fds[0];
}

static void expect_same(int fd, const struct stat *wanted)
{
	struct stat st;

	assert_int_equal(fstat(fd, &st), 0);
	assert_int_equal(st.st_ino, wanted->st_ino);
	assert_int_equal(st.st_dev, wanted->st_dev);
}

static unsigned open_fds(void)
{
	cleanup_closedir DIR *d = opendir("/proc/self/fd");
	unsigned n = 0;

	assert_non_null(d);
	while (readdir(d))
		n++;
	return n;
}

static void call_with(struct peer *p, const char *command, const int *fds, size_t n_fds,
		      uint64_t timeout_ms, struct outcome *o)
{
	o->peer = p;
	assert_int_equal(qmp_client_call(p->client, command, NULL, fds, n_fds, timeout_ms,
					 peer_on_reply, o, NULL),
			 0);
}

/* What the peer hears, byte by byte, and where descriptors came. */
struct heard {
	char text[4096];
	size_t len;
	struct {
		size_t at, n;
		int fds[FD_PASS_MAX];
	} passed[4];
	size_t n_passed;
};

static void hear(struct peer *p, struct heard *h)
{
	assert_int_equal(fd_set_nonblock(p->fd, NULL), 0);
	for (;;) {
		size_t n_fds = 0;
		int fds[FD_PASS_MAX];

		assert_true(h->len + 1 < sizeof(h->text));
		if (fd_receive(p->fd, h->text + h->len, 1, fds, &n_fds, NULL) != 1)
			break;
		if (n_fds) {
			assert_true(h->n_passed < ARRAY_SIZE(h->passed));
			h->passed[h->n_passed].at = h->len;
			h->passed[h->n_passed].n = n_fds;
			memcpy(h->passed[h->n_passed++].fds, fds, n_fds * sizeof(int));
		}
		h->len++;
	}
	h->text[h->len] = '\0';
}

static void heard_free(struct heard *h)
{
	for (size_t i = 0; i < h->n_passed; i++)
		for (size_t j = 0; j < h->passed[i].n; j++)
			close(h->passed[i].fds[j]);
}

/* The byte that the line with that id begins at. */
static size_t line_at(const struct heard *h, const char *command)
{
	cleanup_free char *start = str_printf("{\"execute\":\"%s\"", command);
	const char *at = strstr(h->text, start);

	assert_non_null(at);
	return (size_t)(at - h->text);
}

static void test_with_the_first_byte(void **state)
{
	struct outcome o[3] = {0};
	struct heard h = {0};
	struct stat st[3];
	unsigned before = open_fds();
	int fds[3];
	struct peer p;

	(void)state;
	peer_ready(&p);
	for (size_t i = 0; i < 3; i++)
		fds[i] = make_fd(&st[i]);
	call_with(&p, "first", NULL, 0, 0, &o[0]);
	call_with(&p, "add-fd", fds, 3, 0, &o[1]);
	call_with(&p, "last", NULL, 0, 0, &o[2]);
	/* They stay the caller's, to close at once. */
	for (size_t i = 0; i < 3; i++)
		close(fds[i]);
	peer_spin(&p);
	hear(&p, &h);
	assert_null(strstr(h.text, "last"));
	peer_say(&p, "{\"return\": {}, \"id\": 2}\r\n");
	hear(&p, &h);
	assert_int_equal(h.n_passed, 1);
	assert_int_equal(h.passed[0].n, 3);
	assert_int_equal(h.passed[0].at, line_at(&h, "add-fd"));
	for (size_t i = 0; i < 3; i++)
		expect_same(h.passed[0].fds[i], &st[i]);
	assert_true(line_at(&h, "first") < line_at(&h, "add-fd"));
	assert_true(line_at(&h, "add-fd") < line_at(&h, "last"));
	outcome_clear(&o[1]);
	heard_free(&h);
	peer_close(&p);
	assert_int_equal(open_fds(), before);
}

/* Alone in one send: a reader that takes all there is finds nothing behind it. */
static void test_nothing_behind_them_in_one_read(void **state)
{
	struct outcome o[2] = {0};
	struct stat st;
	int fd = make_fd(&st), got[FD_PASS_MAX];
	size_t n_fds = 0;
	char text[4096];
	struct peer p;

	(void)state;
	peer_ready(&p);
	call_with(&p, "add-fd", &fd, 1, 0, &o[0]);
	call_with(&p, "behind", NULL, 0, 0, &o[1]);
	close(fd);
	peer_spin(&p);
	assert_int_equal(fd_receive(p.fd, text, sizeof(text), got, &n_fds, NULL), 1);
	assert_int_equal(text[0], '{');
	assert_int_equal(n_fds, 1);
	close(got[0]);
	peer_close(&p);
}

/* QEMU must read nothing while it takes them: not what would come behind, and not one byte
 * after the message's last. */
static void test_all_are_held_until_the_first_is_answered(void **state)
{
	struct outcome o[4] = {0};
	struct heard h = {0};
	struct stat st[2];
	int fds[2];
	struct peer p;

	(void)state;
	peer_ready(&p);
	for (size_t i = 0; i < 2; i++)
		fds[i] = make_fd(&st[i]);
	call_with(&p, "before", NULL, 0, 0, &o[0]);
	call_with(&p, "one", &fds[0], 1, 0, &o[1]);
	call_with(&p, "two", &fds[1], 1, 0, &o[2]);
	call_with(&p, "behind", NULL, 0, 0, &o[3]);
	peer_spin(&p);
	hear(&p, &h);
	assert_int_equal(h.n_passed, 1);
	assert_string_equal(h.text, "{\"execute\":\"before\",\"id\":1}"
				    "{\"execute\":\"one\",\"id\":2}");
	/* Somebody else's answer lets nothing go. */
	peer_say(&p, "{\"return\": {}, \"id\": 1}\r\n");
	hear(&p, &h);
	assert_null(strstr(h.text, "two"));
	peer_say(&p, "{\"error\": {\"class\": \"GenericError\", \"desc\": \"x\"}, \"id\": 2}\r\n");
	hear(&p, &h);
	assert_int_equal(h.n_passed, 2);
	assert_int_equal(h.passed[1].at, line_at(&h, "two"));
	expect_same(h.passed[1].fds[0], &st[1]);
	assert_null(strstr(h.text, "behind"));
	peer_say(&p, "{\"return\": {}, \"id\": 3}\r\n");
	hear(&p, &h);
	(void)line_at(&h, "behind");
	for (size_t i = 0; i < 4; i++)
		outcome_clear(&o[i]);
	heard_free(&h);
	close(fds[0]);
	close(fds[1]);
	peer_close(&p);
}

static void forward_urgent(struct peer *p, const char *command, const int *fd, struct outcome *o)
{
	const struct qmp_forward what = {
		.command = command,
		.oob = true,
		.fds = fd,
		.n_fds = fd ? 1 : 0,
	};

	o->peer = p;
	assert_int_equal(qmp_client_forward(p->client, &what, peer_on_reply, o, NULL), 0);
}

/* It is for a QEMU that does not answer, unless it has some itself. */
static void test_urgent_is_not_held(void **state)
{
	struct outcome o[3] = {0};
	struct heard h = {0};
	struct stat st;
	int fd = make_fd(&st);
	struct peer p;

	(void)state;
	peer_open_as(&p, true, false);
	peer_say(&p, GREETING);
	(void)peer_heard(&p);
	peer_say(&p, NEGOTIATED);
	call_with(&p, "one", &fd, 1, 0, &o[0]);
	peer_spin(&p);
	forward_urgent(&p, "yank", NULL, &o[1]);
	peer_spin(&p);
	forward_urgent(&p, "with-one", &fd, &o[2]);
	peer_spin(&p);
	hear(&p, &h);
	assert_int_equal(h.n_passed, 1);
	assert_string_equal(h.text, "{\"execute\":\"one\",\"id\":1}"
				    "{\"exec-oob\":\"yank\",\"id\":2}");
	peer_say(&p, "{\"return\": {}, \"id\": 1}\r\n");
	hear(&p, &h);
	assert_int_equal(h.n_passed, 2);
	outcome_clear(&o[0]);
	heard_free(&h);
	close(fd);
	peer_close(&p);
}

/* Nobody waits for the answer any more, but QEMU may read the descriptors until then. */
static void test_timeout_holds_the_second(void **state)
{
	struct outcome o[2] = {0};
	struct heard h = {0};
	struct stat st;
	int fd = make_fd(&st);
	struct peer p;

	(void)state;
	peer_ready(&p);
	call_with(&p, "one", &fd, 1, 1, &o[0]);
	peer_spin(&p);
	call_with(&p, "two", &fd, 1, 0, &o[1]);
	peer_wait(&p, &o[0]);
	peer_spin(&p);
	hear(&p, &h);
	assert_int_equal(o[0].code, ETIMEDOUT);
	assert_int_equal(h.n_passed, 1);
	peer_say(&p, "{\"return\": {}, \"id\": 1}\r\n");
	hear(&p, &h);
	assert_int_equal(o[0].n, 1);
	assert_int_equal(h.n_passed, 2);
	assert_int_equal(h.passed[1].at, line_at(&h, "two"));
	heard_free(&h);
	close(fd);
	peer_close(&p);
}

static void test_queued_before_the_handshake(void **state)
{
	struct outcome o[2] = {0};
	struct heard h = {0};
	struct stat st;
	int fd = make_fd(&st);
	struct peer p;

	(void)state;
	peer_open(&p);
	call_with(&p, "one", &fd, 1, 0, &o[0]);
	call_with(&p, "two", &fd, 1, 0, &o[1]);
	close(fd);
	peer_say(&p, GREETING);
	hear(&p, &h);
	assert_string_equal(h.text, NEGOTIATE);
	assert_int_equal(h.n_passed, 0);
	peer_say(&p, NEGOTIATED "{\"return\": {}, \"id\": 1}\r\n");
	hear(&p, &h);
	assert_int_equal(h.n_passed, 2);
	assert_int_equal(h.passed[0].at, line_at(&h, "one"));
	assert_int_equal(h.passed[1].at, line_at(&h, "two"));
	outcome_clear(&o[0]);
	heard_free(&h);
	peer_close(&p);
}

/* Whatever the end is, no descriptor is left behind. */
static void test_none_is_left(void **state)
{
	unsigned before = open_fds();

	(void)state;
	for (int way = 0; way < 4; way++) {
		struct outcome o[2] = {0};
		struct stat st;
		int fd = make_fd(&st);
		struct peer p;

		peer_ready(&p);
		call_with(&p, "one", &fd, 1, 0, &o[0]);
		call_with(&p, "two", &fd, 1, 0, &o[1]);
		close(fd);
		if (way > 0)
			peer_spin(&p);
		if (way == 2)
			close_fd(&p.fd);
		if (way == 3)
			peer_send_bytes(&p, "nonsense\n", 9);
		if (way > 1)
			peer_spin(&p);
		peer_close(&p);
		assert_int_equal(o[0].n, 1);
		assert_int_equal(o[1].n, 1);
		assert_int_equal(open_fds(), before);
	}
}

static void test_refused(void **state)
{
	unsigned before = open_fds();
	int many[FD_PASS_MAX + 1], bad[] = {0, -1};
	struct error err = ERROR_INIT;
	struct peer p;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(many); i++)
		many[i] = STDERR_FILENO;
	peer_ready(&p);
	assert_int_equal(qmp_client_call(p.client, "x", json_object(), many, ARRAY_SIZE(many), 0,
					 peer_on_reply, NULL, &err),
			 -E2BIG);
	assert_int_equal(err.code, E2BIG);
	assert_int_equal(
		qmp_client_call(p.client, "x", json_object(), bad, 2, 0, peer_on_reply, NULL, &err),
		-EBADF);
	assert_int_equal(qmp_client_pending(p.client), 0);
	peer_spin(&p);
	assert_string_equal(peer_heard(&p), "");
	peer_close(&p);
	assert_int_equal(open_fds(), before);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_with_the_first_byte),
		cmocka_unit_test(test_nothing_behind_them_in_one_read),
		cmocka_unit_test(test_all_are_held_until_the_first_is_answered),
		cmocka_unit_test(test_urgent_is_not_held),
		cmocka_unit_test(test_timeout_holds_the_second),
		cmocka_unit_test(test_queued_before_the_handshake),
		cmocka_unit_test(test_none_is_left),
		cmocka_unit_test(test_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
