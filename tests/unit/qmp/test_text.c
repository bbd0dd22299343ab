/* SPDX-License-Identifier: MIT */
/* JSON as text: what QEMU's parser takes, what it says where it does not. */
#include "qmp/text.h"

#include "base/cleanup.h"
#include "base/error.h"
#include "base/str.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

/* As a QEMU 7.2 answers them, without "JSON parse error, ". */
static const struct {
	const char *text, *fault; /* NULL: none */
} rows[] = {
	{"{}", NULL},
	{" [1, -0, 1.5e+3, true, false, null, \"\\u00fc\\n\"] ", NULL},
	{"{\"a\": {\"b\": [{}]}}", NULL},
	{"18446744073709551616", NULL},
	{"\"\\ud83d\\ude00\xf0\x9f\x98\x80\"", NULL},
	{"", "premature EOI"},
	{"{", "premature EOI"},
	{"x", "invalid keyword 'x'"},
	{"{\"a\":nul}", "invalid keyword 'nul'"},
	{"truefoo", "invalid keyword 'truefoo'"},
	{"}", "expecting value"},
	{"{\"a\":1,}", "expecting value"},
	{"{\"a\" 1}", "missing : in object pair"},
	{"{\"a\":1 \"b\":2}", "expected separator in dict"},
	{"[1 2]", "expected separator in list"},
	{"{7:1}", "key is not a string in object"},
	{"@", "stray '@'"},
	{"01", "stray '01'"},
	{"-", "stray '-'"},
	{"1.", "stray '1.'"},
	{"1e", "stray '1e'"},
	{"\"a\tb\"", "stray '\"a\\x09'"},
	{"\"open", "stray '\"open'"},
	{"\"\xc0\xaf\"", "invalid UTF-8 sequence in string"},
	{"\"\xff\"", "invalid UTF-8 sequence in string"},
	{"\"\xed\xa0\x80\"", "invalid UTF-8 sequence in string"},
	{"\"\xef\xbf\xbf\"", "invalid UTF-8 sequence in string"},
	{"\"\\uffff\"", "\\uffff is not a valid Unicode character"},
	{"\"\\udc00\"", "\\udc00 is not a valid Unicode character"},
	{"\"\\ud83dx\"", "\\ud83d is not a valid Unicode character"},
	{"\"\\x\"", "invalid escape sequence '\\x'"},
	{"\"\\u12", "invalid escape sequence '\\u'"},
};

static void test_rows(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		/* In memory of its own size: what reads beyond is found. */
		size_t len = strlen(rows[i].text);
		cleanup_free char *text = malloc(len ? len : 1);
		struct error err = ERROR_INIT;
		struct qmp_span value;
		int rc;

		memcpy(text, rows[i].text, len);
		rc = qmp_text_check(text, len, &value, &err);
		if (rows[i].fault ? rc != -EPROTO ||
					    !str_eq(str_after(err.text, "JSON parse error, ") ?: "",
						    rows[i].fault)
				  : rc != 0)
			fail_msg("%s: %d %s", rows[i].text, rc, err.text);
	}
}

static void test_depth(void **state)
{
	char text[2 * (QMP_TEXT_DEPTH_MAX + 1)];
	struct error err = ERROR_INIT;
	struct qmp_span value;

	(void)state;
	for (size_t depth = QMP_TEXT_DEPTH_MAX; depth <= QMP_TEXT_DEPTH_MAX + 1; depth++) {
		memset(text, '[', depth);
		memset(text + depth, ']', depth);
		assert_int_equal(qmp_text_check(text, 2 * depth, &value, &err),
				 depth > QMP_TEXT_DEPTH_MAX ? -E2BIG : 0);
	}
	assert_string_equal(err.text, "JSON nesting depth limit exceeded");
}

static void test_members(void **state)
{
	static const char text[] = " {\"return\" : {\"id\": 7, \"a\": [1, 2]},\r\n"
				   "\"id\":18446744073709551615 , \"s\":\"x\\\"}\" }";
	static const struct {
		const char *key, *value;
	} members[] = {
		{"return", "{\"id\": 7, \"a\": [1, 2]}"},
		{"id", "18446744073709551615"},
		{"s", "\"x\\\"}\""},
		{"a", NULL},
		{"", NULL},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(members); i++) {
		struct qmp_span found = qmp_text_member(text, strlen(text), members[i].key);

		if (members[i].value ? !qmp_span_is(found, members[i].value) : found.at != NULL)
			fail_msg("member '%s'", members[i].key);
	}
	assert_null(qmp_text_member("[1]", 3, "a").at);
	assert_null(qmp_text_member("{}", 2, "a").at);
}

static void test_quotes(void **state)
{
	static const char *const pairs[][2] = {
		{"{'a': 'b'}", "{\"a\": \"b\"}"},
		{"{\"a\": \"it's\"}", "{\"a\": \"it's\"}"},
		{"'a\"b'", "\"a\\\"b\""},
		{"'it\\'s \\\\'", "\"it's \\\\\""},
		{"'\\n'", "\"\\n\""},
		{"'open", "\"open"},
		{"'end\\", "\"end\\"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(pairs); i++) {
		cleanup_strbuf struct strbuf out = {0};

		qmp_text_requote(&out, pairs[i][0], strlen(pairs[i][0]));
		assert_string_equal(out.data, pairs[i][1]);
	}
}

static void test_blanks(void **state)
{
	static const char *const pairs[][2] = {
		{"{}", "{}"},
		{" {\r\n\t\"a b\" : [ 1 , 2.5e3 ,\tnull ] , \"c\":{ } } ",
		 "{\"a b\":[1,2.5e3,null],\"c\":{}}"},
		{"{\"a\": \" \\\" : \\\\\" , \"b\" : \" \u00e9 \"}",
		 "{\"a\":\" \\\" : \\\\\",\"b\":\" \u00e9 \"}"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(pairs); i++) {
		cleanup_free char *out = qmp_text_compact(pairs[i][0], strlen(pairs[i][0]));

		assert_string_equal(out, pairs[i][1]);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_rows),    cmocka_unit_test(test_depth),
		cmocka_unit_test(test_members), cmocka_unit_test(test_quotes),
		cmocka_unit_test(test_blanks),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
