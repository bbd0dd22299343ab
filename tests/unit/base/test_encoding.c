/* SPDX-License-Identifier: MIT */
/* Base64 and SHA-256 against the vectors of their standards. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/base64.h"
#include "base/cleanup.h"
#include "base/sha256.h"
#include "base/str.h"

#include <errno.h>

static void test_base64_vectors(void **state)
{
	static const struct {
		const char *bytes, *text;
	} rows[] = {
		{"", ""},
		{"f", "Zg=="},
		{"fo", "Zm8="},
		{"foo", "Zm9v"},
		{"foob", "Zm9vYg=="},
		{"fooba", "Zm9vYmE="},
		{"foobar", "Zm9vYmFy"},
		{"\xfb\xff\xbe", "+/++"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		cleanup_free char *text = base64_encode(rows[i].bytes, strlen(rows[i].bytes));
		cleanup_free char *bytes = NULL;
		size_t len;

		assert_string_equal(text, rows[i].text);
		assert_int_equal(base64_length(strlen(rows[i].bytes)), strlen(rows[i].text));
		assert_int_equal(base64_decode(text, strlen(text), &bytes, &len), 0);
		assert_int_equal(len, strlen(rows[i].bytes));
		assert_memory_equal(bytes, rows[i].bytes, len);
		assert_int_equal(bytes[len], 0);
	}
}

static void test_base64_binary(void **state)
{
	unsigned char all[256 + 7];

	(void)state;
	for (size_t i = 0; i < sizeof(all); i++)
		all[i] = (unsigned char)(i * 7);
	for (size_t n = 0; n <= sizeof(all); n++) {
		cleanup_free char *text = base64_encode(all, n);
		cleanup_free char *bytes = NULL;
		size_t len;

		assert_int_equal(base64_decode(text, strlen(text), &bytes, &len), 0);
		assert_int_equal(len, n);
		assert_memory_equal(bytes, all, n);
	}
}

static void test_base64_refused(void **state)
{
	static const char *const rows[] = {
		"Z",    "Zg",   "Zg=",      "Zg==Zg==",   "====",     "Zm9v=",
		"Z===", "Zm 9", "Zm9v\n",   "Zm-v",       "Zm_v",     "=Zm9",
		"Zh==", "Zm9=", "Zm9vZg=a", "\xc3\xa9zz", "Zm9vZm=v",
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		char *bytes = NULL;
		size_t len;

		assert_int_equal(base64_decode(rows[i], strlen(rows[i]), &bytes, &len), -EINVAL);
		assert_null(bytes);
	}
}

static void test_sha256_vectors(void **state)
{
	static const struct {
		const char *text, *sum;
	} rows[] = {
		{"", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"},
		{"abc", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"},
		{"abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq",
		 "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		char sum[SHA256_TEXT_BYTES];
		struct sha256 h;

		sha256_init(&h);
		sha256_add(&h, rows[i].text, strlen(rows[i].text));
		sha256_finish(&h, sum);
		assert_string_equal(sum, rows[i].sum);
	}
}

/* A million times "a", in pieces of every length, and each length near a block's end. */
static void test_sha256_pieces(void **state)
{
	char a[1000], sum[SHA256_TEXT_BYTES], other[SHA256_TEXT_BYTES];
	struct sha256 h;
	size_t left = 1000000;

	(void)state;
	memset(a, 'a', sizeof(a));
	sha256_init(&h);
	for (size_t n = 1; left; n = n % sizeof(a) + 1) {
		size_t now = n < left ? n : left;

		sha256_add(&h, a, now);
		left -= now;
	}
	sha256_finish(&h, sum);
	assert_string_equal(sum,
			    "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0");
	for (size_t n = 50; n < 140; n++) {
		sha256_init(&h);
		sha256_add(&h, a, n);
		sha256_finish(&h, sum);
		sha256_init(&h);
		for (size_t i = 0; i < n; i++)
			sha256_add(&h, a, 1);
		sha256_finish(&h, other);
		assert_string_equal(sum, other);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_base64_vectors), cmocka_unit_test(test_base64_binary),
		cmocka_unit_test(test_base64_refused), cmocka_unit_test(test_sha256_vectors),
		cmocka_unit_test(test_sha256_pieces),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
