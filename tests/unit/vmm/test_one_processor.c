/* SPDX-License-Identifier: MIT */
/* A process on one processor, and back: by a process with threads, looked at by the kernel's word.
 */
#include "vmm/snapshot/one_processor.h"

#include <dirent.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

struct fixture {
	cpu_set_t all; /* where this test may be */
	pid_t pid; /* of a process with threads */
	int fd; /* a byte makes one more, and is answered with its number */
	pid_t apart; /* one of them that is bound already */
};

static void *sleep_on(void *arg)
{
	pid_t self = gettid();

	if (write(*(int *)arg, &self, sizeof(self)) == sizeof(self))
		for (;;)
			(void)pause();
	return NULL;
}

static int serve(int fd)
{
	pthread_t thread;
	char word;

	while (read(fd, &word, 1) == 1)
		if (pthread_create(&thread, NULL, sleep_on, &fd) != 0)
			return EXIT_FAILURE;
	return EXIT_SUCCESS;
}

static pid_t one_more(const struct fixture *f)
{
	pid_t thread = 0;

	assert_int_equal(write(f->fd, "", 1), 1);
	assert_int_equal(read(f->fd, &thread, sizeof(thread)), sizeof(thread));
	return thread;
}

static cpu_set_t first_of(const cpu_set_t *set)
{
	cpu_set_t one;
	unsigned cpu = 0;

	while (!CPU_ISSET(cpu, set))
		cpu++;
	CPU_ZERO(&one);
	CPU_SET(cpu, &one);
	return one;
}

static int setup(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));
	cpu_set_t one;
	int fds[2];

	assert_non_null(f);
	*state = f;
	assert_int_equal(sched_getaffinity(0, sizeof(f->all), &f->all), 0);
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds), 0);
	f->pid = fork();
	assert_true(f->pid >= 0);
	if (f->pid == 0) {
		close(fds[0]);
		_exit(prctl(PR_SET_PDEATHSIG, SIGKILL) < 0 ? EXIT_FAILURE : serve(fds[1]));
	}
	close(fds[1]);
	f->fd = fds[0];
	(void)one_more(f);
	f->apart = one_more(f);
	one = first_of(&f->all);
	assert_int_equal(sched_setaffinity(f->apart, sizeof(one), &one), 0);
	return 0;
}

static int teardown(void **state)
{
	struct fixture *f = *state;
	int status;

	close(f->fd);
	assert_int_equal(waitpid(f->pid, &status, 0), f->pid);
	assert_int_equal(status, 0);
	free(f);
	return 0;
}

static bool is_at(pid_t thread, const cpu_set_t *set)
{
	cpu_set_t now;

	assert_int_equal(sched_getaffinity(thread, sizeof(now), &now), 0);
	return CPU_EQUAL(&now, set);
}

/* How many of its threads may be at set, and nowhere else. */
static size_t count_at(const struct fixture *f, const cpu_set_t *set)
{
	struct dirent *entry;
	char path[32];
	size_t n = 0;
	DIR *dir;

	(void)snprintf(path, sizeof(path), "/proc/%d/task", (int)f->pid);
	dir = opendir(path);
	assert_non_null(dir);
	while ((entry = readdir(dir)))
		n += *entry->d_name != '.' && is_at((pid_t)strtol(entry->d_name, NULL, 10), set);
	closedir(dir);
	return n;
}

static void needs_two(const struct fixture *f)
{
	if (CPU_COUNT(&f->all) > 1)
		return;
	print_message("there is one processor, and nothing to choose\n");
	skip();
}

static void test_there_and_back(void **state)
{
	struct fixture *f = *state;
	struct one_processor p;
	cpu_set_t one = first_of(&f->all);

	needs_two(f);
	one_processor_begin(&p, f->pid);
	assert_int_equal(CPU_COUNT(&p.one), 1);
	assert_int_equal(count_at(f, &f->all), 0);
	assert_true(is_at(f->pid, &p.one));
	assert_true(is_at(f->apart, &one));
	assert_true(is_at(one_more(f), &p.one));
	one_processor_end(&p);
	/* Four, of which one was never touched. */
	assert_int_equal(count_at(f, &f->all), 3);
	assert_true(is_at(f->apart, &one));
}

static void test_guard_is_killed(void **state)
{
	struct fixture *f = *state;
	struct one_processor p;

	needs_two(f);
	one_processor_begin(&p, f->pid);
	assert_int_equal(child_signal(&p.guard.leash.process, SIGKILL, NULL), 0);
	one_processor_end(&p);
	assert_int_equal(count_at(f, &f->all), 2);
}

static void test_is_there_already(void **state)
{
	struct fixture *f = *state;
	cpu_set_t one = first_of(&f->all);
	struct one_processor p;

	assert_int_equal(sched_setaffinity(0, sizeof(one), &one), 0);
	assert_int_equal(sched_setaffinity(f->pid, sizeof(one), &one), 0);
	one_processor_begin(&p, f->pid);
	one_processor_end(&p);
	assert_int_equal(sched_setaffinity(0, sizeof(f->all), &f->all), 0);
	assert_true(is_at(f->pid, &one));
	assert_true(is_at(f->apart, &one));
}

/* We are where it may not be. */
static void test_is_elsewhere(void **state)
{
	struct fixture *f = *state;
	cpu_set_t one = first_of(&f->all), rest;
	struct one_processor p;

	needs_two(f);
	CPU_XOR(&rest, &f->all, &one);
	assert_int_equal(sched_setaffinity(0, sizeof(one), &one), 0);
	assert_int_equal(sched_setaffinity(f->pid, sizeof(rest), &rest), 0);
	one_processor_begin(&p, f->pid);
	assert_true(is_at(f->pid, &rest));
	one_processor_end(&p);
	assert_int_equal(sched_setaffinity(0, sizeof(f->all), &f->all), 0);
	assert_true(is_at(f->pid, &rest));
}

static void test_there_is_none(void **state)
{
	struct one_processor p;
	int status;
	pid_t pid = fork();

	(void)state;
	assert_true(pid >= 0);
	if (pid == 0)
		_exit(0);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	one_processor_begin(&p, pid);
	one_processor_end(&p);
	one_processor_begin(&p, 0);
	one_processor_end(&p);
}

static void test_caller_is_killed(void **state)
{
	struct fixture *f = *state;
	int status, ended = 0;
	pid_t caller;

	needs_two(f);
	/* What puts it right becomes ours when the caller has gone. */
	assert_int_equal(prctl(PR_SET_CHILD_SUBREAPER, 1), 0);
	caller = fork();
	assert_true(caller >= 0);
	if (caller == 0) {
		struct one_processor p;

		one_processor_begin(&p, f->pid);
		if (is_at(f->pid, &p.one))
			(void)raise(SIGKILL);
		_exit(EXIT_FAILURE);
	}
	assert_int_equal(waitpid(caller, &status, 0), caller);
	assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
	do {
		ended = waitpid(-1, &status, 0);
	} while (ended == f->pid);
	assert_true(ended > 0);
	assert_int_equal(status, 0);
	assert_int_equal(count_at(f, &f->all), 2);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_there_and_back, setup, teardown),
		cmocka_unit_test_setup_teardown(test_guard_is_killed, setup, teardown),
		cmocka_unit_test_setup_teardown(test_is_there_already, setup, teardown),
		cmocka_unit_test_setup_teardown(test_is_elsewhere, setup, teardown),
		cmocka_unit_test_setup_teardown(test_caller_is_killed, setup, teardown),
		cmocka_unit_test(test_there_is_none),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
