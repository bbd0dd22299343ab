/* SPDX-License-Identifier: MIT */
/* Snapshot tables made by hand, good ones and others, and those of an image that we make. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/cleanup.h"
#include "base/error.h"
#include "base/str.h"
#include "disk/empty.h"
#include "disk/qcow2.h"
#include "disk/snapshots.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

enum { CLUSTER = 1 << 17 };

struct table {
	uint8_t buf[8192];
	size_t len;
};

static void put(uint8_t *p, uint64_t value, size_t bytes)
{
	while (bytes--) {
		p[bytes] = (uint8_t)value;
		value >>= 8;
	}
}

/* As QEMU 7.2 writes one: extra data are the memory's and the disk's size. */
static void add(struct table *t, const char *id, const char *name, uint64_t memory, uint64_t disk)
{
	uint8_t *p = t->buf + t->len;
	size_t len = 40;

	memset(p, 0, 40 + 16);
	put(p + 12, strlen(id), 2);
	put(p + 14, strlen(name), 2);
	put(p + 16, 1795274323, 4);
	put(p + 32, memory, 4);
	put(p + 36, 16, 4);
	put(p + len, memory, 8);
	put(p + len + 8, disk, 8);
	len += 16;
	memcpy(p + len, id, strlen(id));
	len += strlen(id);
	memcpy(p + len, name, strlen(name));
	len += strlen(name);
	t->len += (len + 7) / 8 * 8;
}

static void test_table(void **state)
{
	struct table t = {.len = 0};
	struct disk_snapshots list;
	struct error err = ERROR_INIT;

	(void)state;
	add(&t, "1", "first", 5ULL << 32, 60ULL << 30);
	add(&t, "2", "second one", 0, 1);
	assert_int_equal(disk_snapshots_parse(t.buf, t.len, 2, &list, &err), 0);
	assert_int_equal(list.n, 2);
	assert_string_equal(list.v[0].name, "first");
	assert_true(list.v[0].memory_bytes == 5ULL << 32);
	assert_true(list.v[0].disk_bytes == 60ULL << 30);
	assert_int_equal(list.v[0].date, 1795274323);
	assert_ptr_equal(disk_snapshots_find(&list, "second one"), &list.v[1]);
	assert_null(disk_snapshots_find(&list, "2"));
	disk_snapshots_free(&list);
	assert_int_equal(list.n, 0);
}

/* At every length it asks for more, and reads nothing behind it. */
static void test_cut(void **state)
{
	struct table t = {.len = 0};

	(void)state;
	add(&t, "1", "first", 1, 2);
	add(&t, "2", "12345678", 1, 2); /* 40 + 16 + 1 + 8: padded by 7 bytes */
	for (size_t len = 0; len <= t.len; len++) {
		cleanup_free uint8_t *exact = malloc(len ? len : 1);
		struct disk_snapshots list = {0};
		struct error err = ERROR_INIT;
		int rc;

		assert_non_null(exact);
		memcpy(exact, t.buf, len);
		rc = disk_snapshots_parse(exact, len, 2, &list, &err);
		/* The last padding need not be there. */
		assert_int_equal(rc, len < t.len - 7 ? -EMSGSIZE : 0);
		assert_int_equal(err.code, 0);
		disk_snapshots_free(&list);
	}
}

static void test_hostile(void **state)
{
	struct disk_snapshots list;
	struct error err = ERROR_INIT;
	struct table t = {.len = 0};

	(void)state;
	add(&t, "1", "first", 1, 2);
	put(t.buf + 36, 1025, 4);
	assert_int_equal(disk_snapshots_parse(t.buf, t.len, 1, &list, &err), -EINVAL);
	assert_non_null(strstr(err.text, "extra data"));
	put(t.buf + 36, 16, 4);
	t.buf[40 + 16 + 2] = 0;
	assert_int_equal(disk_snapshots_parse(t.buf, t.len, 1, &list, &err), -EINVAL);
	assert_non_null(strstr(err.text, "NUL"));
	assert_int_equal(disk_snapshots_parse(t.buf, t.len, 70000, &list, &err), -EINVAL);
	assert_int_equal(disk_snapshots_parse(t.buf, t.len, 65536, &list, &err), -EMSGSIZE);
}

/* What we make is an image that we take, without snapshots; then with a table behind it. */
static void test_empty_image(void **state)
{
	cleanup_close int fd = memfd_create("image", MFD_CLOEXEC);
	uint8_t header[QCOW2_HEADER_BYTES], numbers[12] = {0};
	struct table t = {.len = 0};
	struct disk_snapshots list;
	struct qcow2_info info;
	struct error err = ERROR_INIT;

	(void)state;
	assert_int_equal(disk_write_empty(fd, &err), 0);
	assert_int_equal(pread(fd, header, sizeof(header), 0), sizeof(header));
	assert_int_equal(qcow2_want_bytes(header, sizeof(header)), CLUSTER);
	assert_int_equal(disk_snapshots_read(fd, &list, &err), 0);
	assert_int_equal(list.n, 0);

	/* More than is read at first. */
	for (int i = 0; i < 90; i++)
		add(&t, "1", "one of many", 1, 2);
	for (int i = 0; i < 10; i++)
		assert_int_equal(pwrite(fd, t.buf, t.len, 3 * CLUSTER + i * (off_t)t.len), t.len);
	put(numbers, 900, 4);
	put(numbers + 4, 3 * CLUSTER, 8);
	assert_int_equal(pwrite(fd, numbers, sizeof(numbers), 60), sizeof(numbers));
	assert_int_equal(disk_snapshots_read(fd, &list, &err), 0);
	assert_int_equal(list.n, 900);
	disk_snapshots_free(&list);
	assert_int_equal(ftruncate(fd, 3 * CLUSTER + 40 * 900), 0);
	assert_int_equal(disk_snapshots_read(fd, &list, &err), -EINVAL);
	assert_non_null(strstr(err.text, "cut short"));
	memset(&info, 0, sizeof(info));
	assert_int_equal(ftruncate(fd, 200), 0);
	assert_int_equal(disk_snapshots_read(fd, &list, &err), -EINVAL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_table),
		cmocka_unit_test(test_cut),
		cmocka_unit_test(test_hostile),
		cmocka_unit_test(test_empty_image),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
