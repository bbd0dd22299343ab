/* SPDX-License-Identifier: MIT */
/* qcow2 headers made by hand, good ones and others. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/error.h"
#include "base/str.h"
#include "disk/qcow2.h"

#include <errno.h>
#include <stdlib.h>

enum {
	OFF_MAGIC = 0,
	OFF_VERSION = 4,
	OFF_BACKING_OFFSET = 8,
	OFF_BACKING_SIZE = 16,
	OFF_CLUSTER_BITS = 20,
	OFF_SIZE = 24,
	OFF_CRYPT = 32,
	OFF_L1_SIZE = 36,
	OFF_L1_OFFSET = 40,
	OFF_REFCOUNT_OFFSET = 48,
	OFF_REFCOUNT_CLUSTERS = 56,
	OFF_SNAPSHOTS = 60,
	OFF_SNAPSHOTS_OFFSET = 64,
	OFF_INCOMPATIBLE = 72,
	OFF_REFCOUNT_ORDER = 96,
	OFF_HEADER_LENGTH = 100,
	OFF_COMPRESSION = 104,
	FILE_BYTES = 4 * 65536,
};

static const uint64_t virtual_bytes = 60ULL << 30;

static void put(uint8_t *p, uint64_t value, size_t bytes)
{
	while (bytes--) {
		p[bytes] = (uint8_t)value;
		value >>= 8;
	}
}

/* What `qemu-img create -f qcow2 x 60G` writes. */
static void make_header(uint8_t h[static QCOW2_HEADER_BYTES])
{
	memset(h, 0, QCOW2_HEADER_BYTES);
	memcpy(h, "QFI\xfb", 4);
	put(h + OFF_VERSION, 3, 4);
	put(h + OFF_CLUSTER_BITS, 16, 4);
	put(h + OFF_SIZE, virtual_bytes, 8);
	put(h + OFF_L1_SIZE, 120, 4);
	put(h + OFF_L1_OFFSET, 0x30000, 8);
	put(h + OFF_REFCOUNT_OFFSET, 0x10000, 8);
	put(h + OFF_REFCOUNT_CLUSTERS, 1, 4);
	put(h + 96, 4, 4);
	put(h + OFF_HEADER_LENGTH, 112, 4);
}

/* Parses a copy that ends where it ends: what is read beyond is found. */
static int parse_info(const uint8_t *header, size_t len, uint64_t file_bytes,
		      struct qcow2_info *ret_info, struct error *err)
{
	uint8_t *copy = malloc(len ? len : 1);
	int rc;

	assert_non_null(copy);
	memcpy(copy, header, len);
	*err = (struct error)ERROR_INIT;
	rc = qcow2_parse(copy, len, file_bytes, ret_info, err);
	free(copy);
	return rc;
}

static int parse(const uint8_t *header, size_t len, uint64_t file_bytes, uint64_t *ret,
		 struct error *err)
{
	struct qcow2_info info = {.virtual_bytes = *ret};
	int rc = parse_info(header, len, file_bytes, &info, err);

	*ret = info.virtual_bytes;
	return rc;
}

static void test_good_headers(void **state)
{
	uint8_t h[QCOW2_HEADER_BYTES];
	struct error err;
	uint64_t got = 0;

	(void)state;
	make_header(h);
	assert_int_equal(parse(h, sizeof(h), FILE_BYTES, &got, &err), 0);
	assert_true(got == virtual_bytes);
	/* The older version has a shorter header. */
	put(h + OFF_VERSION, 2, 4);
	got = 0;
	assert_int_equal(parse(h, 72, FILE_BYTES, &got, &err), 0);
	assert_true(got == virtual_bytes);
	/* And no features: what stands there is an extension, of four bytes. */
	put(h + OFF_INCOMPATIBLE, 0xffffffff00000004, 8);
	assert_int_equal(parse(h, sizeof(h), FILE_BYTES, &got, &err), 0);
}

