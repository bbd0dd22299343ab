/* SPDX-License-Identifier: MIT */
/* Processes that learn by the end of a connection that their maker has gone. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/cleanup.h"
#include "base/error.h"
#include "base/guard.h"

#include <signal.h>
#include <stdbool.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

/* What such a process leaves: memory that it shares with us. */
struct marks {
	volatile bool said, in_session, ended, put_right;
};

static struct marks *marks;

static int setup(void **state)
{
	(void)state;
	marks = mmap(NULL, sizeof(*marks), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1,
		     0);
	return marks == MAP_FAILED ? -1 : 0;
}

static int teardown(void **state)
{
	(void)state;
	return munmap(marks, sizeof(*marks));
}

static int follow(void *arg)
{
	char word;

	(void)arg;
	marks->in_session = getsid(0) == getpid();
	marks->said = read(LEASH_FD, &word, 1) == 1 && word == 'x';
	/* Until there is nobody at the other end. */
	marks->ended = read(LEASH_FD, &word, 1) == 0;
	return EXIT_SUCCESS;
}

static void test_let_go(void **state)
{
	struct leash l = LEASH_INIT;

	(void)state;
	assert_int_equal(leash_start(&l, "follower", -1, follow, NULL, NULL), 0);
	assert_int_equal(write(l.fd, "x", 1), 1);
	assert_false(marks->ended);
	leash_let_go(&l);
	assert_true(marks->in_session && marks->said && marks->ended);
	assert_int_equal(l.fd, -1);
	assert_int_equal(l.process.pidfd, -1);
	/* Once more is nothing. */
	leash_let_go(&l);
}

static void put_right(void *arg)
{
	*(volatile bool *)arg = true;
}

static void start_guard(struct guard *g)
{
	assert_int_equal(guard_start(g, "guard", put_right, (void *)&marks->put_right, NULL), 0);
}

static void test_guard_is_dismissed(void **state)
{
	struct guard g = GUARD_INIT;

	(void)state;
	start_guard(&g);
	guard_dismiss(&g);
	assert_false(marks->put_right);
	/* And has nothing to do any more. */
	guard_let_act(&g);
	assert_false(marks->put_right);
}

static void test_guard_is_let_act(void **state)
{
	struct guard g = GUARD_INIT;

	(void)state;
	start_guard(&g);
	guard_let_act(&g);
	assert_true(marks->put_right);
}

/* As all of a unit that is stopped, whose maker may hold the signal. */
static void test_guard_is_asked_to_end(void **state)
{
	static const int asking[] = {SIGINT, SIGTERM, SIGHUP};
	struct guard g = GUARD_INIT;

	(void)state;
	start_guard(&g);
	for (size_t i = 0; i < ARRAY_SIZE(asking); i++)
		assert_int_equal(child_signal(&g.leash.process, asking[i], NULL), 0);
	guard_let_act(&g);
	assert_true(marks->put_right);
}

/* That is nothing which its maker dies of, or leaves behind. */
static void test_guard_is_killed(void **state)
{
	struct guard g = GUARD_INIT;
	siginfo_t info = {0};
	pid_t pid;

	(void)state;
	start_guard(&g);
	pid = g.leash.process.pid;
	assert_int_equal(child_signal(&g.leash.process, SIGKILL, NULL), 0);
	assert_int_equal(waitid(P_PID, (id_t)pid, &info, WEXITED | WNOWAIT), 0);
	guard_dismiss(&g);
	assert_false(marks->put_right);
	assert_int_equal(g.leash.fd, -1);
	assert_int_equal(waitpid(pid, NULL, WNOHANG), -1);
}

static void test_maker_is_killed(void **state)
{
	pid_t maker;
	int status;

	(void)state;
	/* The guard becomes ours when its maker has gone. */
	assert_int_equal(prctl(PR_SET_CHILD_SUBREAPER, 1), 0);
	maker = fork();
	assert_true(maker >= 0);
	if (maker == 0) {
		struct guard g = GUARD_INIT;

		if (guard_start(&g, "guard", put_right, (void *)&marks->put_right, NULL) == 0)
			(void)raise(SIGKILL);
		_exit(EXIT_FAILURE);
	}
	assert_int_equal(waitpid(maker, &status, 0), maker);
	assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
	assert_true(wait(&status) > 0);
	assert_int_equal(status, 0);
	assert_true(marks->put_right);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_let_go, setup, teardown),
		cmocka_unit_test_setup_teardown(test_guard_is_dismissed, setup, teardown),
		cmocka_unit_test_setup_teardown(test_guard_is_let_act, setup, teardown),
		cmocka_unit_test_setup_teardown(test_guard_is_asked_to_end, setup, teardown),
		cmocka_unit_test_setup_teardown(test_guard_is_killed, setup, teardown),
		cmocka_unit_test_setup_teardown(test_maker_is_killed, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
