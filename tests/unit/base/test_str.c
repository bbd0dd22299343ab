/* SPDX-License-Identifier: MIT */
/* Strict parsing and names, of base/str.h. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/cleanup.h"
#include "base/str.h"

static const uint64_t KI = 1ULL << 10, MI = 1ULL << 20, GI = 1ULL << 30, TI = 1ULL << 40;

static void test_parse_u64(void **state)
{
	static const struct {
		const char *text;
		uint64_t max;
		bool good;
		uint64_t value;
	} rows[] = {
		{"0", UINT64_MAX, true, 0},
		{"007", UINT64_MAX, true, 7},
		{"18446744073709551615", UINT64_MAX, true, UINT64_MAX},
		{"18446744073709551616", UINT64_MAX, false, 0},
		{"18446744073709551620", UINT64_MAX, false, 0},
		{"99999999999999999999999999", UINT64_MAX, false, 0},
		{"255", 255, true, 255},
		{"256", 255, false, 0},
		{"", UINT64_MAX, false, 0},
		{" 1", UINT64_MAX, false, 0},
		{"1 ", UINT64_MAX, false, 0},
		{"1\n", UINT64_MAX, false, 0},
		{"+1", UINT64_MAX, false, 0},
		{"-1", UINT64_MAX, false, 0},
		{"0x10", UINT64_MAX, false, 0},
		{"1e3", UINT64_MAX, false, 0},
		{"\xd9\xa1", UINT64_MAX, false, 0}, /* Arabic-Indic digit one */
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		uint64_t value = 4711;

		if (str_parse_u64(rows[i].text, rows[i].max, &value) != rows[i].good)
			fail_msg("'%s'", rows[i].text);
		/* What is refused leaves the output alone. */
		assert_int_equal(value, rows[i].good ? rows[i].value : 4711);
	}
}

static void test_parse_size(void **state)
{
	const struct {
		const char *text;
		bool good;
		uint64_t bytes;
	} rows[] = {
		{"0", true, 0},
		{"4096", true, 4096},
		{"1K", true, KI},
		{"512M", true, 512 * MI},
		{"60G", true, 60 * GI},
		{"60GB", true, 60 * GI},
		{"60GiB", true, 60 * GI},
		{"2T", true, 2 * TI},
		{"18446744073709551615", true, UINT64_MAX},
		{"18446744073709551616", false, 0},
		{"16777215T", true, 16777215 * TI},
		{"16777216T", false, 0},
		{"18014398509481983K", true, 18014398509481983 * KI},
		{"18014398509481984K", false, 0},
		{"60X", false, 0},
		{"60g", false, 0},
		{"1.5G", false, 0},
		{"60 G", false, 0},
		{"60Gi", false, 0},
		{"60GBs", false, 0},
		{"60GiBB", false, 0},
		{"60B", false, 0},
		{"G", false, 0},
		{"", false, 0},
		{"-1", false, 0},
		{"-1G", false, 0},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		uint64_t bytes = 4711;

		if (str_parse_size(rows[i].text, &bytes) != rows[i].good)
			fail_msg("'%s'", rows[i].text);
		assert_int_equal(bytes, rows[i].good ? rows[i].bytes : 4711);
	}
}

static void test_format_size(void **state)
{
	const struct {
		uint64_t bytes;
		const char *text;
	} rows[] = {
		{0, "0 B"},
		{1023, "1023 B"},
		{KI, "1 KiB"},
		{KI + KI / 2, "1.5 KiB"},
		{512 * MI, "512 MiB"},
		{GI - 1, "1023.9 MiB"},
		{60 * GI, "60 GiB"},
		{GI + GI / 2, "1.5 GiB"},
		{64 * TI, "64 TiB"},
		{UINT64_MAX, "15.9 EiB"},
	};
	char small[6];

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		char buf[32];

		str_format_size(buf, sizeof(buf), rows[i].bytes);
		assert_string_equal(buf, rows[i].text);
	}
	str_format_size(small, sizeof(small), 60 * GI);
	assert_string_equal(small, "60 Gi");
}

static void test_format_milli(void **state)
{
	const struct {
		uint64_t milli;
		const char *text;
	} rows[] = {
		{0, "0"},      {1, "0.001"}, {10, "0.01"},   {250, "0.25"},
		{1500, "1.5"}, {2000, "2"},  {2050, "2.05"}, {1024 * 1000, "1024"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		char buf[32];

		str_format_milli(buf, sizeof(buf), rows[i].milli);
		assert_string_equal(buf, rows[i].text);
	}
}

/* n times the letter a, then tail. */
static void make_long(char *buf, size_t n, const char *tail)
{
	memset(buf, 'a', n);
	strcpy(buf + n, tail);
}

static void test_is_name(void **state)
{
	static const char *const good[] = {"a", "dc01", "lab-net", "7", "A_b.c-d", "a..b", "a-"};
	static const char *const bad[] = {
		"",    ".",   "..",  "../a", "a/b",      "/",         "a/",     "-a",    ".a",
		"_a",  "a b", " a",  "a\n",  "\na",      "a\tb",      "a\x01z", "a\x7f", "a,b",
		"a:b", "a'b", "a%b", "a*",   "\xc3\xa9", "a\xc3\xa9", "a\xffz",
	};
	char longest[80];

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(good); i++)
		if (!str_is_name(good[i]))
			fail_msg("'%s' is a name", good[i]);
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
		if (str_is_name(bad[i]))
			fail_msg("'%s' is no name", bad[i]);
	make_long(longest, 63, "");
	assert_true(str_is_name(longest));
	make_long(longest, 64, "");
	assert_false(str_is_name(longest));
	make_long(longest, 62, "/");
	assert_false(str_is_name(longest));
	make_long(longest, 63, "\n");
	assert_false(str_is_name(longest));
}

static void test_after(void **state)
{
	(void)state;
	assert_string_equal(str_after("console:login", "console:"), "login");
	assert_string_equal(str_after("abc", ""), "abc");
	assert_string_equal(str_after("abc", "abc"), "");
	assert_null(str_after("ab", "abc"));
	assert_null(str_after("xabc", "abc"));
}

static void test_format(void **state)
{
	char buf[4];

	(void)state;
	assert_true(str_format(buf, sizeof(buf), "%s", "abc"));
	assert_string_equal(buf, "abc");
	assert_false(str_format(buf, sizeof(buf), "%s", "wxyz"));
	assert_string_equal(buf, "wxy");
}

static void test_printf(void **state)
{
	cleanup_free char *s = str_printf("%s/%d", "a", 7);

	(void)state;
	assert_non_null(s);
	assert_string_equal(s, "a/7");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_parse_u64),   cmocka_unit_test(test_parse_size),
		cmocka_unit_test(test_format_size), cmocka_unit_test(test_is_name),
		cmocka_unit_test(test_after),       cmocka_unit_test(test_format),
		cmocka_unit_test(test_printf),      cmocka_unit_test(test_format_milli),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
