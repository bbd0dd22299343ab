/* SPDX-License-Identifier: MIT */
/* Requests, taken apart as QEMU's monitor does it: the words are a QEMU 7.2's. */
#include "qmp/request.h"

#include "base/cleanup.h"
#include "base/error.h"
#include "base/str.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static const struct {
	const char *text, *command, *id, *arguments, *fault;
} rows[] = {
	{"{\"execute\":\"a\"}", "a", NULL, NULL, NULL},
	{"{\"execute\":\"a\",\"id\": 1.50 }", "a", "1.50", NULL, NULL},
	{"{\"id\":123456789012345678901234567890,\"execute\":\"a\"}", "a",
	 "123456789012345678901234567890", NULL, NULL},
	{"{\"id\":18446744073709551615,\"execute\":\"a\",\"arguments\":{\"n\":18446744073709551615}}",
	 "a", "18446744073709551615", "{\"n\":18446744073709551615}", NULL},
	{"{\"id\":{\"b\" : [1,\t-0]},\"execute\":\"a\"}", "a", "{\"b\" : [1,\t-0]}", NULL, NULL},
	{"{\"id\":\"\\u00e9\",\"execute\":\"a\"}", "a", "\"\\u00e9\"", NULL, NULL},
	{"{'execute':'a','id':'b\"c'}", "a", "\"b\\\"c\"", NULL, NULL},
	{"x", NULL, NULL, NULL, "JSON parse error, invalid keyword 'x'"},
	{"7", NULL, NULL, NULL, "QMP input must be a JSON object"},
	{"[]", NULL, NULL, NULL, "QMP input must be a JSON object"},
	{"{}", NULL, NULL, NULL, "QMP input lacks member 'execute'"},
	{"{\"id\":5}", NULL, "5", NULL, "QMP input lacks member 'execute'"},
	{"{\"execute\":7,\"id\":1}", NULL, "1", NULL,
	 "QMP input member 'execute' must be a string"},
	{"{\"Execute\":\"a\"}", NULL, NULL, NULL, "QMP input member 'Execute' is unexpected"},
	{"{\"execute\":\"a\",\"foo\":1,\"id\":9}", NULL, "9", NULL,
	 "QMP input member 'foo' is unexpected"},
	{"{\"execute\":\"a\",\"arguments\":[],\"id\":1}", NULL, "1", NULL,
	 "QMP input member 'arguments' must be an object"},
	{"{\"execute\":\"a\",\"execute\":\"b\",\"id\":1}", NULL, NULL, NULL,
	 "JSON parse error, duplicate key"},
	{"{\"execute\":\"a\",\"arguments\":{\"b\":{\"c\":1,\"c\":1}}}", NULL, NULL, NULL,
	 "JSON parse error, duplicate key"},
	{"{\"exec-oob\":\"a\",\"id\":1}", NULL, "1", NULL,
	 "QMP input member 'exec-oob' is unexpected"},
};

static void check_text(const char *what, const char *is, const char *wanted)
{
	if (!is != !wanted || (is && !str_eq(is, wanted)))
		fail_msg("%s: '%s' in place of '%s'", what, is ?: "none", wanted ?: "none");
}

static void test_rows(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct error err = ERROR_INIT;
		struct qmp_request r;
		int rc = qmp_request_parse(rows[i].text, strlen(rows[i].text), false, &r, &err);

		assert_int_equal(rc, rows[i].fault ? -EPROTO : 0);
		if (rc == 0) {
			check_text("command", r.command, rows[i].command);
			check_text("arguments", r.arguments, rows[i].arguments);
		}
		check_text("id", r.id, rows[i].id);
		check_text("fault", rc ? err.text : NULL, rows[i].fault);
		qmp_request_free(&r);
	}
}

static void test_oob(void **state)
{
	static const char clash[] = "{\"exec-oob\":\"a\",\"execute\":\"a\"}";
	static const char one[] = "{\"exec-oob\":\"a\",\"arguments\":{}}";
	struct error err = ERROR_INIT;
	struct qmp_request r;

	(void)state;
	assert_int_equal(qmp_request_parse(one, strlen(one), true, &r, &err), 0);
	assert_true(r.oob);
	assert_string_equal(r.command, "a");
	qmp_request_free(&r);
	assert_int_equal(qmp_request_parse(clash, strlen(clash), true, &r, &err), -EPROTO);
	assert_string_equal(err.text, "QMP input member 'execute' clashes with 'exec-oob'");
	qmp_request_free(&r);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_rows),
		cmocka_unit_test(test_oob),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
