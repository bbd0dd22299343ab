/* SPDX-License-Identifier: MIT */
/* Images with images below them, and headers that say otherwise than the records. */
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
#include "disk/copy.h"
#include "disk/empty.h"
#include "disk/record.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>

enum { FILE_BYTES = 4 * 65536, NAME_AT = 112 + 24 };

static char dir[64];

static int setup(void **state)
{
	(void)state;
	(void)str_format(dir, sizeof(dir), "/tmp/hv-test-chain-XXXXXX");
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

static void put(uint8_t *p, uint64_t value, size_t bytes)
{
	while (bytes--) {
		p[bytes] = (uint8_t)value;
		value >>= 8;
	}
}

/* An empty image of 1 MiB; backing NULL: none. */
static void make_image(const char *name, const char *backing, const char *format)
{
	uint8_t image[FILE_BYTES] = {'Q', 'F', 'I', 0xfb};
	cleanup_close int fd = open(path_of(name), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

	put(image + 4, 3, 4);
	put(image + 20, 16, 4); /* clusters of 64 KiB */
	put(image + 24, 1 << 20, 8);
	put(image + 36, 1, 4); /* L1 */
	put(image + 40, 0x30000, 8);
	put(image + 48, 0x10000, 8); /* reference counts */
	put(image + 56, 1, 4);
	put(image + 96, 4, 4);
	put(image + 100, 112, 4); /* the header's length */
	if (backing) {
		put(image + 8, NAME_AT, 8);
		put(image + 16, strlen(backing), 4);
		memcpy(image + NAME_AT, backing, strlen(backing));
		put(image + 112, 0xe2792aca, 4); /* the backing file's format */
		put(image + 116, strlen(format), 4);
		memcpy(image + 120, format, strlen(format));
	}
	assert_int_equal(write(fd, image, sizeof(image)), sizeof(image));
}

static void record(const char *name, const char *backing, enum disk_format format)
{
	struct error err = ERROR_INIT;
	struct disk_record r = {.backing = (char *)backing, .backing_format = format};

	if (disk_record_write(path_of(name), &r, &err) < 0)
		fail_msg("%s", err.text);
}

static void expect_refused(const char *name, int code, const char *words)
{
	struct disk_chain chain;
	struct error err = ERROR_INIT;

	assert_int_equal(
		disk_chain_open(path_of(name), DISK_FORMAT_QCOW2, false, &chain, NULL, &err),
		-code);
	if (!strstr(err.text, words))
		fail_msg("'%s' does not say '%s'", err.text, words);
}

static bool may_write(int fd)
{
	return (fcntl(fd, F_GETFL) & O_ACCMODE) == O_RDWR;
}

static void test_layers(void **state)
{
	struct disk_chain chain;
	struct disk_info info;
	struct error err = ERROR_INIT;

	(void)state;
	assert_int_equal(disk_create(path_of("base.raw"), DISK_FORMAT_RAW, 1 << 20, NULL), 0);
	make_image("middle.qcow2", path_of("base.raw"), "raw");
	record("middle.qcow2", path_of("base.raw"), DISK_FORMAT_RAW);
	make_image("top.qcow2", "middle.qcow2", "qcow2");
	record("top.qcow2", "middle.qcow2", DISK_FORMAT_QCOW2);
	if (disk_chain_open(path_of("top.qcow2"), DISK_FORMAT_QCOW2, false, &chain, &info, &err) <
	    0)
		fail_msg("%s", err.text);
	assert_int_equal(chain.n, 3);
	assert_true(may_write(chain.v[0].fd));
	assert_false(may_write(chain.v[1].fd));
	assert_false(may_write(chain.v[2].fd));
	assert_string_equal(chain.v[1].path, path_of("middle.qcow2"));
	assert_string_equal(chain.v[2].path, path_of("base.raw"));
	assert_int_equal(chain.v[1].format, DISK_FORMAT_QCOW2);
	assert_int_equal(chain.v[2].format, DISK_FORMAT_RAW);
	assert_int_equal(info.virtual_bytes, 1 << 20);
	disk_chain_close(&chain);
	assert_int_equal(chain.n, 0);

	/* What was folded in needs no record to be taken back. */
	make_image("top.qcow2", NULL, NULL);
	assert_int_equal(
		disk_chain_open(path_of("top.qcow2"), DISK_FORMAT_QCOW2, true, &chain, &info, NULL),
		0);
	assert_int_equal(chain.n, 1);
	assert_false(may_write(chain.v[0].fd));
	assert_false(info.has_backing);
	disk_chain_close(&chain);
}

static void test_header_and_record(void **state)
{
	(void)state;
	make_image("base.qcow2", NULL, NULL);
	make_image("other.qcow2", NULL, NULL);
	make_image("top.qcow2", "base.qcow2", "qcow2");
	expect_refused("top.qcow2", EINVAL,
		       "names a backing file, 'base.qcow2', which is not followed");
	record("top.qcow2", "other.qcow2", DISK_FORMAT_QCOW2);
	expect_refused("top.qcow2", EINVAL, "but was made on 'other.qcow2' (qcow2)");
	record("top.qcow2", "base.qcow2", DISK_FORMAT_RAW);
	expect_refused("top.qcow2", EINVAL, "but was made on 'base.qcow2' (raw)");
	make_image("top.qcow2", "/etc/shadow", "raw");
	expect_refused("top.qcow2", EINVAL, "names a backing file, '/etc/shadow', but");
	/* A path that only leads to the same file is another name. */
	make_image("top.qcow2", "./base.qcow2", "qcow2");
	record("top.qcow2", "base.qcow2", DISK_FORMAT_QCOW2);
	expect_refused("top.qcow2", EINVAL, "but was made on");
	make_image("top.qcow2", "gone.qcow2", "qcow2");
	record("top.qcow2", "gone.qcow2", DISK_FORMAT_QCOW2);
	expect_refused("top.qcow2", EINVAL, "gone.qcow2' is missing");
	expect_refused("missing.qcow2", ENOENT, "missing.qcow2");
}

static void test_no_end(void **state)
{
	char name[32], below[32];

	(void)state;
	make_image("loop.qcow2", "loop.qcow2", "qcow2");
	record("loop.qcow2", "loop.qcow2", DISK_FORMAT_QCOW2);
	expect_refused("loop.qcow2", EINVAL, "its own backing file");
	make_image("0", NULL, NULL);
	for (int i = 1; i <= DISK_LAYERS_MAX; i++) {
		(void)str_format(name, sizeof(name), "%d", i);
		(void)str_format(below, sizeof(below), "%d", i - 1);
		make_image(name, below, "qcow2");
		record(name, below, DISK_FORMAT_QCOW2);
	}
	expect_refused(name, EINVAL, "more than 16 images");
}

static void test_records(void **state)
{
	static const char *const bad[] = {
		"",
		"[]",
		"{}",
		"{\"backing\": \"a\"}",
		"{\"backing\": \"\", \"backing_format\": \"raw\"}",
		"{\"backing\": \"../a\", \"backing_format\": \"raw\"}",
		"{\"backing\": \"a\", \"backing_format\": \"vmdk\"}",
		"{\"backing\": \"a\", \"backing\": \"b\", \"backing_format\": \"raw\"}",
		"{\"backing\": 1, \"backing_format\": \"raw\"}"};
	cleanup_close int dirfd = -1;
	struct disk_record r;

	(void)state;
	assert_int_equal(disk_record_read(path_of("a"), &r, NULL), 0);
	assert_null(r.backing);
	assert_int_equal(disk_record_read("a", &r, NULL), -EINVAL);
	make_image("b", NULL, NULL);
	make_image("a", "b", "qcow2");
	record("a", "b", DISK_FORMAT_QCOW2);
	dirfd = open(path_of(".hv"), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		assert_int_equal(
			file_write_atomic(dirfd, "a.json", bad[i], strlen(bad[i]), 0600, NULL), 0);
		expect_refused("a", EINVAL, ".hv/a.json");
	}
	record("a", "b", DISK_FORMAT_QCOW2);
	assert_int_equal(chmod(path_of(".hv"), 0777), 0);
	expect_refused("a", EPERM, "can be written by others");
	assert_int_equal(chmod(path_of(".hv"), 0700), 0);
	assert_int_equal(disk_record_remove(path_of("a"), NULL), 0);
	assert_int_equal(disk_record_remove(path_of("a"), NULL), 0);
	assert_int_equal(access(path_of(".hv"), F_OK), -1);
}

/* An image that was made to lie below others, and may lie on nothing itself. */
static void test_shared(void **state)
{
	const struct disk_record shared = {.shared = true};
	struct disk_record r;

	(void)state;
	make_image("a", NULL, NULL);
	assert_int_equal(disk_record_write(path_of("a"), &shared, NULL), 0);
	assert_int_equal(disk_record_read(path_of("a"), &r, NULL), 0);
	assert_null(r.backing);
	assert_true(r.shared);
	assert_int_equal(disk_chain_examine(path_of("a"), DISK_FORMAT_QCOW2,
					    &(struct disk_info){.in_use = false}, NULL),
			 0);
	record("a", "b", DISK_FORMAT_RAW);
	assert_int_equal(disk_record_read(path_of("a"), &r, NULL), 0);
	assert_string_equal(r.backing, "b");
	assert_false(r.shared);
	disk_record_free(&r);
}

/* Overlays are written by hand: of any size, on anything, and empty until somebody writes. */
static void test_overlay(void **state)
{
	static const struct {
		uint64_t asked, is;
	} sizes[] = {
		{0, 1536}, /* as its base, in whole sectors */
		{1 << 30, 1 << 30},
		{64ULL << 40, 64ULL << 40},
	};
	cleanup_close int raw = -1;

	(void)state;
	raw = open(path_of("raw"), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	assert_int_equal(ftruncate(raw, 1030), 0);
	for (size_t i = 0; i < ARRAY_SIZE(sizes); i++) {
		const uint64_t l1_at = 3 << 16;
		struct error err = ERROR_INIT;
		struct disk_chain chain;
		struct disk_info info;
		bool yes = false;

		(void)unlink(path_of("o"));
		if (disk_overlay(path_of("o"), path_of("raw"), DISK_FORMAT_RAW, sizes[i].asked,
				 &err) < 0 ||
		    disk_chain_open(path_of("o"), DISK_FORMAT_QCOW2, false, &chain, &info, &err) <
			    0)
			fail_msg("%s", err.text);
		assert_int_equal(chain.n, 2);
		assert_int_equal(info.virtual_bytes, sizes[i].is);
		assert_int_equal(disk_is_untouched(chain.v[0].fd, &yes, NULL), 0);
		assert_true(yes);
		/* Its table has an entry. */
		assert_int_equal(pwrite(chain.v[0].fd, "\1", 1, (off_t)l1_at + 5), 1);
		assert_int_equal(disk_is_untouched(chain.v[0].fd, &yes, NULL), 0);
		assert_false(yes);
		disk_chain_close(&chain);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_layers, setup, teardown),
		cmocka_unit_test_setup_teardown(test_header_and_record, setup, teardown),
		cmocka_unit_test_setup_teardown(test_no_end, setup, teardown),
		cmocka_unit_test_setup_teardown(test_records, setup, teardown),
		cmocka_unit_test_setup_teardown(test_shared, setup, teardown),
		cmocka_unit_test_setup_teardown(test_overlay, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
