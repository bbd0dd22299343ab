/* SPDX-License-Identifier: MIT */
/* Copies, images that are being made, and frozen ones. What needs qemu-img is tested elsewhere. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/cleanup.h"
#include "base/error.h"
#include "base/str.h"
#include "disk/copy.h"
#include "disk/frozen.h"
#include "disk/unfinished.h"
#include "tests/unit/base/scratch.h"

#include <errno.h>
#include <sys/mman.h>

enum { IMAGE_BYTES = 16 * 1024 * 1024 };

static char *path_in(const struct scratch *s, const char *name)
{
	char *path = str_printf("%s/%s", s->path, name);

	assert_non_null(path);
	return path;
}

/* Sparse, with something at its begin, its middle and its end. */
static void make_raw(const char *path)
{
	cleanup_close int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);

	assert_true(fd >= 0);
	assert_int_equal(ftruncate(fd, IMAGE_BYTES), 0);
	assert_int_equal(pwrite(fd, "begin", 5, 0), 5);
	assert_int_equal(pwrite(fd, "middle", 6, IMAGE_BYTES / 2 - 3), 6);
	assert_int_equal(pwrite(fd, "end", 3, IMAGE_BYTES - 3), 3);
}

static char *contents(const char *path)
{
	char *data = NULL;
	size_t len;

	assert_int_equal(file_read(AT_FDCWD, path, IMAGE_BYTES, &data, &len, NULL), 0);
	assert_int_equal(len, IMAGE_BYTES);
	return data;
}

static void test_copy(void **state)
{
	const struct scratch *s = *state;
	cleanup_free char *from = path_in(s, "from"), *to = path_in(s, "to"), *a = NULL, *b = NULL;
	struct error err = ERROR_INIT;
	struct stat st;

	make_raw(from);
	assert_int_equal(disk_copy(from, DISK_FORMAT_RAW, to, NULL, &err), 0);
	a = contents(from);
	b = contents(to);
	assert_memory_equal(a, b, IMAGE_BYTES);
	assert_int_equal(stat(to, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0600);
	/* Holes stay holes. */
	assert_true(st.st_blocks * 512 < IMAGE_BYTES / 2);
	/* Never over another one. */
	assert_int_equal(disk_copy(from, DISK_FORMAT_RAW, to, NULL, &err), -EEXIST);
	assert_int_equal(disk_copy("/none", DISK_FORMAT_RAW, to, NULL, &err), -ENOENT);
}

struct looker {
	uint64_t last, total;
	volatile sig_atomic_t stop;
	bool stops;
};

static void look_on(void *arg, uint64_t done, uint64_t total)
{
	struct looker *l = arg;

	assert_true(done > l->last && done <= total);
	l->last = done;
	l->total = total;
	l->stop = l->stops;
}

/* By bytes: what file systems share shows no progress. */
static void test_watched(void **state)
{
	const struct scratch *s = *state;
	cleanup_free char *from = path_in(s, "from"), *to = path_in(s, "to");
	struct looker looker = {.last = 0};
	const struct disk_copy_watch watch = {look_on, &looker.stop, &looker};
	cleanup_close int in = -1, memory = memfd_create("to", MFD_CLOEXEC);
	struct error err = ERROR_INIT;

	make_raw(from);
	in = open(from, O_RDONLY | O_CLOEXEC);
	assert_true(in >= 0 && memory >= 0);
	assert_int_equal(disk_copy_bytes(in, memory, &watch, &err), 0);
	assert_int_equal(looker.last, IMAGE_BYTES);
	assert_int_equal(looker.total, IMAGE_BYTES);
	looker = (struct looker){.stops = true};
	assert_int_equal(ftruncate(memory, 0), 0);
	assert_int_equal(disk_copy_bytes(in, memory, &watch, &err), -ECANCELED);
	assert_true(looker.last < IMAGE_BYTES);
	looker = (struct looker){.stops = true, .stop = 1};
	/* It leaves nothing, whenever it is interrupted. */
	assert_int_equal(disk_copy(from, DISK_FORMAT_RAW, to, &watch, &err), -ECANCELED);
	assert_int_equal(access(to, F_OK), -1);
}

static void test_unfinished(void **state)
{
	const struct scratch *s = *state;
	struct disk_unfinished one = DISK_UNFINISHED_INIT, two = DISK_UNFINISHED_INIT;
	cleanup_free char *path = path_in(s, "image"), *temp = path_in(s, ".image.new");
	struct error err = ERROR_INIT;
	struct stat st;

	assert_int_equal(disk_unfinished_begin(path, &one, &err), 0);
	assert_int_equal(access(path, F_OK), -1);
	assert_int_equal(disk_unfinished_begin(path, &two, &err), -EBUSY);
	assert_int_equal(write(one.fd, "half", 4), 4);
	/* Who made it was killed: its descriptor is closed, and the lock with it. */
	close_fd(&one.fd);
	disk_unfinished_abandon(&one);
	assert_int_equal(access(temp, F_OK), 0);
	assert_int_equal(disk_unfinished_begin(path, &two, &err), 0);
	assert_int_equal(disk_unfinished_finish(&two, &err), 0);
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_size, 0);
	assert_int_equal(access(temp, F_OK), -1);
	assert_int_equal(disk_unfinished_begin(path, &two, &err), -EEXIST);
	disk_unfinished_abandon(&two);
	assert_int_equal(access(path, F_OK), 0);
}

static void test_frozen(void **state)
{
	const struct scratch *s = *state;
	cleanup_free char *path = path_in(s, "image");
	struct error err = ERROR_INIT;
	struct stat st;
	mode_t mode;

	make_raw(path);
	assert_int_equal(chmod(path, 0640), 0);
	assert_int_equal(disk_freeze(path, &mode, &err), 0);
	assert_int_equal(mode, 0640);
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0440);
	assert_int_equal(disk_freeze(path, &mode, &err), 0);
	assert_int_equal(disk_thaw(path, 0640, &err), 0);
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0640);
	assert_int_equal(unlink(path), 0);
	assert_int_equal(disk_thaw(path, 0640, &err), 0);
	assert_int_equal(disk_freeze(path, &mode, &err), -ENOENT);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		scratch_test(test_copy),
		scratch_test(test_watched),
		scratch_test(test_unfinished),
		scratch_test(test_frozen),
	};

	return cmocka_run_group_tests_name("disk/copy", tests, NULL, NULL);
}
