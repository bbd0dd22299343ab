/* SPDX-License-Identifier: MIT */
/* A stream becomes an image. What QEMU makes of it, tests/integration/snapshots sees. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/cleanup.h"
#include "base/error.h"
#include "disk/memory.h"
#include "disk/snapshots.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

enum { CLUSTER_BYTES = 2 * 1024 * 1024 };

static const char stream[] = "QEVM and what follows";

static int begin(void)
{
	int fd = memfd_create("memory", MFD_CLOEXEC);

	assert_true(fd >= 0);
	assert_int_equal(disk_memory_begin(fd, NULL), 0);
	return fd;
}

static uint64_t end(int fd, const char *name)
{
	struct error err = ERROR_INIT;
	uint64_t bytes = 0;
	int rc = disk_memory_end(fd, name, 1234, &bytes, &err);

	if (rc < 0)
		fail_msg("%s", err.text);
	return bytes;
}

static void test_snapshot(void **state)
{
	struct disk_snapshots list;
	cleanup_close int fd = -1;
	char path[] = "/tmp/hv-test-memory-XXXXXX", found[sizeof(stream)];
	struct stat st;

	(void)state;
	fd = mkstemp(path);
	assert_true(fd >= 0);
	assert_int_equal(disk_memory_begin(fd, NULL), 0);
	assert_int_equal(write(fd, stream, sizeof(stream)), sizeof(stream));
	assert_int_equal(end(fd, "before"), sizeof(stream));
	assert_int_equal(disk_snapshots_read(fd, &list, NULL), 0);
	assert_int_equal(list.n, 1);
	assert_string_equal(list.v[0].name, "before");
	assert_int_equal(list.v[0].memory_bytes, sizeof(stream));
	assert_int_equal(list.v[0].disk_bytes, 0);
	assert_int_equal(list.v[0].date, 1234);
	disk_snapshots_free(&list);
	/* The stream is where it was written, in the last of whole clusters. */
	assert_int_equal(fstat(fd, &st), 0);
	assert_int_equal(st.st_size % CLUSTER_BYTES, 0);
	assert_int_equal(pread(fd, found, sizeof(found), st.st_size - CLUSTER_BYTES),
			 sizeof(found));
	assert_memory_equal(found, stream, sizeof(stream));
	/* The tables are nearly empty. */
	assert_true(st.st_blocks * 512 < CLUSTER_BYTES / 8);
	if (access("/usr/bin/qemu-img", X_OK) == 0)
		assert_int_equal(disk_check(path, false, NULL), 0);
	(void)unlink(path);
}

/* Whole clusters, and a byte more. */
static void test_lengths(void **state)
{
	static const size_t lengths[] = {CLUSTER_BYTES - 1, CLUSTER_BYTES, CLUSTER_BYTES + 1};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(lengths); i++) {
		cleanup_close int fd = begin();
		off_t start = lseek(fd, 0, SEEK_CUR);
		struct stat st;

		assert_int_equal(lseek(fd, (off_t)lengths[i], SEEK_CUR), start + (off_t)lengths[i]);
		assert_int_equal(end(fd, "x"), lengths[i]);
		assert_int_equal(fstat(fd, &st), 0);
		assert_int_equal(st.st_size,
				 start + (i < 2 ? CLUSTER_BYTES : 2 * (off_t)CLUSTER_BYTES));
	}
}

static void test_refused(void **state)
{
	cleanup_close int fd = begin(), full = begin();
	struct error err = ERROR_INIT;
	uint64_t bytes = 7;

	(void)state;
	assert_int_equal(disk_memory_end(fd, "x", 0, &bytes, &err), -EIO);
	assert_non_null(strstr(err.text, "nothing"));
	assert_true(lseek(full, (512LL << 30) + 1, SEEK_CUR) > 0);
	assert_int_equal(disk_memory_end(full, "x", 0, &bytes, &err), -EFBIG);
	assert_non_null(strstr(err.text, "512 GiB"));
	assert_int_equal(bytes, 7);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_snapshot),
		cmocka_unit_test(test_lengths),
		cmocka_unit_test(test_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
