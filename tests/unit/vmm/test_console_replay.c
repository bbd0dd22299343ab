/* SPDX-License-Identifier: MIT */
/* What a guest said comes back without what a terminal would answer. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/cleanup.h"
#include "base/str.h"
#include "vmm/supervisor/console_replay.h"

#include <stdlib.h>
#include <string.h>

struct row {
	const char *words, *wanted;
};

static void check(const char *words, size_t len, const char *wanted, size_t wanted_len)
{
	cleanup_strbuf struct strbuf shown = {0};

	console_add_replay(&shown, words, len);
	assert_false(shown.failed);
	assert_int_equal(shown.len, wanted_len);
	assert_memory_equal(shown.data ? shown.data : "", wanted, wanted_len);
}

static void check_rows(const struct row *rows, size_t n)
{
	for (size_t i = 0; i < n; i++)
		check(rows[i].words, strlen(rows[i].words), rows[i].wanted, strlen(rows[i].wanted));
}

static void test_kept(void **state)
{
	static const char *const words[] = {
		"",
		"a\r\nb\tc\a",
		"\033[1;31mred\033[0m\033[2J\033[H\033[?1049h\033[?25l\033[4 q\033[!p\033[u",
		"\033(B\033)0\0337\0338\033=\033c",
		"\xc3\xbc \xe2\x82\xac \xc2\xa0",
		/* What goes on in what comes next. */
		"x\033",
		"x\033[",
		"x\033[6",
		"x\033]0;title",
		"x\xc2",
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(words); i++)
		check(words[i], strlen(words[i]), words[i], strlen(words[i]));
	check("a\0b", 3, "a\0b", 3);
}

static void test_dropped(void **state)
{
	static const struct row rows[] = {
		{"a\033[6nb", "ab"},
		{"\033[5n\033[?6n\033[c\033[>c\033[=0c\033[>0q\033[18t\033[0x", ""},
		{"\033[?25$p\033[?u\033Z\005", ""},
		{"a\033]52;c;aGk=\ab", "ab"},
		{"a\033]10;?\033\\b", "ab"},
		{"a\033P+q544e\033\\b\033_x\033\\c\033^y\033\\\033Xz\033\\d", "abcd"},
		{"a\xc2\x9b"
		 "6nb",
		 "ab"},
		{"a\xc2\x9d"
		 "0;t\xc2\x9c"
		 "b",
		 "ab"},
		{"\033\033[6nb", "\033b"},
		{"\033[1\033[6nb", "\033[1b"},
		{"\033[6n\033[1mA", "\033[1mA"},
	};

	(void)state;
	check_rows(rows, ARRAY_SIZE(rows));
}

/* Whatever it is: nothing is read beyond it, and nothing is added to it. */
static void test_any_bytes(void **state)
{
	static const char some[] = "\033[]P\\;6nZ\a\xc2\x9b\x9d\x9c$>?q\005\0ac";
	uint32_t seed = 1;

	(void)state;
	for (int round = 0; round < 20000; round++) {
		cleanup_strbuf struct strbuf words = {0}, shown = {0};
		size_t len = (size_t)(round % 17);

		for (size_t i = 0; i < len; i++) {
			seed = seed * 1664525 + 1013904223;
			strbuf_add(&words, &some[(seed >> 16) % (sizeof(some) - 1)], 1);
		}
		/* Of exactly this size, so that a sanitizer sees what is read behind it. */
		cleanup_free char *exact =
			words.len ? memcpy(malloc(words.len), words.data, words.len) : NULL;

		console_add_replay(&shown, exact, words.len);
		assert_true(shown.len <= words.len);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_kept),
		cmocka_unit_test(test_dropped),
		cmocka_unit_test(test_any_bytes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
