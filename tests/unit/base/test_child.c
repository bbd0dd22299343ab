/* SPDX-License-Identifier: MIT */
/* Spawning and waiting, of base/child.h: a child gets its map and nothing else. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/child.h"
#include "base/cleanup.h"
#include "base/error.h"
#include "base/file.h"
#include "base/str.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/wait.h>

static char *const env[] = {(char *)"PATH=/usr/bin:/bin", NULL};

/* A spec of /bin/sh -c script. */
static struct child_spec shell(char *argv[static 4], const char *script)
{
	argv[0] = (char *)"sh";
	argv[1] = (char *)"-c";
	argv[2] = (char *)script;
	argv[3] = NULL;
	return (struct child_spec){
		.path = "/bin/sh",
		.argv = argv,
		.env = env,
		.stdin_fd = -1,
		.stdout_fd = -1,
		.stderr_fd = -1,
		.cwd_fd = -1,
	};
}

/* Spawns, waits, and returns what came out at out_fd (a memory file). */
static char *output_of(const struct child_spec *spec, int out_fd)
{
	struct child c = CHILD_INIT;
	struct error err = ERROR_INIT;
	char path[32];
	char *text = NULL;
	int status = -1;

	if (child_spawn(spec, &c, &err) < 0)
		fail_msg("%s", err.text);
	assert_int_equal(child_wait(&c, -1, &status, &err), 0);
	assert_int_equal(status, 0);
	assert_int_equal(c.pid, 0);
	assert_int_equal(c.pidfd, -1);
	(void)str_format(path, sizeof(path), "/proc/self/fd/%d", out_fd);
	assert_int_equal(file_read(AT_FDCWD, path, 65536, &text, NULL, &err), 0);
	return text;
}

/* A memory file that holds text, at exactly the descriptor fd; -1 on failure. */
static int place(int fd, const char *text)
{
	cleanup_close int made = memfd_create("test", MFD_CLOEXEC);
	/* The number itself may be the one that is wanted. */
	cleanup_close int high = fcntl(made, F_DUPFD_CLOEXEC, 60);

	if (high < 0 || file_write_all(high, text, strlen(text), NULL) < 0)
		return -1;
	if (made == fd)
		made = -1;
	return dup3(high, fd, O_CLOEXEC) == fd ? 0 : -1;
}

/* Each row maps descriptors that hold their own number as text. */
static void test_descriptor_map(void **state)
{
	enum { FIRST = 20 };
	static const struct {
		struct child_fd map[5];
		size_t n;
		const char *shown; /* target=text for 3…9, - where closed */
	} rows[] = {
		{{{0}}, 0, "3- 4- 5- 6- 7- 8- 9- "},
		{{{20, 3}}, 1, "3=20 4- 5- 6- 7- 8- 9- "},
		/* The same descriptor twice, and a hole. */
		{{{20, 3}, {20, 6}, {21, 9}}, 3, "3=20 4- 5- 6=20 7- 8- 9=21 "},
	};

	(void)state;
	for (int fd = FIRST; fd < FIRST + 2; fd++) {
		char text[8];

		(void)str_format(text, sizeof(text), "%d", fd);
		assert_int_equal(place(fd, text), 0);
	}
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		cleanup_close int out = memfd_create("out", MFD_CLOEXEC);
		cleanup_free char *text = NULL;
		char *argv[4];
		struct child_spec spec =
			shell(argv, "for i in 3 4 5 6 7 8 9; do"
				    " if [ -e /proc/$$/fd/$i ];"
				    " then printf %s \"$i=$(cat /proc/$$/fd/$i) \";"
				    " else printf %s \"$i- \"; fi; done");

		spec.stdout_fd = out;
		spec.fds = rows[i].map;
		spec.n_fds = rows[i].n;
		text = output_of(&spec, out);
		assert_string_equal(text, rows[i].shown);
	}
	for (int fd = FIRST; fd < FIRST + 2; fd++)
		close(fd);
}

/* Sources and targets overlap. It runs in a process of its own, which has the
 * low numbers for itself. */
static _Noreturn void swap_main(const struct child_fd *map, size_t n, const char *script, int out)
{
	struct child c = CHILD_INIT;
	char *argv[4];
	struct child_spec spec = shell(argv, script);
	int status = -1, high = fcntl(out, F_DUPFD_CLOEXEC, 50);

	for (int fd = 3; fd <= 6; fd++) {
		char text[2] = {(char)('0' + fd), '\0'};

		if (place(fd, text) < 0)
			_exit(4);
	}
	spec.stdout_fd = high;
	spec.fds = map;
	spec.n_fds = n;
	if (child_spawn(&spec, &c, NULL) < 0 || child_wait(&c, -1, &status, NULL) < 0)
		_exit(1);
	/* The parent's own stay as they were. */
	for (int fd = 3; fd <= 6; fd++)
		if (!(fcntl(fd, F_GETFD) & FD_CLOEXEC))
			_exit(2);
	_exit(status ? 3 : 0);
}

