/* SPDX-License-Identifier: MIT */
/* Recordings: lines of JSON, whatever a guest says and however it is cut. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/cleanup.h"
#include "vmm/asciicast.h"

#include <jansson.h>
#include <stdlib.h>

static void test_lines(void **state)
{
	cleanup_strbuf struct strbuf s = {0};
	struct asciicast a = {0};

	(void)state;
	asciicast_header(&s, 80, 24, 1700000000, "a \"b\"", "xterm");
	asciicast_output(&a, &s, 0, "hi\r\n\x1b[0m\"\\", 10);
	asciicast_resize(&s, 1500000, 100, 30);
	asciicast_output(&a, &s, 12000007, "\xc3\xbc\0x", 4);
	asciicast_end(&a, &s, 12000008);
	assert_false(s.failed);
	assert_string_equal(
		s.data,
		"{\"version\": 2, \"width\": 80, \"height\": 24, \"timestamp\": 1700000000, "
		"\"title\": \"a \\\"b\\\"\", \"env\": {\"TERM\": \"xterm\"}}\n"
		"[0.000000, \"o\", \"hi\\r\\n\\u001B[0m\\\"\\\\\"]\n"
		"[1.500000, \"r\", \"100x30\"]\n"
		"[12.000007, \"o\", \"\\u00FCx\"]\n");
}

/* All bytes that come out, joined; each line has to be JSON. */
static char *join(const char *lines)
{
	struct strbuf all = {0};

	strbuf_add(&all, "", 0);
	while (*lines) {
		const char *end = strchr(lines, '\n');
		json_t *event;

		assert_non_null(end);
		event = json_loadb(lines, (size_t)(end - lines), 0, NULL);
		assert_non_null(event);
		assert_string_equal(json_string_value(json_array_get(event, 1)), "o");
		strbuf_addf(&all, "%s", json_string_value(json_array_get(event, 2)));
		json_decref(event);
		lines = end + 1;
	}
	return strbuf_steal(&all);
}

/* Cut at every place, the text is the same. */
static void test_cuts(void **state)
{
	static const struct {
		const char *in, *out;
	} rows[] = {
		{"a\xc3\xbc\xe2\x82\xac\xf0\x9f\x98\x80z",
		 "a\xc3\xbc\xe2\x82\xac\xf0\x9f\x98\x80z"},
		{"\xff\xfe", "\xef\xbf\xbd\xef\xbf\xbd"},
		{"\xc0\xaf", "\xef\xbf\xbd\xef\xbf\xbd"},
		{"\xe2\x82", "\xef\xbf\xbd"},
		{"\xe2\x28", "\xef\xbf\xbd("},
		{"\xed\xa0\x80", "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd"},
		{"\xf4\x90\x80\x80", "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd"},
		{"\x9b"
		 "31m",
		 "\xef\xbf\xbd"
		 "31m"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		size_t len = strlen(rows[i].in);

		for (size_t cut = 0; cut <= len; cut++) {
			cleanup_strbuf struct strbuf s = {0};
			cleanup_free char *joined = NULL;
			struct asciicast a = {0};

			asciicast_output(&a, &s, 1, rows[i].in, cut);
			asciicast_output(&a, &s, 2, rows[i].in + cut, len - cut);
			asciicast_end(&a, &s, 3);
			assert_false(s.failed);
			joined = join(s.data);
			assert_string_equal(joined, rows[i].out);
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_lines),
		cmocka_unit_test(test_cuts),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
