/* SPDX-License-Identifier: MIT */
/* Lines out of a stream. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/str.h"
#include "qmp/framer.h"

#include <errno.h>
#include <stdlib.h>

static struct qmp_framer *framer(size_t line_max)
{
	struct qmp_framer *f;

	assert_int_equal(qmp_framer_new(line_max, &f), 0);
	return f;
}

static void expect_line(struct qmp_framer *f, const char *wanted)
{
	const char *line;
	size_t len;

	if (!wanted) {
		assert_false(qmp_framer_next(f, &line, &len));
		return;
	}
	assert_true(qmp_framer_next(f, &line, &len));
	assert_int_equal(len, strlen(wanted));
	assert_memory_equal(line, wanted, len);
}

static int push(struct qmp_framer *f, const char *text)
{
	return qmp_framer_push(f, text, strlen(text));
}

static void test_lines_come_out_without_their_end(void **state)
{
	static const struct {
		const char *in;
		const char *out[4];
	} rows[] = {
		{"a\n", {"a"}},      {"a\r\nb\n", {"a", "b"}},  {"a", {NULL}},
		{"", {NULL}},        {"\n\r\n \t\r\n", {NULL}}, {"\n\na\n\nb", {"a"}},
		{"a \t\r\n", {"a"}}, {" a\n", {" a"}},          {"a\rb\n", {"a\rb"}},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct qmp_framer *f = framer(100);

		assert_int_equal(push(f, rows[i].in), 0);
		for (size_t j = 0; rows[i].out[j]; j++)
			expect_line(f, rows[i].out[j]);
		expect_line(f, NULL);
		qmp_framer_free(f);
	}
}

static void test_line_cut_anywhere(void **state)
{
	static const char text[] = "{\"a\": 1}\r\n\r\n{\"b\": 2}\n";

	(void)state;
	for (size_t cut = 0; cut < sizeof(text); cut++) {
		struct qmp_framer *f = framer(100);
		char got[64] = "";
		const char *line;
		size_t len, part[] = {cut, sizeof(text) - 1 - cut};

		for (size_t i = 0; i < 2; i++) {
			assert_int_equal(qmp_framer_push(f, text + (i ? cut : 0), part[i]), 0);
			while (qmp_framer_next(f, &line, &len)) {
				(void)strncat(got, line, len);
				(void)strncat(got, "|", 2);
			}
		}
		assert_string_equal(got, "{\"a\": 1}|{\"b\": 2}|");
		qmp_framer_free(f);
	}
}

static void test_byte_by_byte(void **state)
{
	static const char text[] = "one\r\ntwo\nthree\n";
	static const char *const wanted[] = {"one", "two", "three"};
	struct qmp_framer *f = framer(100);
	const char *line;
	size_t len, n = 0;

	(void)state;
	for (size_t i = 0; i < strlen(text); i++) {
		assert_int_equal(qmp_framer_push(f, text + i, 1), 0);
		while (qmp_framer_next(f, &line, &len)) {
			assert_true(n < 3);
			assert_int_equal(len, strlen(wanted[n]));
			assert_memory_equal(line, wanted[n++], len);
		}
	}
	assert_int_equal(n, 3);
	qmp_framer_free(f);
}

static void test_nul_bytes_are_bytes(void **state)
{
	struct qmp_framer *f = framer(100);
	const char *line;
	size_t len;

	(void)state;
	assert_int_equal(qmp_framer_push(f, "a\0b\0\nc\n", 7), 0);
	assert_true(qmp_framer_next(f, &line, &len));
	assert_int_equal(len, 4);
	assert_memory_equal(line, "a\0b\0", 4);
	expect_line(f, "c");
	qmp_framer_free(f);
}

static void test_bound(void **state)
{
	static const struct {
		const char *parts[3];
		int rc;
		const char *out[3];
	} rows[] = {
		/* Exactly at the bound, whole and in parts. */
		{{"12345678\n"}, 0, {"12345678"}},
		{{"1234", "5678", "\n"}, 0, {"12345678"}},
		{{"12345678"}, 0, {NULL}},
		/* One beyond, with its line end and without. */
		{{"123456789\n"}, -EMSGSIZE, {NULL}},
		{{"123456789"}, -EMSGSIZE, {NULL}},
		{{"1234", "56789"}, -EMSGSIZE, {NULL}},
		/* What was complete before can be taken, what follows cannot. */
		{{"a\nb\n123456789\nc\n"}, -EMSGSIZE, {"a", "b"}},
		{{"a\n", "123456789", "\nc\n"}, -EMSGSIZE, {"a"}},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct qmp_framer *f = framer(8);
		int rc = 0;

		for (size_t j = 0; j < 3 && rows[i].parts[j]; j++)
			rc = push(f, rows[i].parts[j]);
		assert_int_equal(rc, rows[i].rc);
		for (size_t j = 0; rows[i].out[j]; j++)
			expect_line(f, rows[i].out[j]);
		expect_line(f, NULL);
		/* Both are final. */
		if (rows[i].rc)
			assert_int_equal(push(f, "x\n"), rows[i].rc);
		expect_line(f, NULL);
		qmp_framer_free(f);
	}
}

/* Many lines through one framer, in pieces that never fit the lines. */
static void test_long_stream(void **state)
{
	struct qmp_framer *f = framer(1000000);
	cleanup_strbuf struct strbuf text = {0};
	size_t n = 0, len;
	const char *line;

	(void)state;
	for (unsigned i = 0; i < 2000; i++)
		strbuf_addf(&text, "%u:%*s.\n", i, (int)(i * 7 % 300), "");
	assert_false(text.failed);
	for (size_t at = 0; at < text.len; at += 777) {
		size_t part = text.len - at < 777 ? text.len - at : 777;

		assert_int_equal(qmp_framer_push(f, text.data + at, part), 0);
		while (qmp_framer_next(f, &line, &len)) {
			assert_int_equal(strtoul(line, NULL, 10), n);
			assert_int_equal(line[len - 1], '.');
			n++;
		}
	}
	assert_int_equal(n, 2000);
	qmp_framer_free(f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_lines_come_out_without_their_end),
		cmocka_unit_test(test_line_cut_anywhere),
		cmocka_unit_test(test_byte_by_byte),
		cmocka_unit_test(test_nul_bytes_are_bytes),
		cmocka_unit_test(test_bound),
		cmocka_unit_test(test_long_stream),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
