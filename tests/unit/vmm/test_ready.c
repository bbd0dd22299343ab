/* SPDX-License-Identifier: MIT */
/* The one line between a supervisor in the background and who started it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/cleanup.h"
#include "base/error.h"
#include "base/str.h"
#include "vmm/ready.h"

#include <errno.h>
#include <fcntl.h>

/* Through a pipe, as it goes in life. */
static int tell(const struct error *told, struct error *err)
{
	char text[16384];
	size_t len = 0;
	ssize_t n;
	int fds[2];

	assert_int_equal(pipe2(fds, O_CLOEXEC), 0);
	ready_tell(fds[1], told);
	assert_int_equal(fcntl(fds[1], F_GETFD), -1);
	while ((n = read(fds[0], text + len, sizeof(text) - len)) > 0)
		len += (size_t)n;
	assert_int_equal(n, 0);
	close(fds[0]);
	return ready_decode(text, len, err);
}

static void test_ready(void **state)
{
	struct error err = ERROR_INIT;

	(void)state;
	assert_int_equal(tell(NULL, &err), 0);
	assert_int_equal(err.code, 0);
}

static void test_errors_arrive_whole(void **state)
{
	static const char *const texts[] = {
		"plain",    "", "it said \"no\", twice\nand \\ once", "\xc3\xbc \xe2\x82\xac",
		"100%s %n",
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
		struct error told = ERROR_INIT, err = ERROR_INIT;

		(void)error_set(&told, ENOSPC, "%s", texts[i]);
		assert_int_equal(tell(&told, &err), -ENOSPC);
		assert_int_equal(err.code, ENOSPC);
		assert_string_equal(err.text, texts[i]);
	}
}

/* A path need not be UTF-8, and a long text is cut wherever it is full. */
static void test_text_that_is_not_utf8(void **state)
{
	struct error told = ERROR_INIT, err = ERROR_INIT;

	(void)state;
	(void)error_set(&told, ENOENT, "open '/srv/\xff\xfe.qcow2'");
	assert_int_equal(tell(&told, &err), -ENOENT);
	assert_string_equal(err.text, "open '/srv/\\xff\\xfe.qcow2'");
	told.code = EIO;
	memset(told.text, 'x', sizeof(told.text));
	told.text[sizeof(told.text) - 2] = '\xc3';
	told.text[sizeof(told.text) - 1] = '\0';
	assert_int_equal(tell(&told, &err), -EIO);
	assert_memory_equal(err.text, "xxxx", 4);
}

static void test_nobody_asks(void **state)
{
	struct error told = ERROR_INIT;
	int fds[2];

	(void)state;
	(void)error_set(&told, EIO, "x");
	ready_tell(-1, NULL);
	ready_tell(-1, &told);
	/* Whoever asked has gone. */
	assert_int_equal(pipe2(fds, O_CLOEXEC), 0);
	close(fds[0]);
	ready_tell(fds[1], &told);
}

static void test_what_is_no_word(void **state)
{
	static const char *const rows[] = {
		"",
		"x",
		"null",
		"[]",
		"{}",
		"{\"ready\": false}",
		"{\"ready\": 1}",
		"{\"ready\": tru",
		"{\"error\": \"x\"}",
		"{\"error\": \"x\", \"code\": 0}",
		"{\"error\": \"x\", \"code\": -5}",
		"{\"error\": \"x\", \"code\": \"5\"}",
		"{\"error\": 5, \"code\": 5}",
		"{\"code\": 5}",
		"{\"error\": \"x\", \"code\": 5} {}",
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct error err = ERROR_INIT;

		if (ready_decode(rows[i], strlen(rows[i]), &err) != -EPIPE)
			fail_msg("taken: %s", rows[i]);
		assert_int_equal(err.code, EPIPE);
		assert_true(strlen(err.text) > 0);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_ready),
		cmocka_unit_test(test_errors_arrive_whole),
		cmocka_unit_test(test_text_that_is_not_utf8),
		cmocka_unit_test(test_nobody_asks),
		cmocka_unit_test(test_what_is_no_word),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
