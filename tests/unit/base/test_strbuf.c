/* SPDX-License-Identifier: MIT */
/* The growing buffer and the argument vector of base/str.h. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/cleanup.h"
#include "base/str.h"

static void test_printable(void **state)
{
	static const struct {
		const char *text;
		size_t len;
		bool keep_newline;
		const char *shown;
	} rows[] = {
#define ROW(text, keep, shown) {text, sizeof(text) - 1, keep, shown}
		ROW("", false, ""),
		ROW("plain ~ text", false, "plain ~ text"),
		ROW("\x1b[2J", false, "\\x1b[2J"),
		ROW("a\0b", false, "a\\x00b"),
		ROW("\x01\x1f\x7f", false, "\\x01\\x1f\\x7f"),
		ROW("a\nb", false, "a\\x0ab"),
		ROW("a\nb\tc", true, "a\nb\tc"),
		ROW("a\rb\n", true, "a\\x0db\n"),
		/* Letters of two, three and four bytes stay. */
		ROW("\xc3\xa9 \xe2\x82\xac \xf0\x9f\x98\x80", false,
		    "\xc3\xa9 \xe2\x82\xac \xf0\x9f\x98\x80"),
		/* C1: U+0085, U+009B (CSI), and the first code point behind them. */
		ROW("\xc2\x85", false, "\\xc2\\x85"),
		ROW("\xc2\x9b"
		    "2J",
		    false, "\\xc2\\x9b2J"),
		ROW("\xc2\xa0", false, "\xc2\xa0"),
		/* Bytes alone, and sequences that the end or ASCII cuts short. */
		ROW("\x80\xbf\xff\xfe", false, "\\x80\\xbf\\xff\\xfe"),
		ROW("\xc3", false, "\\xc3"),
		ROW("\xe2\x82", false, "\\xe2\\x82"),
		ROW("\xe2\x82z", false, "\\xe2\\x82z"),
		ROW("\xf0\x9f\x98", true, "\\xf0\\x9f\\x98"),
		/* Overlong slash and NUL, a surrogate, beyond U+10FFFF. */
		ROW("\xc0\xaf", false, "\\xc0\\xaf"),
		ROW("\xe0\x80\xaf", false, "\\xe0\\x80\\xaf"),
		ROW("\xf0\x80\x80\x80", false, "\\xf0\\x80\\x80\\x80"),
		ROW("\xed\xa0\x80", false, "\\xed\\xa0\\x80"),
		ROW("\xf4\x90\x80\x80", false, "\\xf4\\x90\\x80\\x80"),
		ROW("\xf8\x88\x80\x80\x80", false, "\\xf8\\x88\\x80\\x80\\x80"),
		/* What reorders or hides: U+202E, U+200B, U+FEFF. */
		ROW("\xe2\x80\xae", false, "\\xe2\\x80\\xae"),
		ROW("\xe2\x80\x8b", false, "\\xe2\\x80\\x8b"),
		ROW("\xef\xbb\xbf", false, "\\xef\\xbb\\xbf"),
#undef ROW
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		cleanup_strbuf struct strbuf b = {0};
		/* Of exact size, so that a sanitizer sees a read behind it. */
		cleanup_free char *exact = malloc(rows[i].len + !rows[i].len);

		assert_non_null(exact);
		memcpy(exact, rows[i].text, rows[i].len);
		strbuf_add_printable(&b, exact, rows[i].len, rows[i].keep_newline);
		assert_string_equal(b.data ? b.data : "", rows[i].shown);
		if (strlen(rows[i].text) == rows[i].len && !rows[i].keep_newline)
			assert_int_equal(str_is_printable(rows[i].text),
					 str_eq(rows[i].text, rows[i].shown));
	}
}

static void test_grows(void **state)
{
	cleanup_strbuf struct strbuf b = {0};

	(void)state;
	for (int i = 0; i < 1000; i++)
		strbuf_addf(&b, "%03d,", i);
	strbuf_add(&b, "a\0b", 3);
	assert_false(b.failed);
	assert_int_equal(b.len, 4003);
	assert_memory_equal(b.data, "000,001,", 8);
	assert_memory_equal(b.data + 3996, "999,a\0b", 8);
}

static void test_consume(void **state)
{
	cleanup_strbuf struct strbuf b = {0};

	(void)state;
	strbuf_consume(&b, 3);
	assert_int_equal(b.len, 0);
	strbuf_add(&b, "abcdef", 6);
	strbuf_consume(&b, 0);
	assert_string_equal(b.data, "abcdef");
	strbuf_consume(&b, 2);
	assert_string_equal(b.data, "cdef");
	assert_int_equal(b.len, 4);
	strbuf_consume(&b, 100);
	assert_string_equal(b.data, "");
	assert_int_equal(b.len, 0);
}

static void test_steal(void **state)
{
	struct strbuf b = {0};
	char *s = strbuf_steal(&b);

	(void)state;
	assert_string_equal(s, "");
	free(s);
	strbuf_addf(&b, "x");
	s = strbuf_steal(&b);
	assert_string_equal(s, "x");
	assert_null(b.data);
	free(s);
}

/* The flag stays: what follows a failure is not appended to a cut text. */
static void test_failure_sticks(void **state)
{
	struct strbuf b = {0};

	(void)state;
	strbuf_add(&b, "abc", 3);
	strbuf_add(&b, "", SIZE_MAX - 1);
	assert_true(b.failed);
	strbuf_add(&b, "def", 3);
	assert_string_equal(b.data, "abc");
	assert_null(strbuf_steal(&b));
	assert_false(b.failed);
}

static void test_vector(void **state)
{
	cleanup_strv struct strv l = {0};

	(void)state;
	for (int i = 0; i < 100; i++)
		strv_addf(&l, "arg%d", i);
	strv_add(&l, "last");
	strv_take(&l, strdup("taken"));
	assert_false(l.failed);
	assert_int_equal(l.n, 102);
	assert_string_equal(l.v[0], "arg0");
	assert_string_equal(l.v[99], "arg99");
	assert_string_equal(l.v[100], "last");
	assert_string_equal(l.v[101], "taken");
	assert_null(l.v[102]);
}

static void test_vector_failure_sticks(void **state)
{
	cleanup_strv struct strv l = {0};

	(void)state;
	strv_add(&l, "a");
	strv_take(&l, NULL);
	assert_true(l.failed);
	strv_take(&l, strdup("freed, not leaked"));
	assert_int_equal(l.n, 1);
	assert_null(l.v[1]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_printable),
		cmocka_unit_test(test_grows),
		cmocka_unit_test(test_consume),
		cmocka_unit_test(test_steal),
		cmocka_unit_test(test_failure_sticks),
		cmocka_unit_test(test_vector),
		cmocka_unit_test(test_vector_failure_sticks),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
