/* SPDX-License-Identifier: MIT */
/* What a program needs to be loaded, by where it lies. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/cleanup.h"
#include "base/error.h"
#include "base/file.h"
#include "jail/program.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>

static const struct jail_bind *find(const struct jail_binds *b, const char *target)
{
	for (size_t i = 0; i < b->n; i++)
		if (str_eq(b->v[i].target ? b->v[i].target : b->v[i].source, target))
			return &b->v[i];
	return NULL;
}

static void test_of_the_system(void **state)
{
	cleanup_jail_binds struct jail_binds b = {.n = 0};
	const struct jail_bind *program;
	bool loader = false;
	struct stat st;

	(void)state;
	assert_int_equal(jail_binds_add_program(&b, "/usr/bin/env", NULL, NULL), 0);
	program = find(&b, "/usr/bin/env");
	assert_non_null(program);
	assert_true(program->runs && program->executable && !program->writable);
	/* Libraries are loaded, not run. */
	if (stat("/usr/lib", &st) == 0) {
		assert_non_null(find(&b, "/usr/lib"));
		assert_true(find(&b, "/usr/lib")->executable);
		assert_false(find(&b, "/usr/lib")->runs);
	}
	if (lstat("/lib", &st) == 0 && S_ISLNK(st.st_mode))
		assert_non_null(find(&b, "/lib")->link);
	for (size_t i = 0; i < b.n; i++) {
		loader = loader || (b.v[i].within && b.v[i].runs);
		assert_false(b.v[i].writable);
	}
	assert_true(loader);
	assert_null(find(&b, "/usr"));
	assert_null(find(&b, "/etc"));
}

static void make(const char *folder, const char *name, mode_t mode)
{
	cleanup_free char *path = str_printf("%s/%s", folder, name);
	cleanup_close int fd = -1;

	assert_non_null(path);
	if (S_ISDIR(mode)) {
		assert_int_equal(mkdir(path, mode & 07777), 0);
		return;
	}
	fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, mode);
	assert_true(fd >= 0);
	assert_int_equal(file_write_all(fd, "#!/bin/sh\n", 10, NULL), 0);
}

/* One with a prefix of its own, by a link that lies elsewhere. */
static void test_of_a_prefix(void **state)
{
	static const char *const data[] = {"share/qemu", "share/nothing", NULL};
	char folder[] = "/tmp/hv-test-jail-XXXXXX", path[128], link[128], lib[128], share[128];
	cleanup_jail_binds struct jail_binds b = {.n = 0};

	(void)state;
	assert_non_null(mkdtemp(folder));
	make(folder, "bin", S_IFDIR | 0755);
	make(folder, "lib", S_IFDIR | 0755);
	make(folder, "share", S_IFDIR | 0755);
	make(folder, "share/qemu", S_IFDIR | 0755);
	make(folder, "bin/x", 0755);
	assert_true(str_format(path, sizeof(path), "%s/bin/x", folder));
	assert_true(str_format(link, sizeof(link), "%s/called", folder));
	assert_true(str_format(lib, sizeof(lib), "%s/lib", folder));
	assert_true(str_format(share, sizeof(share), "%s/share/qemu", folder));
	assert_int_equal(symlink(path, link), 0);
	assert_int_equal(jail_binds_add_program(&b, link, data, NULL), 0);
	/* It is seen by the name that was given, and is what that leads to. */
	assert_non_null(find(&b, link));
	assert_string_equal(find(&b, link)->source, path);
	assert_true(find(&b, lib)->executable);
	assert_false(find(&b, share)->executable);
	assert_null(find(&b, folder));
	assert_int_equal(file_remove_tree(AT_FDCWD, folder, NULL), 0);
}

static void test_missing(void **state)
{
	cleanup_jail_binds struct jail_binds b = {.n = 0};
	struct error err = ERROR_INIT;

	(void)state;
	assert_int_equal(jail_binds_add_program(&b, "/nowhere/qemu", NULL, &err), -ENOENT);
	assert_string_equal(err.text, "'/nowhere/qemu': No such file or directory");
}

static void test_too_many(void **state)
{
	cleanup_jail_binds struct jail_binds b = {.n = 0};
	struct error err = ERROR_INIT;

	(void)state;
	for (size_t i = 0; i < JAIL_BINDS_MAX; i++)
		jail_binds_add(&b, &(struct jail_bind){.source = "/dev/null"});
	assert_false(b.failed);
	assert_int_equal(jail_binds_add_program(&b, "/usr/bin/env", NULL, &err), -E2BIG);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_of_the_system),
		cmocka_unit_test(test_of_a_prefix),
		cmocka_unit_test(test_missing),
		cmocka_unit_test(test_too_many),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
