/* SPDX-License-Identifier: MIT */
/* Volumes in a folder of their own. What needs qemu-img is tested elsewhere. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/cleanup.h"
#include "base/error.h"
#include "base/file.h"
#include "base/str.h"
#include "disk/chain.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/wait.h>

static char dir[64];

static int setup(void **state)
{
	(void)state;
	(void)str_format(dir, sizeof(dir), "/tmp/hv-test-volume-XXXXXX");
	return mkdtemp(dir) ? 0 : -1;
}

static int teardown(void **state)
{
	(void)state;
	return file_remove_tree(AT_FDCWD, dir, NULL);
}

static const char *path_of(const char *name)
{
	static char path[4][128];
	static unsigned turn;
	char *p = path[turn++ % 4];

	assert_true(str_format(p, sizeof(path[0]), "%s/%s", dir, name));
	return p;
}

static unsigned entries(void)
{
	cleanup_closedir DIR *d = opendir(dir);
	unsigned n = 0;

	assert_non_null(d);
	while (readdir(d))
		n++;
	return n - 2;
}

static void test_create_raw(void **state)
{
	const char *path = path_of("a b,\"c\".raw");
	struct disk_info info;
	struct error err = ERROR_INIT;
	struct stat st;

	(void)state;
	assert_int_equal(disk_create(path, DISK_FORMAT_RAW, 10 << 20, NULL), 0);
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0600);
	assert_int_equal(st.st_size, 10 << 20);
	assert_int_equal(disk_chain_examine(path, DISK_FORMAT_RAW, &info, NULL), 0);
	assert_int_equal(info.virtual_bytes, 10 << 20);
	assert_true(info.allocated_bytes < 1 << 20);
	assert_false(info.in_use);
	/* Never overwritten, and nothing is left beside it. */
	assert_int_equal(disk_create(path, DISK_FORMAT_RAW, 1 << 20, &err), -EEXIST);
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_size, 10 << 20);
	assert_int_equal(entries(), 1);
	/* It is no qcow2 image, whatever the configuration says. */
	assert_int_equal(disk_chain_examine(path, DISK_FORMAT_QCOW2, &info, &err), -EINVAL);
	assert_non_null(strstr(err.text, "format: raw"));
}

static void test_create_refused(void **state)
{
	struct error err = ERROR_INIT;

	(void)state;
	assert_int_equal(symlink("/nowhere/at/all", path_of("dangling")), 0);
	assert_int_equal(disk_create(path_of("dangling"), DISK_FORMAT_RAW, 1 << 20, &err), -EEXIST);
	assert_int_equal(disk_create(path_of("no/folder"), DISK_FORMAT_RAW, 1 << 20, &err),
			 -ENOENT);
	assert_int_equal(disk_create("relative", DISK_FORMAT_RAW, 1 << 20, &err), -EINVAL);
	/* More than a file can hold: nothing stays. */
	assert_true(disk_create(path_of("large"), DISK_FORMAT_RAW, UINT64_MAX >> 1, &err) < 0);
	assert_int_equal(entries(), 1);
}

static void test_open(void **state)
{
	struct error err = ERROR_INIT;
	struct disk_info info;
	int fd = -1;

	(void)state;
	assert_int_equal(disk_create(path_of("a"), DISK_FORMAT_RAW, 4096, NULL), 0);
	assert_int_equal(symlink("a", path_of("link")), 0);
	assert_int_equal(mkfifo(path_of("fifo"), 0600), 0);
	assert_int_equal(disk_open(path_of("link"), false, &fd, NULL), 0);
	assert_int_equal(fcntl(fd, F_GETFL) & (O_ACCMODE | O_NONBLOCK), O_RDWR);
	assert_int_equal(fcntl(fd, F_GETFD), FD_CLOEXEC);
	close(fd);
	assert_int_equal(disk_open(path_of("a"), true, &fd, NULL), 0);
	assert_int_equal(fcntl(fd, F_GETFL) & O_ACCMODE, O_RDONLY);
	close(fd);
	fd = -1;
	/* Neither waits for anything nor takes it. */
	assert_int_equal(disk_open(path_of("fifo"), true, &fd, &err), -EINVAL);
	assert_int_equal(disk_open(dir, true, &fd, &err), -EINVAL);
	assert_int_equal(disk_open("/dev/null", true, &fd, &err), -EINVAL);
	assert_int_equal(disk_open(path_of("missing"), true, &fd, &err), -ENOENT);
	assert_int_equal(disk_chain_examine(path_of("missing"), DISK_FORMAT_RAW, &info, &err),
			 -ENOENT);
	assert_non_null(strstr(err.text, "missing"));
	assert_int_equal(fd, -1);
}

