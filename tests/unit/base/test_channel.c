/* SPDX-License-Identifier: MIT */
/* Fixed-size messages between two processes, of base/channel.h. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/channel.h"
#include "base/child.h"
#include "base/cleanup.h"
#include "base/error.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

struct message {
	int kind;
	char text[60];
};

static void test_message_and_descriptor(void **state)
{
	struct message sent = {.kind = 7, .text = "hello"}, got = {0};
	cleanup_close int null_fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
	struct error err = ERROR_INIT;
	int ends[2], fd = -2;

	(void)state;
	assert_int_equal(channel_pair(&ends[0], &ends[1], &err), 0);
	assert_int_equal(channel_receive(ends[1], &got, sizeof(got), &fd, &err), -EAGAIN);
	assert_int_equal(channel_send(ends[0], &sent, sizeof(sent), null_fd, &err), 0);
	assert_int_equal(channel_receive(ends[1], &got, sizeof(got), &fd, &err), 1);
	assert_memory_equal(&got, &sent, sizeof(got));
	assert_true(fd >= 0 && fcntl(fd, F_GETFD) == FD_CLOEXEC);
	(void)close(fd);
	assert_int_equal(channel_send(ends[0], &sent, sizeof(sent), -1, &err), 0);
	assert_int_equal(channel_receive(ends[1], &got, sizeof(got), &fd, &err), 1);
	assert_int_equal(fd, -1);
	(void)close(ends[0]);
	assert_int_equal(channel_receive(ends[1], &got, sizeof(got), &fd, &err), 0);
	assert_int_equal(channel_send(ends[1], &sent, sizeof(sent), -1, &err), -EPIPE);
	(void)close(ends[1]);
}

/* What is not exactly a message is none, and its descriptors are not kept. */
static void test_odd_messages(void **state)
{
	struct message got = {0};
	char long_one[sizeof(got) + 1] = {0};
	struct error err = ERROR_INIT;
	int ends[2], fd, next;

	(void)state;
	assert_int_equal(channel_pair(&ends[0], &ends[1], &err), 0);
	assert_int_equal(send(ends[0], long_one, 3, 0), 3);
	assert_int_equal(channel_receive(ends[1], &got, sizeof(got), &fd, &err), -EPROTO);
	assert_int_equal(send(ends[0], long_one, sizeof(long_one), 0), sizeof(long_one));
	assert_int_equal(channel_receive(ends[1], &got, sizeof(got), &fd, &err), -EMSGSIZE);
	next = dup(ends[0]);
	(void)close(next);
	assert_int_equal(channel_send(ends[0], &got, sizeof(got), ends[0], &err), 0);
	assert_int_equal(channel_receive(ends[1], &got, sizeof(got), NULL, &err), -EPROTO);
	fd = dup(ends[0]);
	assert_int_equal(fd, next);
	(void)close(fd);
	(void)close(ends[0]);
	(void)close(ends[1]);
}

static int answer(void *arg)
{
	struct message m = {.kind = 1};

	return channel_send(3, &m, sizeof(m), -1, NULL) == 0 ? *(int *)arg : 1;
}

/* A copy of this process that has its end of the channel and no other. */
static void test_run_in_a_child(void **state)
{
	struct child child = CHILD_INIT;
	struct error err = ERROR_INIT;
	struct message got = {0};
	int ends[2], status = 0, code = 42;

	(void)state;
	assert_int_equal(channel_pair(&ends[0], &ends[1], &err), 0);
	assert_int_equal(child_spawn(
				 &(struct child_spec){
					 .path = "answerer",
					 .fds = &(struct child_fd){.fd = ends[1], .target = 3},
					 .n_fds = 1,
					 .stdin_fd = -1,
					 .stdout_fd = -1,
					 .stderr_fd = -1,
					 .cwd_fd = -1,
					 .run = answer,
					 .run_arg = &code,
				 },
				 &child, &err),
			 0);
	(void)close(ends[1]);
	assert_int_equal(child_wait(&child, 10000, &status, &err), 0);
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 42);
	assert_int_equal(channel_receive(ends[0], &got, sizeof(got), NULL, &err), 1);
	assert_int_equal(got.kind, 1);
	assert_int_equal(channel_receive(ends[0], &got, sizeof(got), NULL, &err), 0);
	(void)close(ends[0]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_message_and_descriptor),
		cmocka_unit_test(test_odd_messages),
		cmocka_unit_test(test_run_in_a_child),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
