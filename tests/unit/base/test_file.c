/* SPDX-License-Identifier: MIT */
/* Reading, writing and locking files, of base/file.h. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/cleanup.h"
#include "base/error.h"
#include "base/str.h"
#include "tests/unit/base/scratch.h"

#include <errno.h>
#include <sys/wait.h>

static void put(int dirfd, const char *name, const char *text)
{
	assert_int_equal(file_write_volatile(dirfd, name, text, strlen(text), 0600, NULL), 0);
}

static void assert_holds(int dirfd, const char *name, const char *text)
{
	cleanup_free char *data = NULL;

	assert_int_equal(file_read(dirfd, name, 1 << 20, &data, NULL, NULL), 0);
	assert_string_equal(data, text);
}

static size_t count_entries(const char *path)
{
	cleanup_closedir DIR *dir = opendir(path);
	size_t n = 0;

	assert_non_null(dir);
	while (readdir(dir))
		n++;
	return n - 2;
}

static void test_read(void **state)
{
	const struct scratch *s = *state;
	cleanup_free char *data = NULL, *other = NULL, *empty = NULL;
	struct error err = ERROR_INIT;
	size_t len = 4711;

	put(s->fd, "f", "0123456789");
	assert_int_equal(file_read(s->fd, "f", 10, &data, &len, &err), 0);
	assert_int_equal(len, 10);
	assert_string_equal(data, "0123456789");
	assert_int_equal(file_read(s->fd, "f", 9, &other, &len, &err), -EFBIG);
	assert_null(other);
	assert_int_equal(len, 10);
	assert_string_equal(err.text, "read 'f': larger than 9 bytes");
	assert_int_equal(file_read(s->fd, "none", 9, &other, &len, &err), -ENOENT);
	assert_string_equal(err.text, "open 'none': No such file or directory");
	assert_int_equal(file_read(AT_FDCWD, s->path, 9, &other, &len, &err), -EISDIR);
	put(s->fd, "empty", "");
	assert_int_equal(file_read(s->fd, "empty", 0, &empty, &len, &err), 0);
	assert_int_equal(len, 0);
	assert_string_equal(empty, "");
}

/* More than one read, and a NUL inside. */
static void test_read_long(void **state)
{
	const struct scratch *s = *state;
	cleanup_free char *data = NULL, *text = malloc(100000);
	size_t len;

	assert_non_null(text);
	for (size_t i = 0; i < 100000; i++)
		text[i] = (char)(i % 251);
	assert_int_equal(file_write_atomic(s->fd, "f", text, 100000, 0600, NULL), 0);
	assert_int_equal(file_read(s->fd, "f", 100000, &data, &len, NULL), 0);
	assert_int_equal(len, 100000);
	assert_memory_equal(data, text, 100000);
	assert_int_equal(data[100000], '\0');
}

static void test_write_atomic(void **state)
{
	const struct scratch *s = *state;
	cleanup_close int old = -1;
	struct error err = ERROR_INIT;
	char text[8] = {0};
	struct stat st;

	put(s->fd, "f", "old");
	old = openat(s->fd, "f", O_RDONLY | O_CLOEXEC);
	assert_int_equal(file_write_atomic(s->fd, "f", "new\n", 4, 0640, &err), 0);
	assert_holds(s->fd, "f", "new\n");
	assert_int_equal(fstatat(s->fd, "f", &st, 0), 0);
	assert_int_equal(st.st_mode & 07777, 0640);
	/* Replaced, not written over: who has it open sees the old one whole. */
	assert_int_equal(read(old, text, sizeof(text)), 3);
	assert_string_equal(text, "old");
	/* No temporary file is left, also after a failure. */
	assert_int_equal(count_entries(s->path), 1);
	assert_int_equal(mkdirat(s->fd, "folder", 0700), 0);
	assert_int_equal(file_write_atomic(s->fd, "folder", "x", 1, 0600, &err), -EISDIR);
	assert_non_null(strstr(err.text, "folder"));
	assert_int_equal(count_entries(s->path), 2);
}

/* A link under the name is replaced; what it points to is not touched. */
static void test_write_replaces_link(void **state)
{
	const struct scratch *s = *state;
	struct stat st;

	put(s->fd, "target", "untouched");
	assert_int_equal(symlinkat("target", s->fd, "f"), 0);
	assert_int_equal(file_write_atomic(s->fd, "f", "new", 3, 0600, NULL), 0);
	assert_holds(s->fd, "target", "untouched");
	assert_int_equal(fstatat(s->fd, "f", &st, AT_SYMLINK_NOFOLLOW), 0);
	assert_true(S_ISREG(st.st_mode));
}

static void test_lock(void **state)
{
	const struct scratch *s = *state;
	struct error err = ERROR_INIT;
	int first = -1, second = -1;

	assert_false(file_is_locked(s->fd, "lock"));
	assert_int_equal(count_entries(s->path), 0);
	assert_int_equal(file_lock(s->fd, "lock", &first, &err), 0);
	assert_true(file_is_locked(s->fd, "lock"));
	assert_int_equal(file_lock(s->fd, "lock", &second, &err), -EWOULDBLOCK);
	assert_int_equal(second, -1);
	assert_int_equal(err.code, 0);
	close_fd(&first);
	assert_false(file_is_locked(s->fd, "lock"));
	assert_int_equal(file_lock(s->fd, "lock", &second, &err), 0);
	close_fd(&second);
}

