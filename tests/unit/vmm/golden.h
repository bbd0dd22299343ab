/* SPDX-License-Identifier: MIT */
/*
 * Golden files: what a pure builder makes, compared with a file beside the test.
 * With HV_GOLDEN_UPDATE in the environment the file is written instead; look at
 * the difference before you keep it.
 */
#ifndef HV_TESTS_GOLDEN_H
#define HV_TESTS_GOLDEN_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/cleanup.h"
#include "base/error.h"
#include "base/file.h"
#include "base/str.h"

#include <fcntl.h>

static inline void golden_expect(const char *name, const char *text)
{
	cleanup_free char *path = str_printf("%s/golden/%s", TEST_DATA, name), *wanted = NULL;
	struct error err = ERROR_INIT;

	assert_non_null(path);
	assert_non_null(text);
	if (getenv("HV_GOLDEN_UPDATE")) {
		cleanup_close int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);

		assert_true(fd >= 0);
		assert_int_equal(file_write_all(fd, text, strlen(text), NULL), 0);
	}
	if (file_read(AT_FDCWD, path, 1024 * 1024, &wanted, NULL, &err) < 0)
		fail_msg("%s", err.text);
	assert_string_equal(text, wanted);
}

/* One argument a line; control bytes and what is not UTF-8 as \xNN. */
static inline void golden_expect_argv(const char *name, const struct strv *argv)
{
	cleanup_strbuf struct strbuf text = {0};

	assert_false(argv->failed);
	for (size_t i = 0; i < argv->n; i++) {
		strbuf_add_printable(&text, argv->v[i], strlen(argv->v[i]), false);
		strbuf_add(&text, "\n", 1);
	}
	assert_null(argv->v[argv->n]);
	golden_expect(name, text.data);
}

#endif