/* QEMU's marks of use are locks on single bytes, by an open file of its own. */
static void test_in_use(void **state)
{
	static const struct {
		off_t byte;
		bool in_use, written;
	} rows[] = {
		{100, true, false}, {101, true, true},  {103, true, true},
		{200, true, true},  {201, true, false}, {299, true, false},
		{0, false, false},  {99, false, false}, {300, false, false},
	};
	struct error err = ERROR_INIT;
	const char *path = path_of("a");

	(void)state;
	assert_int_equal(disk_create(path, DISK_FORMAT_RAW, 4096, NULL), 0);
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct flock lock = {.l_type = F_RDLCK, .l_start = rows[i].byte, .l_len = 1};
		struct disk_info info;
		cleanup_close int fd = open(path, O_RDWR | O_CLOEXEC);

		assert_int_equal(fcntl(fd, F_OFD_SETLK, &lock), 0);
		assert_int_equal(disk_chain_examine(path, DISK_FORMAT_RAW, &info, NULL), 0);
		assert_int_equal(info.in_use, rows[i].in_use);
		assert_int_equal(info.written, rows[i].written);
		if (rows[i].in_use)
			assert_int_equal(disk_grow(path, DISK_FORMAT_RAW, 8192, &err), -EBUSY);
	}
}

static void test_grow(void **state)
{
	struct error err = ERROR_INIT;
	const char *path = path_of("a");
	struct stat st;

	(void)state;
	assert_int_equal(disk_create(path, DISK_FORMAT_RAW, 1 << 20, NULL), 0);
	/* Nothing to do, and never less. */
	assert_int_equal(disk_grow(path, DISK_FORMAT_RAW, 1 << 20, NULL), 0);
	assert_int_equal(disk_grow(path, DISK_FORMAT_RAW, 4096, &err), -EINVAL);
	assert_non_null(strstr(err.text, "never shrunk"));
	assert_int_equal(disk_grow(path_of("none"), DISK_FORMAT_RAW, 4096, &err), -ENOENT);
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_size, 1 << 20);
}

static void test_hostile_image(void **state)
{
	static const char *const heads[] = {"", "QFI\xfb", "QFI\xfb\0\0\0\3"};
	struct error err = ERROR_INIT;
	struct disk_info info;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(heads); i++) {
		cleanup_close int fd =
			open(path_of("x"), O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

		assert_int_equal(write(fd, heads[i], i * 4), i * 4);
		assert_int_equal(disk_examine(fd, DISK_FORMAT_QCOW2, NULL, &info, &err), -EINVAL);
		assert_int_equal(disk_examine(fd, DISK_FORMAT_RAW, NULL, &info, &err), 0);
		assert_int_equal(info.virtual_bytes, i * 4);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_create_raw, setup, teardown),
		cmocka_unit_test_setup_teardown(test_create_refused, setup, teardown),
		cmocka_unit_test_setup_teardown(test_open, setup, teardown),
		cmocka_unit_test_setup_teardown(test_in_use, setup, teardown),
		cmocka_unit_test_setup_teardown(test_grow, setup, teardown),
		cmocka_unit_test_setup_teardown(test_hostile_image, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
