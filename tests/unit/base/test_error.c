/* SPDX-License-Identifier: MIT */
/* The error convention of base/error.h. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/cleanup.h"
#include "base/error.h"

#include <errno.h>
#include <string.h>

static void test_set_and_wrap(void **state)
{
	struct error err = ERROR_INIT;

	(void)state;
	assert_int_equal(error_errno(&err, ENOENT, "open disk '%s'", "/x.qcow2"), -ENOENT);
	assert_int_equal(err.code, ENOENT);
	assert_int_equal(error_wrap(&err, -ENOENT, "vm '%s'", "dc01"), -ENOENT);
	assert_string_equal(err.text, "vm 'dc01': open disk '/x.qcow2': No such file or directory");
	/* The code of the caller's choice is returned, that of the cause is kept. */
	assert_int_equal(error_wrap(&err, -7, "a"), -7);
	assert_int_equal(err.code, ENOENT);
	/* What is in front already is not said twice, and is not taken for what it begins alike. */
	assert_int_equal(error_wrap(&err, -7, "a"), -7);
	assert_string_equal(err.text,
			    "a: vm 'dc01': open disk '/x.qcow2': No such file or directory");
	assert_int_equal(error_set(&err, EINVAL, "vm 'dc01': b"), -EINVAL);
	assert_int_equal(error_wrap(&err, -7, "vm"), -7);
	assert_string_equal(err.text, "vm: vm 'dc01': b");
	/* Set anew, nothing of the old text is left. */
	assert_int_equal(error_set(&err, EINVAL, "b"), -EINVAL);
	assert_string_equal(err.text, "b");
	assert_int_equal(err.code, EINVAL);
}

static void test_copy(void **state)
{
	struct error err = ERROR_INIT, none = ERROR_INIT;
	const struct error from = {.code = EIO, .text = "disk"};

	(void)state;
	assert_int_equal(error_copy(NULL, &from), -EIO);
	assert_int_equal(error_copy(&err, &from), -EIO);
	assert_int_equal(error_copy(&err, &none), 0);
	assert_int_equal(err.code, EIO);
	assert_string_equal(err.text, "disk");
}

static void test_wrap_if(void **state)
{
	struct error err = ERROR_INIT;

	(void)state;
	assert_int_equal(error_wrap_if(&err, 3, "not this"), 3);
	assert_int_equal(error_wrap_if(&err, 0, "nor this"), 0);
	assert_string_equal(err.text, "");
	assert_int_equal(error_wrap_if(&err, error_set(&err, EIO, "disk"), "vm"), -EIO);
	assert_string_equal(err.text, "vm: disk");
}

static void test_null(void **state)
{
	(void)state;
	assert_int_equal(error_set(NULL, EIO, "%d", 1), -EIO);
	assert_int_equal(error_errno(NULL, EIO, "%d", 1), -EIO);
	assert_int_equal(error_wrap(NULL, -EIO, "%d", 1), -EIO);
	assert_int_equal(error_wrap_if(NULL, -EIO, "%d", 1), -EIO);
	assert_int_equal(error_oom(NULL), -ENOMEM);
}

static void test_oom(void **state)
{
	struct error err = ERROR_INIT;

	(void)state;
	assert_int_equal(error_oom(&err), -ENOMEM);
	assert_int_equal(err.code, ENOMEM);
	assert_string_equal(err.text, "out of memory");
}

static void test_truncation(void **state)
{
	struct error err = ERROR_INIT;
	char text[3 * ERROR_TEXT_MAX];

	(void)state;
	memset(text, 'x', sizeof(text) - 1);
	text[sizeof(text) - 1] = '\0';
	assert_int_equal(error_errno(&err, EIO, "%s", text), -EIO);
	assert_int_equal(strlen(err.text), ERROR_TEXT_MAX - 1);
	/* The object in front survives, what is behind is cut. */
	(void)error_wrap(&err, -EIO, "vm");
	assert_int_equal(strlen(err.text), ERROR_TEXT_MAX - 1);
	assert_memory_equal(err.text, "vm: xxx", 7);
	(void)error_wrap(&err, -EIO, "%s", text);
	assert_int_equal(strlen(err.text), ERROR_TEXT_MAX - 1);
}

/* A cut never leaves half a character: the text stays UTF-8. */
static void test_truncation_utf8(void **state)
{
	static const char *const letters[] = {"\xc3\xa9", "\xe2\x82\xac", "\xf0\x9f\x98\x80"};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(letters); i++) {
		size_t width = strlen(letters[i]);

		for (size_t lead = 0; lead < width; lead++) {
			struct error err = ERROR_INIT, wrapped = ERROR_INIT;
			char text[2 * ERROR_TEXT_MAX] = "";
			size_t fits = (ERROR_TEXT_MAX - 1 - lead) / width * width + lead;

			memset(text, 'x', lead);
			for (size_t n = lead; n + width < sizeof(text); n += width)
				memcpy(text + n, letters[i], width);
			(void)error_set(&err, EIO, "%s", text);
			assert_int_equal(strlen(err.text), fits);
			(void)error_errno(&err, EIO, "%s", text);
			assert_int_equal(strlen(err.text), fits);
			(void)error_set(&wrapped, EIO, "cause");
			(void)error_wrap(&wrapped, -EIO, "%s", text);
			assert_int_equal(strlen(wrapped.text), fits);
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_set_and_wrap),
		cmocka_unit_test(test_copy),
		cmocka_unit_test(test_wrap_if),
		cmocka_unit_test(test_null),
		cmocka_unit_test(test_oom),
		cmocka_unit_test(test_truncation),
		cmocka_unit_test(test_truncation_utf8),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