static void test_fields(void **state)
{
	static const struct {
		const char *what;
		size_t offset, bytes;
		uint64_t value;
		const char *why; /* in the error; NULL: taken */
	} rows[] = {
		{"magic", OFF_MAGIC, 4, 0x514649fa, "not a qcow2"},
		{"a raw disk", OFF_MAGIC, 4, 0, "not a qcow2"},
		{"version 0", OFF_VERSION, 4, 0, "version 0"},
		{"version 1", OFF_VERSION, 4, 1, "version 1"},
		{"version 4", OFF_VERSION, 4, 4, "version 4"},
		{"version, much", OFF_VERSION, 4, UINT32_MAX, "version"},
		{"backing file", OFF_BACKING_OFFSET, 8, 0x200, "backing file"},
		{"backing file far away", OFF_BACKING_OFFSET, 8, UINT64_MAX, "backing file"},
		{"its high half", OFF_BACKING_OFFSET, 8, 1ULL << 32, "backing file"},
		{"its name", OFF_BACKING_SIZE, 4, 11, "backing file"},
		{"clusters of 256", OFF_CLUSTER_BITS, 4, 8, "2^8"},
		{"clusters of 4M", OFF_CLUSTER_BITS, 4, 22, "2^22"},
		{"clusters of 2^64", OFF_CLUSTER_BITS, 4, 64, "2^64"},
		{"clusters, absurd", OFF_CLUSTER_BITS, 4, UINT32_MAX, "2^4294967295"},
		{"clusters of 512, which take a larger L1", OFF_CLUSTER_BITS, 4, 9, "too small"},
		{"size 0", OFF_SIZE, 8, 0, NULL},
		{"as much as the L1 reaches", OFF_SIZE, 8, 120ULL << 29, NULL},
		{"one byte more", OFF_SIZE, 8, (120ULL << 29) + 1, "L1"},
		{"64 TiB", OFF_SIZE, 8, 64ULL << 40, "L1"},
		{"more", OFF_SIZE, 8, (64ULL << 40) + 1, "virtual size"},
		{"all bits", OFF_SIZE, 8, UINT64_MAX, "virtual size"},
		{"negative", OFF_SIZE, 8, 1ULL << 63, "virtual size"},
		{"AES", OFF_CRYPT, 4, 1, "encrypted"},
		{"LUKS", OFF_CRYPT, 4, 2, "encrypted"},
		{"unknown cipher", OFF_CRYPT, 4, 1U << 31, "encrypted"},
		{"dirty", OFF_INCOMPATIBLE, 8, 1, NULL},
		{"corrupt", OFF_INCOMPATIBLE, 8, 2, "corrupt"},
		{"data file", OFF_INCOMPATIBLE, 8, 4, "data file"},
		{"data file, dirty", OFF_INCOMPATIBLE, 8, 5, "data file"},
		{"compression", OFF_INCOMPATIBLE, 8, 8, NULL},
		{"extended L2, which take a larger L1", OFF_INCOMPATIBLE, 8, 16, "too small"},
		{"of the future", OFF_INCOMPATIBLE, 8, 32, "0x20"},
		{"the last bit", OFF_INCOMPATIBLE, 8, 1ULL << 63, "unknown features"},
		{"L1 not on a cluster", OFF_L1_OFFSET, 8, 0x30001, "L1"},
		{"L1 behind the end", OFF_L1_OFFSET, 8, 0x40000, "L1"},
		{"L1 at the top", OFF_L1_OFFSET, 8, 0xffffffffffff0000, "L1"},
		{"L1 over the end", OFF_L1_SIZE, 4, 8193, "L1"},
		{"L1 up to the end", OFF_L1_SIZE, 4, 8192, NULL},
		{"L1 on the header", OFF_L1_OFFSET, 8, 0, "L1 table lies on the header"},
		{"no L1", OFF_L1_SIZE, 4, 0, "too small"},
		{"L1 of 32 GiB", OFF_L1_SIZE, 4, UINT32_MAX, "L1"},
		{"refcounts behind the end", OFF_REFCOUNT_OFFSET, 8, 0x40000, "refcount"},
		{"refcounts at the top", OFF_REFCOUNT_OFFSET, 8, 0xffffffffffff0000, "refcount"},
		{"refcounts over the end", OFF_REFCOUNT_CLUSTERS, 4, 4, "refcount"},
		{"refcounts up to the end", OFF_REFCOUNT_CLUSTERS, 4, 3, NULL},
		{"no refcounts", OFF_REFCOUNT_CLUSTERS, 4, 0, "refcount"},
		{"refcounts on the header", OFF_REFCOUNT_OFFSET, 8, 0, "refcount"},
		{"refcounts of 64 bits", OFF_REFCOUNT_ORDER, 4, 6, NULL},
		{"refcounts of 128 bits", OFF_REFCOUNT_ORDER, 4, 7, "2^7 bits"},
		{"refcounts of 2^255 bits", OFF_REFCOUNT_ORDER, 4, 255, "2^255 bits"},
		{"header of 0", OFF_HEADER_LENGTH, 4, 0, "header of 0"},
		{"header of 96", OFF_HEADER_LENGTH, 4, 96, "header of 96"},
		{"header of 104", OFF_HEADER_LENGTH, 4, 104, NULL},
		{"header of 106", OFF_HEADER_LENGTH, 4, 106, "header of 106"},
		{"header that is not there", OFF_HEADER_LENGTH, 4, 120, "cut short"},
		{"header of 4 GiB", OFF_HEADER_LENGTH, 4, 0xfffffff8, "header of 4294967288"},
		{"zstd", OFF_COMPRESSION, 1, 1, NULL},
		{"compression of the future", OFF_COMPRESSION, 1, 2, "compression 2"},
		{"snapshots nowhere", OFF_SNAPSHOTS, 4, 1, "snapshot"},
		{"snapshots, absurd", OFF_SNAPSHOTS, 4, UINT32_MAX, "4294967295 snapshots"},
		{"a place for no snapshots", OFF_SNAPSHOTS_OFFSET, 8, UINT64_MAX, NULL},
		{"refcounts, absurd", OFF_REFCOUNT_CLUSTERS, 4, UINT32_MAX, "refcount"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		uint8_t h[QCOW2_HEADER_BYTES];
		uint64_t got = 4711;
		struct error err;
		int rc;

		make_header(h);
		put(h + rows[i].offset, rows[i].value, rows[i].bytes);
		rc = parse(h, sizeof(h), FILE_BYTES, &got, &err);
		if (rc != (rows[i].why ? -EINVAL : 0))
			fail_msg("%s: %d, %s", rows[i].what, rc, err.text);
		if (rows[i].why) {
			if (!strstr(err.text, rows[i].why))
				fail_msg("%s: %s", rows[i].what, err.text);
			assert_true(got == 4711);
		}
	}
}

static void test_cut_short(void **state)
{
	uint8_t h[QCOW2_HEADER_BYTES];
	struct error err;
	uint64_t got = 0;

	(void)state;
	make_header(h);
	/* It says that it has 112 bytes. */
	for (size_t len = 0; len <= sizeof(h); len++)
		assert_int_equal(parse(h, len, FILE_BYTES, &got, &err), len < 112 ? -EINVAL : 0);
	put(h + OFF_VERSION, 2, 4);
	for (size_t len = 0; len < sizeof(h); len++)
		assert_int_equal(parse(h, len, FILE_BYTES, &got, &err), len < 72 ? -EINVAL : 0);
	/* The file behind the header. */
	make_header(h);
	for (uint64_t bytes = 0; bytes < 0x30000 + 120 * 8; bytes += 0x3c0)
		assert_int_equal(parse(h, sizeof(h), bytes, &got, &err), -EINVAL);
	assert_int_equal(parse(h, sizeof(h), 0x30000 + 120 * 8, &got, &err), 0);
}

static void test_snapshots(void **state)
{
	uint8_t h[QCOW2_HEADER_BYTES];
	struct error err;
	uint64_t got = 0;

	(void)state;
	make_header(h);
	put(h + OFF_SNAPSHOTS, 3, 4);
	put(h + OFF_SNAPSHOTS_OFFSET, 0x20000, 8);
	assert_int_equal(parse(h, sizeof(h), FILE_BYTES, &got, &err), 0);
	put(h + OFF_SNAPSHOTS_OFFSET, 0x20008, 8);
	assert_int_equal(parse(h, sizeof(h), FILE_BYTES, &got, &err), -EINVAL);
	put(h + OFF_SNAPSHOTS_OFFSET, 0x40000, 8);
	assert_int_equal(parse(h, sizeof(h), FILE_BYTES, &got, &err), -EINVAL);
	put(h + OFF_SNAPSHOTS_OFFSET, UINT64_MAX & ~0xffffULL, 8);
	assert_int_equal(parse(h, sizeof(h), FILE_BYTES, &got, &err), -EINVAL);
	assert_non_null(strstr(err.text, "snapshot table lies outside"));
	/* As many as are allowed, and no room for them. */
	put(h + OFF_SNAPSHOTS_OFFSET, 0x20000, 8);
	put(h + OFF_SNAPSHOTS, 65536, 4);
	assert_int_equal(parse(h, sizeof(h), FILE_BYTES, &got, &err), -EINVAL);
}

enum { CLUSTER = 65536, BACKING_FORMAT = (int)0xe2792aca, FEATURE_NAMES = 0x6803f857 };

/* A first cluster with a backing file's name at the given place. */
static uint8_t *make_backing(uint64_t offset, uint32_t bytes, const char *name)
{
	uint8_t *buf = calloc(1, CLUSTER);

	assert_non_null(buf);
	make_header(buf);
	put(buf + OFF_BACKING_OFFSET, offset, 8);
	put(buf + OFF_BACKING_SIZE, bytes, 4);
	if (offset + strlen(name) <= CLUSTER)
		memcpy(buf + offset, name, strlen(name));
	return buf;
}

/* The reader tells the name; its caller decides. */
static void test_backing_file(void **state)
{
	static const char long_name[] = "/tmp/\x1b[2J/\xff";
	static const struct {
		const char *what;
		uint64_t offset;
		uint32_t bytes;
		const char *name;
		bool taken;
	} rows[] = {
		{"a file of the host", 0x200, 11, "/etc/shadow", true},
		{"a loop", 0x200, 5, "a.img", true},
		{"any bytes", 0x200, sizeof(long_name) - 1, long_name, true},
		{"a protocol", 0x200, 14, "nbd:unix:/sock", true},
		{"up to the end", CLUSTER - 4, 4, "/abc", true},
		{"over the end", CLUSTER - 3, 4, "/ab", false},
		{"behind the end", CLUSTER, 1, "", false},
		{"in the header", 8, 4, "", false},
		{"right behind it", QCOW2_HEADER_BYTES, 4, "/abc", true},
		{"no name", 0x200, 0, "", false},
		{"no place", 0, 4, "", false},
		{"with a NUL", 0x200, 12, "/etc/shadow", false},
		{"too long", 0x200, 1024, "x", false},
		{"at the top", UINT64_MAX, 2, "", false},
		{"absurd", 0x200, UINT32_MAX, "", false},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		uint8_t *buf = make_backing(rows[i].offset, rows[i].bytes, rows[i].name);
		struct qcow2_info info = {0};
		struct error err;
		int rc = parse_info(buf, CLUSTER, FILE_BYTES, &info, &err);

		if (rc != (rows[i].taken ? 0 : -EINVAL))
			fail_msg("%s: %d, %s", rows[i].what, rc, err.text);
		assert_string_equal(info.backing, rows[i].taken ? rows[i].name : "");
		if (!rows[i].taken)
			assert_non_null(strstr(err.text, "backing file"));
		free(buf);
	}
}

/* Puts an extension behind the header; the place for the next. */
static size_t add_extension(uint8_t *buf, size_t at, uint32_t kind, uint32_t bytes,
			    const char *data)
{
	put(buf + at, kind, 4);
	put(buf + at + 4, bytes, 4);
	memcpy(buf + at + 8, data, strlen(data));
	return at + 8 + (bytes + 7) / 8 * 8;
}

static void test_extensions(void **state)
{
	uint8_t *buf = make_backing(0x200, 5, "/base");
	struct qcow2_info info;
	struct error err;
	size_t at;

	(void)state;
	at = add_extension(buf, QCOW2_HEADER_BYTES, FEATURE_NAMES, 50, "names");
	at = add_extension(buf, at, (uint32_t)BACKING_FORMAT, 5, "qcow2");
	assert_int_equal(parse_info(buf, CLUSTER, FILE_BYTES, &info, &err), 0);
	assert_string_equal(info.backing_format, "qcow2");
	assert_string_equal(info.backing, "/base");
	/* Up to the name, and one byte beyond it. */
	(void)add_extension(buf, at, FEATURE_NAMES, (uint32_t)(0x200 - at - 8), "");
	assert_int_equal(parse_info(buf, CLUSTER, FILE_BYTES, &info, &err), 0);
	for (uint32_t more = 1; more; more <<= 1) {
		(void)add_extension(buf, at, FEATURE_NAMES, (uint32_t)(0x200 - at - 8) + more, "");
		assert_int_equal(parse_info(buf, CLUSTER, FILE_BYTES, &info, &err), -EINVAL);
		assert_non_null(strstr(err.text, "extension"));
	}
	/* A format that is none. */
	(void)add_extension(buf, at, (uint32_t)BACKING_FORMAT, 16, "0123456789abcdef");
	assert_int_equal(parse_info(buf, CLUSTER, FILE_BYTES, &info, &err), -EINVAL);
	(void)add_extension(buf, at, (uint32_t)BACKING_FORMAT, 4, "a\0b");
	assert_int_equal(parse_info(buf, CLUSTER, FILE_BYTES, &info, &err), -EINVAL);
	free(buf);
}

static void test_how_much_to_read(void **state)
{
	uint8_t h[QCOW2_HEADER_BYTES];

	(void)state;
	make_header(h);
	assert_int_equal(qcow2_want_bytes(h, sizeof(h)), CLUSTER);
	assert_int_equal(qcow2_want_bytes(h, 71), 71);
	put(h + OFF_CLUSTER_BITS, 21, 4);
	assert_int_equal(qcow2_want_bytes(h, sizeof(h)), QCOW2_CLUSTER_BYTES_MAX);
	put(h + OFF_CLUSTER_BITS, 63, 4);
	assert_int_equal(qcow2_want_bytes(h, sizeof(h)), sizeof(h));
	memset(h, 0, sizeof(h));
	assert_int_equal(qcow2_want_bytes(h, sizeof(h)), sizeof(h));
}

/* Whatever single byte is turned over, nothing is read or computed beyond. */
static void test_every_byte(void **state)
{
	(void)state;
	for (size_t at = 0; at < QCOW2_HEADER_BYTES; at++)
		for (unsigned value = 0; value < 256; value++) {
			uint8_t h[QCOW2_HEADER_BYTES];
			struct error err;
			uint64_t got = 0;
			int rc;

			make_header(h);
			h[at] = (uint8_t)value;
			rc = parse(h, sizeof(h), FILE_BYTES, &got, &err);
			assert_true(rc == 0 || rc == -EINVAL);
			assert_true(got <= 64ULL << 40);
			assert_true((rc == 0) == (err.code == 0));
		}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_good_headers),     cmocka_unit_test(test_fields),
		cmocka_unit_test(test_cut_short),        cmocka_unit_test(test_snapshots),
		cmocka_unit_test(test_backing_file),     cmocka_unit_test(test_extensions),
		cmocka_unit_test(test_how_much_to_read), cmocka_unit_test(test_every_byte),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
