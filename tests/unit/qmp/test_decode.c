/* SPDX-License-Identifier: MIT */
/* One line to one JSON object. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/cleanup.h"
#include "base/error.h"
#include "base/str.h"
#include "qmp/decode.h"

#include <errno.h>
#include <stdlib.h>

static json_t *decode(const char *line)
{
	struct error err = ERROR_INIT;
	json_t *message = NULL;

	if (qmp_decode(line, strlen(line), &message, &err) < 0)
		fail_msg("%s: %s", line, err.text);
	return message;
}

static void test_objects(void **state)
{
	json_t *message =
		decode("{\"return\": {\"a\": [1, 2.5, \"\\u00fc\", null, true]}, \"id\": 7}");

	(void)state;
	assert_int_equal(json_integer_value(json_object_get(message, "id")), 7);
	assert_int_equal(json_array_size(json_object_get(json_object_get(message, "return"), "a")),
			 5);
	json_decref(message);
}

static void test_refused(void **state)
{
	static const char *const rows[] = {
		"",
		"x",
		"7",
		"null",
		"\"text\"",
		"[]",
		"[{}]",
		"{",
		"{}}",
		"{} {}",
		"{\"a\": 1, \"a\": 2}",
		"{\"a\": 01}",
		"{\"a\": 18446744073709551615",
		"{\"a\": 00018446744073709551615}",
		"{\"a\": 1e999}",
		"{\"a\": \"\xff\"}",
		"{\"a\": \"\\ud800\"}",
	};
	struct error err;
	json_t *message = NULL;

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		err = (struct error)ERROR_INIT;
		if (qmp_decode(rows[i], strlen(rows[i]), &message, &err) != -EPROTO)
			fail_msg("taken: %s", rows[i]);
		assert_int_equal(err.code, EPROTO);
		assert_true(strlen(err.text) > 0);
		assert_null(message);
	}
	/* A NUL byte ends no line. */
	assert_int_equal(qmp_decode("{}\0{}", 5, &message, NULL), -EPROTO);
	/* What is cut in the middle of an escape. */
	assert_int_equal(qmp_decode("{\"a\": 99999999999999999999, \"b\\", 31, &message, NULL),
			 -EPROTO);
}

static void test_numbers(void **state)
{
	static const struct {
		const char *text;
		bool integer;
		json_int_t value;
		double real;
	} rows[] = {
		{"0", true, 0, 0},
		{"-1", true, -1, 0},
		{"9223372036854775807", true, INT64_MAX, 0},
		{"-9223372036854775808", true, INT64_MIN, 0},
		{"9223372036854775808", false, 0, 9223372036854775808.0},
		{"18446744073709551615", false, 0, 18446744073709551615.0},
		{"-9223372036854775809", false, 0, -9223372036854775808.0},
		{"99999999999999999999999", false, 0, 1e23},
		{"99999999999999999999.25", false, 0, 1e20},
		{"99999999999999999999e2", false, 0, 1e22},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		cleanup_strbuf struct strbuf line = {0};
		json_t *message, *a;

		strbuf_addf(&line, "{\"a\":%s}", rows[i].text);
		message = decode(line.data);
		a = json_object_get(message, "a");
		assert_int_equal(json_is_integer(a), rows[i].integer);
		if (rows[i].integer)
			assert_int_equal(json_integer_value(a), rows[i].value);
		else
			assert_true(json_real_value(a) / rows[i].real > 0.999999 &&
				    json_real_value(a) / rows[i].real < 1.000001);
		json_decref(message);
	}
}

/* One number that is too large takes nothing from its neighbours. */
static void test_neighbours_stay_exact(void **state)
{
	json_t *message = decode("{\"big\": 18446744073709551615, \"max\": 9223372036854775807, "
				 "\"min\": -9223372036854775808, \"nano\": 1700000000123456789, "
				 "\"text\": \"18446744073709551615 \\\" 99999999999999999999\", "
				 "\"list\": [1, 20, 18446744073709551615], \"r\": 1.25, "
				 "\"18446744073709551615\": 3}");

	(void)state;
	assert_true(json_is_real(json_object_get(message, "big")));
	assert_int_equal(json_integer_value(json_object_get(message, "max")), INT64_MAX);
	assert_int_equal(json_integer_value(json_object_get(message, "min")), INT64_MIN);
	assert_int_equal(json_integer_value(json_object_get(message, "nano")), 1700000000123456789);
	assert_string_equal(json_string_value(json_object_get(message, "text")),
			    "18446744073709551615 \" 99999999999999999999");
	assert_int_equal(json_integer_value(json_array_get(json_object_get(message, "list"), 1)),
			 20);
	assert_true(json_is_real(json_array_get(json_object_get(message, "list"), 2)));
	assert_int_equal(json_integer_value(json_object_get(message, "18446744073709551615")), 3);
	json_decref(message);
}

