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
	OFF_INCOMPATIBLE = 72,
	OFF_HEADER_LENGTH = 100,
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
static int parse(const uint8_t *header, size_t len, uint64_t file_bytes, uint64_t *ret,
		 struct error *err)
{
	uint8_t *copy = malloc(len ? len : 1);
	int rc;

	assert_non_null(copy);
	memcpy(copy, header, len);
	*err = (struct error)ERROR_INIT;
	rc = qcow2_parse(copy, len, file_bytes, ret, err);
	free(copy);
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
	/* And no features: what stands there is something else. */
	put(h + OFF_INCOMPATIBLE, UINT64_MAX, 8);
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
		{"clusters of 512", OFF_CLUSTER_BITS, 4, 9, NULL},
		{"size 0", OFF_SIZE, 8, 0, NULL},
		{"64 TiB", OFF_SIZE, 8, 64ULL << 40, NULL},
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
		{"extended L2", OFF_INCOMPATIBLE, 8, 16, NULL},
		{"of the future", OFF_INCOMPATIBLE, 8, 32, "0x20"},
		{"the last bit", OFF_INCOMPATIBLE, 8, 1ULL << 63, "unknown features"},
		{"L1 not on a cluster", OFF_L1_OFFSET, 8, 0x30001, "L1"},
		{"L1 behind the end", OFF_L1_OFFSET, 8, 0x40000, "L1"},
		{"L1 at the top", OFF_L1_OFFSET, 8, 0xffffffffffff0000, "L1"},
		{"L1 over the end", OFF_L1_SIZE, 4, 8193, "L1"},
		{"L1 up to the end", OFF_L1_SIZE, 4, 8192, NULL},
		{"L1 of 32 GiB", OFF_L1_SIZE, 4, UINT32_MAX, "L1"},
		{"refcounts behind the end", OFF_REFCOUNT_OFFSET, 8, 0x40000, "refcount"},
		{"refcounts at the top", OFF_REFCOUNT_OFFSET, 8, 0xffffffffffff0000, "refcount"},
		{"refcounts over the end", OFF_REFCOUNT_CLUSTERS, 4, 4, "refcount"},
		{"refcounts up to the end", OFF_REFCOUNT_CLUSTERS, 4, 3, NULL},
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
	uint64_t got;

	(void)state;
	make_header(h);
	for (size_t len = 0; len < sizeof(h); len++)
		assert_int_equal(parse(h, len, FILE_BYTES, &got, &err), len < 104 ? -EINVAL : 0);
	put(h + OFF_VERSION, 2, 4);
	for (size_t len = 0; len < sizeof(h); len++)
		assert_int_equal(parse(h, len, FILE_BYTES, &got, &err), len < 72 ? -EINVAL : 0);
	/* The file behind the header. */
	make_header(h);
	for (uint64_t bytes = 0; bytes < 0x30000 + 120 * 8; bytes += 0x3c0)
		assert_int_equal(parse(h, sizeof(h), bytes, &got, &err), -EINVAL);
	assert_int_equal(parse(h, sizeof(h), 0x30000 + 120 * 8, &got, &err), 0);
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
		cmocka_unit_test(test_good_headers),
		cmocka_unit_test(test_fields),
		cmocka_unit_test(test_cut_short),
		cmocka_unit_test(test_every_byte),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
