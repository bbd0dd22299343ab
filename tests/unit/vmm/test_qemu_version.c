/* SPDX-License-Identifier: MIT */
/* What QEMU says of its version, and that it is asked once for each file. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "base/paths.h"
#include "base/str.h"
#include "vmm/qemu_version.h"

#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>

static void test_parse(void **state)
{
	static const struct {
		const char *line;
		unsigned version;
	} rows[] = {
		{"QEMU emulator version 7.2.22 (Debian 1:7.2+dfsg-7+deb12u18)\n", 702},
		{"QEMU emulator version 10.0.2", 1000},
		{"QEMU emulator version 9.2", 902},
		{"", 0},
		{"QEMU emulator version ", 0},
		{"QEMU emulator version 7", 0},
		{"QEMU emulator version 7.", 0},
		{"QEMU emulator version -7.2", 0},
		{"QEMU emulator version 7.-2", 0},
		{"QEMU emulator version 4294967296.2", 0},
		{"QEMU emulator version 7.4294967298", 0},
		{"qemu-img version 7.2.22", 0},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
		if (qemu_version_parse(rows[i].line) != rows[i].version)
			fail_msg("'%s'", rows[i].line);
}

/* Says its version, and leaves a line for each time it is asked. */
static void make_program(int dirfd, const char *version)
{
	cleanup_free char *text = str_printf("#!/bin/sh\necho asked >>\"$(dirname \"$0\")/asked\"\n"
					     "echo 'QEMU emulator version %s'\n",
					     version);

	assert_int_equal(file_write_atomic(dirfd, "qemu", text, strlen(text), 0755, NULL), 0);
}

static size_t times_asked(int dirfd)
{
	cleanup_free char *text = NULL;
	size_t len = 0;

	return file_read(dirfd, "asked", 4096, &text, &len, NULL) == 0 ? len / strlen("asked\n")
								       : 0;
}

static void test_asked_once(void **state)
{
	char dir[] = "/tmp/hv-test-version-XXXXXX";
	struct paths paths = {.state = dir};
	cleanup_free char *program = NULL;
	cleanup_close int dirfd = -1;

	(void)state;
	assert_non_null(mkdtemp(dir));
	dirfd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	program = str_printf("%s/qemu", dir);
	assert_int_equal(qemu_version(&paths, program), 0);
	make_program(dirfd, "7.2.1");
	for (int i = 0; i < 3; i++)
		assert_int_equal(qemu_version(&paths, program), 702);
	assert_int_equal(times_asked(dirfd), 1);
	/* An update is another file. */
	make_program(dirfd, "10.0.0");
	for (int i = 0; i < 3; i++)
		assert_int_equal(qemu_version(&paths, program), 1000);
	assert_int_equal(times_asked(dirfd), 2);
	/* What is damaged is not believed. */
	assert_int_equal(
		file_write_atomic(dirfd, "qemu.json", "{\"version\": 702}", 16, 0644, NULL), 0);
	assert_int_equal(qemu_version(&paths, program), 1000);
	assert_int_equal(times_asked(dirfd), 3);
	/* One that says nothing that is known is asked each time. */
	make_program(dirfd, "one");
	for (int i = 0; i < 2; i++)
		assert_int_equal(qemu_version(&paths, program), 0);
	assert_int_equal(times_asked(dirfd), 5);
	assert_int_equal(file_remove_tree(AT_FDCWD, dir, NULL), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_parse),
		cmocka_unit_test(test_asked_once),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