/* Another process holds it too, and lets go when it ends. */
static void test_lock_of_process(void **state)
{
	const struct scratch *s = *state;
	int ready[2], done[2], fd = -1, status;
	char byte = 0;
	pid_t pid;

	assert_int_equal(pipe2(ready, O_CLOEXEC), 0);
	assert_int_equal(pipe2(done, O_CLOEXEC), 0);
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		close(done[1]);
		byte = file_lock(s->fd, "lock", &fd, NULL) == 0 ? 'y' : 'n';
		if (write(ready[1], &byte, 1) == 1)
			(void)!read(done[0], &byte, 1);
		_exit(0);
	}
	assert_int_equal(read(ready[0], &byte, 1), 1);
	assert_int_equal(byte, 'y');
	assert_true(file_is_locked(s->fd, "lock"));
	assert_int_equal(file_lock(s->fd, "lock", &fd, NULL), -EWOULDBLOCK);
	close(done[1]);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(file_lock(s->fd, "lock", &fd, NULL), 0);
	close(fd);
	close(done[0]);
	close(ready[0]);
	close(ready[1]);
}

/* The holder unlinks the file: the next lock is on the file of that name, and
 * a third holder cannot get it on another file. */
static void test_lock_unlinked(void **state)
{
	const struct scratch *s = *state;
	int first = -1, second = -1, third = -1;
	struct stat mine, current;

	assert_int_equal(file_lock(s->fd, "lock", &first, NULL), 0);
	assert_int_equal(unlinkat(s->fd, "lock", 0), 0);
	assert_int_equal(file_lock_wait(s->fd, "lock", &second, NULL), 0);
	assert_int_equal(fstat(second, &mine), 0);
	assert_int_equal(fstatat(s->fd, "lock", &current, 0), 0);
	assert_int_equal(mine.st_ino, current.st_ino);
	assert_int_equal(file_lock(s->fd, "lock", &third, NULL), -EWOULDBLOCK);
	close(first);
	assert_int_equal(file_lock(s->fd, "lock", &third, NULL), -EWOULDBLOCK);
	close(second);
}

static void test_lock_refuses_link(void **state)
{
	const struct scratch *s = *state;
	struct error err = ERROR_INIT;
	int fd = -1;

	assert_int_equal(symlinkat("elsewhere", s->fd, "lock"), 0);
	assert_int_equal(file_lock(s->fd, "lock", &fd, &err), -ELOOP);
	assert_int_equal(err.code, ELOOP);
	assert_int_equal(faccessat(s->fd, "elsewhere", F_OK, 0), -1);
}

/* In a folder of somebody less trusted. */
static void test_read_plain(void **state)
{
	const struct scratch *s = *state;
	cleanup_free char *data = NULL;
	struct error err = ERROR_INIT;
	size_t len = 0;

	put(s->fd, "plain", "text");
	assert_int_equal(file_read_plain(s->fd, "plain", 4, &data, &len, &err), 0);
	assert_int_equal(len, 4);
	assert_string_equal(data, "text");
	free(steal_ptr(&data));
	assert_int_equal(file_read_plain(s->fd, "plain", 3, &data, NULL, &err), -EFBIG);
	assert_int_equal(file_read_plain(s->fd, "none", 3, &data, NULL, &err), -ENOENT);
	assert_int_equal(symlinkat("plain", s->fd, "link"), 0);
	assert_int_equal(file_read_plain(s->fd, "link", 9, &data, NULL, &err), -ELOOP);
	/* Nobody writes to it: who waited would wait for ever. */
	assert_int_equal(mkfifoat(s->fd, "fifo", 0600), 0);
	assert_int_equal(file_read_plain(s->fd, "fifo", 9, &data, NULL, &err), -EINVAL);
	assert_int_equal(mkdirat(s->fd, "folder", 0700), 0);
	assert_int_equal(file_read_plain(s->fd, "folder", 9, &data, NULL, &err), -EINVAL);
	assert_null(data);
}

static void test_find_program(void **state)
{
	const struct scratch *s = *state;
	cleanup_free char *sh = file_find_program("sh"), *mine = NULL;
	cleanup_free char *was = strdup(getenv("PATH") ? getenv("PATH") : "");
	cleanup_free char *path = str_printf("relative::%s", s->path);
	cleanup_free char *expected = str_printf("%s/hv-test-program", s->path);

	assert_non_null(sh);
	assert_int_equal(sh[0], '/');
	assert_null(file_find_program("hv-test-program"));
	put(s->fd, "hv-test-program", "#!/bin/sh\n");
	assert_int_equal(setenv("PATH", path, 1), 0);
	/* Not executable yet; root needs an x bit somewhere, too. */
	assert_null(file_find_program("hv-test-program"));
	assert_int_equal(fchmodat(s->fd, "hv-test-program", 0700, 0), 0);
	mine = file_find_program("hv-test-program");
	assert_int_equal(setenv("PATH", was, 1), 0);
	assert_non_null(mine);
	assert_string_equal(mine, expected);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		scratch_test(test_read),          scratch_test(test_read_long),
		scratch_test(test_write_atomic),  scratch_test(test_write_replaces_link),
		scratch_test(test_lock),          scratch_test(test_lock_of_process),
		scratch_test(test_lock_unlinked), scratch_test(test_lock_refuses_link),
		scratch_test(test_read_plain),    scratch_test(test_find_program),
	};

	(void)umask(022);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
