/* SPDX-License-Identifier: MIT */
/* Programs run to their end, and processes that are not ours, of base/child.h. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/child.h"
#include "base/cleanup.h"
#include "base/error.h"
#include "base/str.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

static int run(const char *script, int timeout_ms, char **ret_stdout, struct error *err)
{
	char *argv[] = {(char *)"sh", (char *)"-c", (char *)script, NULL};

	return child_run("/bin/sh", argv, NULL, 0, timeout_ms, ret_stdout, err);
}

static void test_run(void **state)
{
	cleanup_free char *out = NULL, *nothing = NULL;
	struct error err = ERROR_INIT;

	(void)state;
	assert_int_equal(run("echo said; echo 'not this' >&2", -1, &out, &err), 0);
	assert_string_equal(out, "said\n");
	assert_int_equal(run("exit 0", -1, &nothing, &err), 0);
	assert_string_equal(nothing, "");
	assert_int_equal(run("echo ignored", -1, NULL, &err), 0);
}

static void test_run_fails(void **state)
{
	static const struct {
		const char *script, *text;
	} rows[] = {
		{"exit 3", "'/bin/sh' exited with status 3"},
		{"echo out; exit 1", "'/bin/sh' exited with status 1"},
		{"printf 'first\\nlast\\n\\n' >&2; exit 1", "'/bin/sh' exited with status 1: last"},
		{"printf 'no newline' >&2; exit 1", "'/bin/sh' exited with status 1: no newline"},
		{"printf '\\n\\n' >&2; exit 1", "'/bin/sh' exited with status 1"},
		{"printf 'a\\033[2Jb\\r\\n' >&2; exit 1",
		 "'/bin/sh' exited with status 1: a\\x1b[2Jb"},
		{"echo dying >&2; kill -KILL $$", "'/bin/sh' was killed by SIGKILL: dying"},
		/* More than is kept: the end counts, that is where the reason is. */
		{"head -c 300000 /dev/zero | tr '\\0' '\\n' >&2; echo reason >&2; exit 1",
		 "'/bin/sh' exited with status 1: reason"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		char *out = NULL;
		struct error err = ERROR_INIT;

		assert_int_equal(run(rows[i].script, -1, &out, &err), -EPROTO);
		assert_string_equal(err.text, rows[i].text);
		assert_null(out);
	}
}

/* Output beyond the bound is thrown away, and the writer never blocks. The
 * first byte comes alone, so that the bound falls within a read. */
static void test_run_bounds_output(void **state)
{
	cleanup_free char *out = NULL;
	struct error err = ERROR_INIT;

	(void)state;
	assert_int_equal(run("printf x; head -c 300000 /dev/zero | tr '\\0' y", -1, &out, &err), 0);
	assert_int_equal(strlen(out), 64 * 1024);
}

static void test_run_times_out(void **state)
{
	struct error err = ERROR_INIT;

	(void)state;
	assert_int_equal(run("exec sleep 1000", 0, NULL, &err), -ETIMEDOUT);
	assert_string_equal(err.text, "'/bin/sh' did not end within 0 ms");
	/* Killed and reaped. */
	assert_int_equal(waitpid(-1, NULL, WNOHANG), -1);
}

static volatile sig_atomic_t stop;

static void on_said(void *arg, const char *data, size_t len)
{
	struct strbuf *said = arg;

	strbuf_add(said, data, len);
	stop = strstr(said->data, "stop") != NULL;
}

static void test_run_watched(void **state)
{
	cleanup_strbuf struct strbuf said = {0};
	const struct child_watch watch = {on_said, &stop, &said};
	char *argv[] = {(char *)"sh", (char *)"-c", NULL, NULL};
	struct error err = ERROR_INIT;

	(void)state;
	stop = 0;
	argv[2] = (char *)"echo one; echo two >&2; echo three";
	assert_int_equal(child_run_watched("/bin/sh", argv, &watch, &err), 0);
	assert_string_equal(said.data, "one\nthree\n");
	argv[2] = (char *)"echo no way >&2; exit 3";
	assert_int_equal(child_run_watched("/bin/sh", argv, &watch, &err), -EPROTO);
	assert_string_equal(err.text, "'/bin/sh' exited with status 3: no way");
	argv[2] = (char *)"echo stop; exec sleep 1000";
	assert_int_equal(child_run_watched("/bin/sh", argv, &watch, &err), -ECANCELED);
	assert_string_equal(err.text, "interrupted");
}

