/* SPDX-License-Identifier: MIT */
/* Making and removing folders, of base/file.h, and the folders of base/paths.h. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/cleanup.h"
#include "base/error.h"
#include "base/paths.h"
#include "base/str.h"
#include "tests/unit/base/scratch.h"

#include <errno.h>

static void put(int dirfd, const char *name)
{
	int fd = openat(dirfd, name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);

	assert_true(fd >= 0);
	close(fd);
}

static bool exists(int dirfd, const char *name)
{
	return faccessat(dirfd, name, F_OK, AT_SYMLINK_NOFOLLOW) == 0;
}

static mode_t mode_of(int dirfd, const char *name)
{
	struct stat st;

	assert_int_equal(fstatat(dirfd, name, &st, AT_SYMLINK_NOFOLLOW), 0);
	return st.st_mode & 07777;
}

static void test_mkdir_all(void **state)
{
	const struct scratch *s = *state;
	cleanup_free char *deep = str_printf("%s//a/b/c/", s->path);
	cleanup_free char *within = str_printf("%s/file/d", s->path);
	cleanup_free char *file = str_printf("%s/file", s->path);
	struct error err = ERROR_INIT;

	assert_int_equal(mkdirat(s->fd, "a", 0711), 0);
	assert_int_equal(file_mkdir_all(deep, 0700, &err), 0);
	assert_true(exists(s->fd, "a/b/c"));
	assert_int_equal(mode_of(s->fd, "a"), 0711);
	assert_int_equal(mode_of(s->fd, "a/b"), 0700);
	assert_int_equal(file_mkdir_all(deep, 0755, &err), 0);
	assert_int_equal(mode_of(s->fd, "a/b/c"), 0700);
	assert_int_equal(file_mkdir_all("/", 0755, &err), 0);
	put(s->fd, "file");
	assert_int_equal(file_mkdir_all(within, 0700, &err), -EEXIST);
	/* A file where the folder has to be is no success. */
	assert_int_equal(file_mkdir_all(file, 0700, &err), -EEXIST);
	assert_non_null(strstr(err.text, file));
}

/* Who may read it is said by the mode, not by whoever started us. */
static void test_umask(void **state)
{
	const struct scratch *s = *state;
	cleanup_free char *deep = str_printf("%s/deep/er", s->path);
	cleanup_close int fd = -1;
	mode_t was = umask(077);

	assert_int_equal(file_mkdir_all(deep, 0755, NULL), 0);
	assert_int_equal(file_open_dir(s->fd, "open", 0711, &fd, NULL), 0);
	assert_int_equal(file_write_volatile(s->fd, "file", "x", 1, 0644, NULL), 0);
	umask(was);
	assert_int_equal(mode_of(s->fd, "deep"), 0755);
	assert_int_equal(mode_of(s->fd, "deep/er"), 0755);
	assert_int_equal(mode_of(s->fd, "open"), 0711);
	assert_int_equal(mode_of(s->fd, "file"), 0644);
}

static void test_mkdir_all_by_link(void **state)
{
	const struct scratch *s = *state;
	cleanup_free char *path = str_printf("%s/link/b", s->path);

	assert_int_equal(mkdirat(s->fd, "a", 0700), 0);
	assert_int_equal(symlinkat("a", s->fd, "link"), 0);
	assert_int_equal(file_mkdir_all(path, 0700, NULL), 0);
	assert_true(exists(s->fd, "a/b"));
}

static void test_open_dir(void **state)
{
	const struct scratch *s = *state;
	cleanup_close int fd = -1, again = -1;
	struct error err = ERROR_INIT;
	int none = -1;

	assert_int_equal(file_open_dir(s->fd, "d", 0711, &fd, &err), 0);
	assert_int_equal(mode_of(s->fd, "d"), 0711);
	put(fd, "f");
	assert_true(exists(s->fd, "d/f"));
	assert_int_equal(file_open_dir(s->fd, "d", 0700, &again, &err), 0);
	assert_int_equal(mode_of(s->fd, "d"), 0711);
	assert_true(fcntl(fd, F_GETFD) & FD_CLOEXEC);
	assert_int_equal(symlinkat("d", s->fd, "link"), 0);
	assert_int_equal(file_open_dir(s->fd, "link", 0700, &none, &err), -ENOTDIR);
	assert_int_equal(file_open_dir(s->fd, "d/f", 0700, &none, &err), -ENOTDIR);
	assert_int_equal(none, -1);
}