static void test_descriptor_swaps(void **state)
{
	static const struct {
		struct child_fd map[4];
		size_t n;
		const char *shown; /* what 3, 4, 5, 6 hold */
	} rows[] = {
		{{{3, 4}, {4, 3}}, 2, "43--"},
		{{{3, 4}, {4, 5}, {5, 3}}, 3, "534-"},
		{{{6, 3}, {5, 4}, {4, 5}, {3, 6}}, 4, "6543"},
		{{{3, 3}, {3, 4}}, 2, "33--"},
		{{{4, 4}}, 1, "-4--"},
		{{{6, 5}}, 1, "--6-"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		cleanup_close int out = memfd_create("out", MFD_CLOEXEC);
		char text[8] = {0};
		int status;
		pid_t pid = fork();

		assert_true(pid >= 0);
		if (pid == 0)
			swap_main(rows[i].map, rows[i].n,
				  "for i in 3 4 5 6; do if [ -e /proc/$$/fd/$i ];"
				  " then cat /proc/$$/fd/$i; else printf -; fi; done",
				  out);
		assert_int_equal(waitpid(pid, &status, 0), pid);
		assert_int_equal(status, 0);
		assert_true(pread(out, text, sizeof(text) - 1, 0) >= 0);
		assert_string_equal(text, rows[i].shown);
	}
}

static void test_standard_streams(void **state)
{
	cleanup_close int in = memfd_create("in", MFD_CLOEXEC);
	cleanup_close int out = memfd_create("out", MFD_CLOEXEC);
	cleanup_free char *text = NULL;
	char *argv[4];
	struct child_spec spec = shell(argv, "cat; echo err >&2; pwd; echo \"$PATH\"");

	(void)state;
	assert_int_equal(file_write_all(in, "in\n", 3, NULL), 0);
	assert_int_equal(lseek(in, 0, SEEK_SET), 0);
	spec.stdin_fd = in;
	spec.stdout_fd = spec.stderr_fd = out;
	text = output_of(&spec, out);
	assert_string_equal(text, "in\nerr\n/\n/usr/bin:/bin\n");
}

static void test_exec_fails(void **state)
{
	char *argv[] = {(char *)"x", NULL};
	struct child_spec spec = {
		.path = "/nonexistent/program",
		.argv = argv,
		.stdin_fd = -1,
		.stdout_fd = -1,
		.stderr_fd = -1,
		.cwd_fd = -1,
	};
	struct child c = CHILD_INIT;
	struct error err = ERROR_INIT;

	(void)state;
	assert_int_equal(child_spawn(&spec, &c, &err), -ENOENT);
	assert_string_equal(err.text,
			    "start '/nonexistent/program': exec: No such file or directory");
	assert_int_equal(c.pid, 0);
	assert_int_equal(c.pidfd, -1);
	/* Nothing is left to reap. */
	assert_int_equal(waitpid(-1, NULL, WNOHANG), -1);
	spec.path = "/";
	assert_int_equal(child_spawn(&spec, &c, &err), -EACCES);
}

static int refuse(void *arg, int report_fd, const char **ret_what)
{
	(void)report_fd;
	*ret_what = arg;
	return -EPERM;
}

static void test_confine_fails(void **state)
{
	char *argv[4];
	struct child_spec spec = shell(argv, "exit 0");
	struct child c = CHILD_INIT;
	struct error err = ERROR_INIT;

	(void)state;
	spec.confine = refuse;
	spec.hook_arg = (char *)"drop capabilities";
	assert_int_equal(child_spawn(&spec, &c, &err), -EPERM);
	assert_string_equal(err.text,
			    "start '/bin/sh': drop capabilities: Operation not permitted");
	assert_int_equal(c.pidfd, -1);
}

static void test_wait_times_out(void **state)
{
	char *argv[4];
	struct child_spec spec = shell(argv, "read x");
	struct child c = CHILD_INIT;
	struct error err = ERROR_INIT;
	int status, pipe_fds[2];

	(void)state;
	assert_int_equal(pipe2(pipe_fds, O_CLOEXEC), 0);
	spec.stdin_fd = pipe_fds[0];
	assert_int_equal(child_spawn(&spec, &c, &err), 0);
	assert_int_equal(child_wait(&c, 0, &status, &err), -ETIMEDOUT);
	assert_true(c.pid > 0 && c.pidfd >= 0);
	assert_int_equal(kill(c.pid, 0), 0);
	assert_int_equal(child_signal(&c, SIGTERM, &err), 0);
	assert_int_equal(child_wait(&c, -1, &status, &err), 0);
	assert_true(WIFSIGNALED(status));
	assert_int_equal(WTERMSIG(status), SIGTERM);
	assert_int_equal(child_wait(&c, -1, &status, &err), -ECHILD);
	assert_int_equal(child_signal(&c, SIGTERM, &err), 0);
	close(pipe_fds[0]);
	close(pipe_fds[1]);
}

/* Signals that the parent ignores or blocks are as usual in the child. */
static void test_signals_are_reset(void **state)
{
	char *argv[4];
	struct child_spec spec = shell(argv, "kill -TERM $$; kill -PIPE $$; exit 7");
	struct child c = CHILD_INIT;
	sigset_t set, was;
	int status;

	(void)state;
	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	assert_int_equal(sigprocmask(SIG_BLOCK, &set, &was), 0);
	assert_int_equal(child_spawn(&spec, &c, NULL), 0);
	assert_int_equal(sigprocmask(SIG_SETMASK, &was, NULL), 0);
	assert_int_equal(child_wait(&c, -1, &status, NULL), 0);
	assert_true(WIFSIGNALED(status));
	assert_int_equal(WTERMSIG(status), SIGTERM);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_descriptor_map),    cmocka_unit_test(test_descriptor_swaps),
		cmocka_unit_test(test_standard_streams),  cmocka_unit_test(test_exec_fails),
		cmocka_unit_test(test_confine_fails),     cmocka_unit_test(test_wait_times_out),
		cmocka_unit_test(test_signals_are_reset),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