static void test_describe(void **state)
{
	static const struct {
		int status;
		const char *text;
	} rows[] = {
		{0, "exited with status 0"},
		{1 << 8, "exited with status 1"},
		{SIGSEGV, "was killed by SIGSEGV"},
		{SIGKILL, "was killed by SIGKILL"},
		{SIGABRT | 0x80, "was killed by SIGABRT"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		char text[64];

		child_describe_status(text, sizeof(text), rows[i].status);
		assert_string_equal(text, rows[i].text);
	}
}

/* A child that waits until it is killed. */
static void spawn_waiting(struct child *ret_child)
{
	char *argv[] = {(char *)"sleep", (char *)"1000", NULL};
	const struct child_spec spec = {
		.path = "/bin/sleep",
		.argv = argv,
		.stdin_fd = -1,
		.stdout_fd = -1,
		.stderr_fd = -1,
		.cwd_fd = -1,
	};

	assert_int_equal(child_spawn(&spec, ret_child, NULL), 0);
}

static void test_start_time(void **state)
{
	cleanup_child struct child c = CHILD_INIT;
	unsigned long long own = 0, again = 1, its = 0;
	struct error err = ERROR_INIT;
	char was[16];

	(void)state;
	assert_int_equal(child_start_time(getpid(), &own, &err), 0);
	/* A name that looks like the fields behind it. */
	assert_int_equal(prctl(PR_GET_NAME, was), 0);
	assert_int_equal(prctl(PR_SET_NAME, "a) R 1 (2 3 4"), 0);
	assert_int_equal(child_start_time(getpid(), &again, &err), 0);
	assert_int_equal(prctl(PR_SET_NAME, was), 0);
	assert_true(own > 0);
	assert_int_equal(own, again);
	spawn_waiting(&c);
	assert_int_equal(child_start_time(c.pid, &its, &err), 0);
	assert_true(its >= own);
}

static void test_adopt(void **state)
{
	struct child c = CHILD_INIT, adopted = CHILD_INIT;
	struct error err = ERROR_INIT;
	unsigned long long ticks;
	pid_t pid;

	(void)state;
	spawn_waiting(&c);
	pid = c.pid;
	assert_int_equal(child_start_time(pid, &ticks, &err), 0);
	assert_int_equal(child_adopt(pid, ticks + 1, &adopted, &err), -ESRCH);
	assert_int_equal(adopted.pidfd, -1);
	assert_int_equal(child_adopt(0, ticks, &adopted, &err), -ESRCH);
	assert_int_equal(child_adopt(-1, ticks, &adopted, &err), -ESRCH);
	assert_int_equal(child_adopt(pid, ticks, &adopted, &err), 0);
	assert_int_equal(adopted.pid, pid);
	assert_int_equal(child_wait(&adopted, 0, NULL, &err), -ETIMEDOUT);
	child_destroy(&c);
	assert_int_equal(child_wait(&adopted, -1, NULL, &err), 0);
	assert_int_equal(adopted.pidfd, -1);
	assert_int_equal(child_adopt(pid, ticks, &adopted, &err), -ESRCH);
}

/* Not a child of ours: its end is seen, its status is not. */
static void test_adopt_stranger(void **state)
{
	cleanup_free char *out = NULL;
	struct child adopted = CHILD_INIT;
	unsigned long long ticks;
	struct error err = ERROR_INIT;
	int status = -1;
	uint64_t pid;

	(void)state;
	assert_int_equal(run("sleep 1000 >/dev/null 2>&1 & printf %d $!", -1, &out, &err), 0);
	assert_true(str_parse_u64(out, INT32_MAX, &pid));
	assert_int_equal(child_start_time((pid_t)pid, &ticks, &err), 0);
	assert_int_equal(child_adopt((pid_t)pid, ticks, &adopted, &err), 0);
	assert_int_equal(child_signal(&adopted, SIGKILL, &err), 0);
	assert_int_equal(child_wait(&adopted, -1, &status, &err), 0);
	assert_int_equal(status, 0);
}

struct thread {
	pthread_mutex_t hold;
	pid_t tid;
	int ready[2];
};

static void *thread_main(void *arg)
{
	struct thread *t = arg;

	t->tid = gettid();
	(void)!write(t->ready[1], "x", 1);
	pthread_mutex_lock(&t->hold);
	pthread_mutex_unlock(&t->hold);
	return NULL;
}

/* The number of a process that ended may be that of a thread by now. */
/* From the signal on, not from the last breath: a process that stands still has taken
 * no notice of it yet. */
static void test_ending(void **state)
{
	struct child c = CHILD_INIT;
	siginfo_t info;
	pid_t pid = fork();

	(void)state;
	if (pid == 0)
		for (;;)
			(void)pause();
	c = (struct child){.pid = pid, .pidfd = (int)syscall(SYS_pidfd_open, pid, 0)};
	assert_true(c.pidfd >= 0);
	assert_false(child_is_ending(&c));
	assert_int_equal(kill(pid, SIGSTOP), 0);
	assert_int_equal(waitid(P_PID, (id_t)pid, &info, WSTOPPED), 0);
	assert_int_equal(kill(pid, SIGTERM), 0);
	/* It may still heed that, or not. */
	assert_false(child_is_ending(&c));
	assert_int_equal(kill(pid, SIGKILL), 0);
	assert_true(child_is_ending(&c));
	/* Dead, and not reaped. */
	assert_int_equal(waitid(P_PID, (id_t)pid, &info, WEXITED | WNOWAIT), 0);
	assert_true(child_is_ending(&c));
	assert_int_equal(waitpid(pid, NULL, 0), pid);
	assert_true(child_is_ending(&c));
	close_fd(&c.pidfd);
}

static void test_adopt_thread(void **state)
{
	struct thread t = {.hold = PTHREAD_MUTEX_INITIALIZER};
	struct child adopted = CHILD_INIT;
	pthread_t thread;
	char byte;

	(void)state;
	assert_int_equal(pipe(t.ready), 0);
	pthread_mutex_lock(&t.hold);
	assert_int_equal(pthread_create(&thread, NULL, thread_main, &t), 0);
	assert_int_equal(read(t.ready[0], &byte, 1), 1);
	assert_int_equal(child_adopt(t.tid, 1, &adopted, NULL), -ESRCH);
	assert_int_equal(adopted.pidfd, -1);
	pthread_mutex_unlock(&t.hold);
	assert_int_equal(pthread_join(thread, NULL), 0);
	close(t.ready[0]);
	close(t.ready[1]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_run),
		cmocka_unit_test(test_run_fails),
		cmocka_unit_test(test_run_bounds_output),
		cmocka_unit_test(test_run_times_out),
		cmocka_unit_test(test_run_watched),
		cmocka_unit_test(test_describe),
		cmocka_unit_test(test_start_time),
		cmocka_unit_test(test_adopt),
		cmocka_unit_test(test_adopt_stranger),
		cmocka_unit_test(test_adopt_thread),
		cmocka_unit_test(test_ending),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
