/* SPDX-License-Identifier: MIT */
/* Directories of bitmaps made by hand, good ones and others, and images that have none. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/cleanup.h"
#include "base/error.h"
#include "base/str.h"
#include "disk/bitmaps.h"
#include "disk/empty.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

struct directory {
	uint8_t buf[4096];
	size_t len;
};

/* As QEMU writes one: 24 bytes, extra data, the name, and zeroes up to a multiple of 8. */
static void add(struct directory *d, const char *name, size_t extra)
{
	uint8_t *p = d->buf + d->len;
	size_t bytes = strlen(name);

	memset(p, 0, 24 + extra);
	p[18] = (uint8_t)(bytes >> 8);
	p[19] = (uint8_t)bytes;
	p[23] = (uint8_t)extra;
	memcpy(p + 24 + extra, name, bytes);
	d->len += (24 + extra + bytes + 7) / 8 * 8;
}

static void parse(const struct directory *d, size_t len, uint32_t count, int wanted,
		  struct strv *names)
{
	/* Of exact size, so that a sanitizer sees a read behind it. */
	cleanup_free uint8_t *exact = malloc(len + !len);
	struct error err = ERROR_INIT;

	assert_non_null(exact);
	memcpy(exact, d->buf, len);
	assert_int_equal(disk_bitmaps_parse(exact, len, count, names, &err), wanted);
	assert_int_equal(err.code, -wanted);
}

static void test_names(void **state)
{
	cleanup_strv struct strv names = {0};
	struct directory d = {0};

	(void)state;
	add(&d, "hv-backup-1-0", 0);
	add(&d, "x", 16);
	add(&d, "exactly8", 0);
	parse(&d, d.len, 3, 0, &names);
	assert_int_equal(names.n, 3);
	assert_string_equal(names.v[0], "hv-backup-1-0");
	assert_string_equal(names.v[1], "x");
	assert_string_equal(names.v[2], "exactly8");
}

static void test_faults(void **state)
{
	cleanup_strv struct strv names = {0};
	struct directory d = {0}, nameless = {0}, long_extra = {0};

	(void)state;
	add(&d, "one", 0);
	parse(&d, 0, 0, 0, &names);
	assert_int_equal(names.n, 0);
	for (size_t len = 0; len < 27; len++)
		parse(&d, len, 1, -EINVAL, &names);
	/* The zeroes at its end may be missing. */
	parse(&d, 27, 1, 0, &names);
	parse(&d, 27, 2, -EINVAL, &names);
	parse(&d, d.len, UINT32_MAX, -EINVAL, &names);
	add(&nameless, "", 0);
	parse(&nameless, nameless.len, 1, -EINVAL, &names);
	add(&long_extra, "one", 0);
	memset(long_extra.buf + 20, 0xff, 4);
	parse(&long_extra, long_extra.len, 1, -EINVAL, &names);
}

static void test_image_without(void **state)
{
	char path[] = "/tmp/hv-bitmaps.XXXXXX";
	cleanup_strv struct strv names = {0};
	cleanup_close int fd = mkstemp(path);
	struct error err = ERROR_INIT;

	(void)state;
	assert_true(fd >= 0);
	assert_int_equal(disk_bitmaps_read_path(path, &names, &err), -EINVAL);
	assert_int_equal(disk_write_empty(fd, &err), 0);
	assert_int_equal(disk_bitmaps_read_path(path, &names, &err), 0);
	assert_int_equal(names.n, 0);
	assert_int_equal(unlink(path), 0);
	assert_int_equal(disk_bitmaps_read_path(path, &names, &err), -ENOENT);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_names),
		cmocka_unit_test(test_faults),
		cmocka_unit_test(test_image_without),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