static void test_remove_tree(void **state)
{
	const struct scratch *s = *state;
	struct error err = ERROR_INIT;

	assert_int_equal(mkdirat(s->fd, "keep", 0700), 0);
	put(s->fd, "keep/f");
	put(s->fd, "kept");
	assert_int_equal(mkdirat(s->fd, "t", 0700), 0);
	assert_int_equal(mkdirat(s->fd, "t/a", 0700), 0);
	assert_int_equal(mkdirat(s->fd, "t/a/empty", 0700), 0);
	put(s->fd, "t/a/f");
	put(s->fd, "t/.hidden");
	assert_int_equal(mkfifoat(s->fd, "t/fifo", 0600), 0);
	assert_int_equal(symlinkat("../keep", s->fd, "t/folder-link"), 0);
	assert_int_equal(symlinkat("../../kept", s->fd, "t/a/file-link"), 0);
	assert_int_equal(symlinkat("nowhere", s->fd, "t/dangling"), 0);
	assert_int_equal(file_remove_tree(s->fd, "t", &err), 0);
	assert_false(exists(s->fd, "t"));
	assert_true(exists(s->fd, "keep/f"));
	assert_true(exists(s->fd, "kept"));
	/* A link itself is removed, not what it points to. */
	assert_int_equal(symlinkat("keep", s->fd, "link"), 0);
	assert_int_equal(file_remove_tree(s->fd, "link", &err), 0);
	assert_false(exists(s->fd, "link"));
	assert_true(exists(s->fd, "keep/f"));
	assert_int_equal(file_remove_tree(s->fd, "missing", &err), 0);
	assert_int_equal(err.code, 0);
}

static void test_remove_entries(void **state)
{
	const struct scratch *s = *state;
	cleanup_close int fd = -1;

	assert_int_equal(file_open_dir(s->fd, "d", 0700, &fd, NULL), 0);
	put(fd, "lock");
	put(fd, "lock2");
	put(fd, "f");
	assert_int_equal(mkdirat(fd, "t", 0700), 0);
	/* Only the entry of the folder itself is spared, not one below. */
	put(fd, "t/lock");
	assert_int_equal(symlinkat("..", fd, "up"), 0);
	assert_int_equal(file_remove_entries(fd, "lock", NULL), 0);
	assert_true(exists(fd, "lock"));
	assert_false(exists(fd, "lock2"));
	assert_false(exists(fd, "f"));
	assert_false(exists(fd, "t"));
	assert_false(exists(fd, "up"));
	assert_true(exists(s->fd, "d"));
	assert_int_equal(file_remove_entries(fd, NULL, NULL), 0);
	assert_false(exists(fd, "lock"));
}

static void test_paths(void **state)
{
	const struct scratch *s = *state;
	static const char *const bad[] = {"..", ".", "", "a/b", "../vm/a", "a\n"};
	cleanup_close int dir = -1, run = -1;
	struct error err = ERROR_INIT;
	struct paths p = {.config = "/c", .state = s->path, .run = s->path};
	int none = -1;

	assert_int_equal(paths_open_state(&p, PATHS_VM, "dc01", 0, &none, &err), -ENOENT);
	assert_false(exists(s->fd, "vm"));
	assert_int_equal(paths_open_state(&p, PATHS_VM, "dc01", 1, &dir, &err), 0);
	assert_int_equal(mode_of(s->fd, "vm/dc01"), 0711);
	assert_int_equal(paths_open_run(&p, PATHS_NET, "lab-net", 1, &run, &err), 0);
	assert_int_equal(mode_of(s->fd, "net/lab-net"), 0700);
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
		assert_int_equal(paths_open_state(&p, PATHS_VM, bad[i], 1, &none, &err), -EINVAL);
	assert_int_equal(symlinkat("dc01", s->fd, "vm/link"), 0);
	assert_int_equal(paths_open_state(&p, PATHS_VM, "link", 0, &none, &err), -ENOTDIR);
	assert_int_equal(none, -1);
}

static void test_paths_of_environment(void **state)
{
	struct error err = ERROR_INIT;
	struct paths p = {0};

	(void)state;
	assert_int_equal(setenv("HV_CONFIG", "/c", 1) | setenv("HV_STATE", "/s", 1), 0);
	assert_int_equal(unsetenv("HV_RUN"), 0);
	assert_int_equal(paths_init(&p, NULL, &err), 0);
	assert_string_equal(p.config, "/c");
	assert_string_equal(p.state, "/s");
	assert_string_equal(p.run, "/run/hv");
	assert_int_equal(paths_init(&p, "/given", &err), 0);
	assert_string_equal(p.config, "/given");
	assert_int_equal(setenv("HV_STATE", "relative", 1), 0);
	assert_int_equal(paths_init(&p, NULL, &err), -EINVAL);
	assert_string_equal(err.text, "HV_STATE 'relative': has to be an absolute path");
	assert_string_equal(p.state, "/s");
	assert_int_equal(unsetenv("HV_CONFIG") | unsetenv("HV_STATE"), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		scratch_test(test_mkdir_all),
		scratch_test(test_umask),
		scratch_test(test_mkdir_all_by_link),
		scratch_test(test_open_dir),
		scratch_test(test_remove_tree),
		scratch_test(test_remove_entries),
		scratch_test(test_paths),
		cmocka_unit_test(test_paths_of_environment),
	};

	(void)umask(022);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