static void test_nesting(void **state)
{
	static const struct {
		size_t depth;
		int rc;
	} rows[] = {{100, 0}, {1000, 0}, {100000, -EPROTO}, {3000000, -EPROTO}};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		cleanup_strbuf struct strbuf line = {0};
		json_t *message = NULL;

		strbuf_addf(&line, "{\"a\":");
		for (size_t j = 0; j < rows[i].depth; j++)
			strbuf_add(&line, "[", 1);
		for (size_t j = 0; j < rows[i].depth; j++)
			strbuf_add(&line, "]", 1);
		strbuf_addf(&line, "}");
		assert_false(line.failed);
		assert_int_equal(qmp_decode(line.data, line.len, &message, NULL), rows[i].rc);
		json_decref(message);
	}
}

/* What an error quotes goes to logs and terminals. */
static void test_errors_are_printable(void **state)
{
	static const char *const rows[] = {
		"{\"a\": \x1b[2J}",
		"\x1b]0;x\x07",
		"{\"a\x7f",
		("{\"a\": \xc2\x9b"
		 "2J}"),
		"\xff\xfe",
		"{\"\xe2\x80\xae\": 1 x}",
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct error err = ERROR_INIT;
		json_t *message = NULL;

		assert_int_equal(qmp_decode(rows[i], strlen(rows[i]), &message, &err), -EPROTO);
		for (const unsigned char *p = (const unsigned char *)err.text; *p; p++)
			if (*p < 0x20 || *p >= 0x7f)
				fail_msg("row %zu shows byte 0x%02x: %s", i, *p, err.text);
	}
}

/* 256 Ki values are taken, more are refused before they cost their memory. */
static void test_number_of_values(void **state)
{
	(void)state;
	for (int more = 0; more < 2; more++) {
		cleanup_strbuf struct strbuf line = {0};
		json_t *message = NULL;

		/* Those in a string are none. */
		strbuf_addf(&line, "{\"a\\\",,,[[[{{{\":[");
		for (int i = 0; i < QMP_VALUES_MAX - 3 + more; i++)
			strbuf_add(&line, "1,", 2);
		strbuf_addf(&line, "[]]}");
		assert_false(line.failed);
		assert_int_equal(qmp_decode(line.data, line.len, &message, NULL),
				 more ? -EPROTO : 0);
		json_decref(message);
	}
}

/* The row with a long text in place of each @; the caller frees it. */
static char *line_of(const char *row)
{
	struct strbuf line = {0};

	for (; *row; row++) {
		for (size_t i = 0; *row == '@' && i < 40000; i++)
			strbuf_add(&line, "x", 1);
		if (*row != '@')
			strbuf_add(&line, row, 1);
	}
	return strbuf_steal(&line);
}

/* Strings of a length that is decoded in another way: what comes out is the same. */
static void test_long_strings(void **state)
{
	static const char *const rows[] = {
		"{\"a\": \"@\"}",
		"{\"return\": {\"count\": 7, \"buf-b64\": \"@\", \"eof\": true}}",
		"{\"@\": \"(a long string)\"}",
		"{\"a\": \"@\", \"b\": \"(a long string)\"}",
		"{\"a\": \"(a long strin\\u0067)\", \"b\": [\"@\"]}",
		"{\"a\": \"@\", \"b\": \"@\"}",
		"{\"a\": \"\\u00fc@\"}",
		"{\"a\": \"\xc3\xbc@\"}",
		"{\"a\": \"@\", \"b\": 18446744073709551615}",
		"{\"a\": [[\"\\\\\"], \"@\"]}",
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		char *line = line_of(rows[i]);
		json_t *message = decode(line), *wanted = json_loads(line, 0, NULL);

		/* jansson itself does not take the one with a number that is too large. */
		if (wanted)
			assert_true(json_equal(message, wanted));
		else
			assert_int_equal(json_string_length(json_object_get(message, "a")), 40000);
		json_decref(message);
		json_decref(wanted);
		free(line);
	}
}

static void test_long_strings_refused(void **state)
{
	static const char *const rows[] = {
		"{\"a\": \"@\x01\"}",
		"{\"a\": \"@\xff\"}",
		"{\"a\": \"@\", \"a\": 1}",
		"{\"a\": \"@\"",
		"\"@\"",
		"{\"a\": \"@\"} x",
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		char *line = line_of(rows[i]);
		json_t *message = NULL;

		assert_int_equal(qmp_decode(line, strlen(line), &message, NULL), -EPROTO);
		assert_null(message);
		free(line);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_long_strings),
		cmocka_unit_test(test_long_strings_refused),
		cmocka_unit_test(test_objects),
		cmocka_unit_test(test_refused),
		cmocka_unit_test(test_numbers),
		cmocka_unit_test(test_neighbours_stay_exact),
		cmocka_unit_test(test_nesting),
		cmocka_unit_test(test_errors_are_printable),
		cmocka_unit_test(test_number_of_values),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
