/* SPDX-License-Identifier: MIT */
/* Servers that never come to an end, each a process at the other end of a socket. What else they
 * may do is in tests/integration/images. */
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
#include "vmm/volumes/download.h"

#include <arpa/inet.h>
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>

enum { MIB = 1 << 20 };

#define UNTOLD_MAX (64LL << 30)

/* What it answers each time: at first this, then that again and again. */
struct server {
	const char *first, *again;
	int pause_ms; /* between two of them; 0: as quick as it goes */
	int times; /* how often, before it hangs up; 0: for ever */
	pid_t pid;
	char url[64];
};

static void serve(const struct server *s, int fd)
{
	char asked[4096];

	if (read(fd, asked, sizeof(asked)) <= 0 ||
	    send(fd, s->first, strlen(s->first), MSG_NOSIGNAL) < 0)
		return;
	for (int i = 0; !s->times || i < s->times; i++) {
		struct pollfd gone = {.fd = fd, .events = POLLRDHUP};

		if (poll(&gone, 1, s->pause_ms) > 0 ||
		    send(fd, s->again, strlen(s->again), MSG_NOSIGNAL) < 0)
			return;
	}
}

static void start(struct server *s)
{
	struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t len = sizeof(at);
	cleanup_close int listening = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	assert_true(listening >= 0);
	assert_int_equal(bind(listening, (struct sockaddr *)&at, sizeof(at)), 0);
	assert_int_equal(listen(listening, 8), 0);
	assert_int_equal(getsockname(listening, (struct sockaddr *)&at, &len), 0);
	(void)str_format(s->url, sizeof(s->url), "http://127.0.0.1:%u/x", ntohs(at.sin_port));
	s->pid = fork();
	assert_true(s->pid >= 0);
	if (s->pid)
		return;
	(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
	for (;;) {
		cleanup_close int fd = accept4(listening, NULL, NULL, SOCK_CLOEXEC);

		serve(s, fd);
	}
}

static void end(const struct server *s)
{
	(void)kill(s->pid, SIGKILL);
	assert_int_equal(waitpid(s->pid, NULL, 0), s->pid);
}

static volatile sig_atomic_t stop;

static void stop_now(void *arg, uint64_t done, uint64_t total)
{
	(void)arg, (void)done, (void)total;
	stop = 1;
}

static int open_part(const struct scratch *s)
{
	int fd = openat(s->fd, "part", O_RDWR | O_CREAT | O_CLOEXEC, 0600);

	assert_true(fd >= 0);
	return fd;
}

/* Where it is a proxy, the URL is another one. */
static int fetch_by(const struct scratch *s, struct server *server, const char *url, int fd,
		    bool stops, struct error *err)
{
	const struct paths paths = {.state = s->path, .run = s->path};
	int rc;

	stop = 0;
	start(server);
	(void)setenv("no_proxy", url ? "" : "*", 1);
	(void)setenv("https_proxy", url ? server->url : "", 1);
	rc = download_run(
		&(struct download){
			.paths = &paths,
			.url = url ? url : server->url,
			.fd = fd,
			.progress = stops ? stop_now : NULL,
			.stop = &stop,
			.patience_s = stops ? 0 : 1,
		},
		err);
	end(server);
	return rc;
}

static int fetch(const struct scratch *s, struct server *server, int fd, bool stops,
		 struct error *err)
{
	return fetch_by(s, server, NULL, fd, stops, err);
}

static void test_a_byte_now_and_then(void **state)
{
	struct server server = {.first = "HTTP/1.1 200 OK\r\n\r\n", .again = "x", .pause_ms = 100};
	cleanup_close int fd = open_part(*state);
	struct error err = ERROR_INIT;

	assert_int_equal(fetch(*state, &server, fd, false, &err), -EIO);
	assert_non_null(strstr(err.text, "sends next to nothing, again and again"));
}

static void test_a_redirection_that_never_ends(void **state)
{
	struct server server = {
		.first = "HTTP/1.1 302 Found\r\nLocation: /y\r\nTransfer-Encoding: chunked\r\n\r\n",
		.again = "10\r\n0123456789abcdef\r\n",
		.pause_ms = 1,
	};
	cleanup_close int fd = open_part(*state);
	struct error err = ERROR_INIT;
	struct stat st;

	assert_int_equal(fetch(*state, &server, fd, false, &err), -EIO);
	assert_non_null(strstr(err.text, "sends next to nothing, again and again"));
	assert_int_equal(fstat(fd, &st), 0);
	assert_int_equal(st.st_size, 0);
}

/* It gets further each time, and would still do so in a thousand years. */
static void test_a_byte_each_time(void **state)
{
	struct server server = {.first = "HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n",
				.again = "x",
				.times = 1};
	cleanup_close int fd = open_part(*state);
	struct error err = ERROR_INIT;

	assert_int_equal(fetch(*state, &server, fd, false, &err), -EIO);
	assert_non_null(strstr(err.text, "the server breaks off, again and again"));
}

/* Where it is told of no end, there is one all the same. */
static void test_no_end(void **state)
{
	cleanup_free char *first = str_printf(
		"HTTP/1.1 206 Partial\r\nContent-Range: bytes %lld-/*\r\n\r\n", UNTOLD_MAX);
	cleanup_free char *again = malloc(MIB + 1);
	struct server server = {.first = first, .again = again};
	cleanup_close int fd = open_part(*state);
	struct error err = ERROR_INIT;

	assert_non_null(first);
	assert_non_null(again);
	memset(again, 'x', MIB);
	again[MIB] = '\0';
	if (ftruncate(fd, UNTOLD_MAX) < 0) {
		assert_int_equal(errno, EFBIG);
		skip();
	}
	assert_int_equal(fetch(*state, &server, fd, false, &err), -EFBIG);
	assert_non_null(strstr(err.text, "64 GiB came without an end"));
}

/* That it is to stop is seen, though it comes between two reports and nothing is brought. */
static void test_stop(void **state)
{
	struct server server = {.first = "HTTP/1.1 200 OK\r\n\r\n", .again = "x", .pause_ms = 100};
	cleanup_close int fd = open_part(*state);
	struct error err = ERROR_INIT;

	assert_int_equal(fetch(*state, &server, fd, true, &err), -ECANCELED);
}

/* What comes from a proxy before it is connected is no answer. */
static void test_a_proxy_that_never_answers(void **state)
{
	struct server server = {.first = "HTTP/1.1 200 OK\r\nX: ", .again = "x", .pause_ms = 100};
	cleanup_close int fd = open_part(*state);
	struct error err = ERROR_INIT;

	assert_int_equal(fetch_by(*state, &server, "https://h.test/x", fd, false, &err), -EIO);
	assert_non_null(strstr(err.text, "nobody answers, again and again (https_proxy is set)"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		scratch_test(test_a_byte_now_and_then),
		scratch_test(test_a_redirection_that_never_ends),
		scratch_test(test_a_byte_each_time),
		scratch_test(test_no_end),
		scratch_test(test_stop),
		scratch_test(test_a_proxy_that_never_answers),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
