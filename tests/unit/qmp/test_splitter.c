/* SPDX-License-Identifier: MIT */
#include "qmp/splitter.h"

#include "base/cleanup.h"
#include "base/str.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

enum { VALUE_MAX = 64 };

/* Values that come out, each in angle brackets. */
static void take(struct qmp_splitter *s, struct strbuf *into)
{
	const char *value;
	size_t len;

	while (qmp_splitter_next(s, &value, &len))
		strbuf_addf(into, "<%.*s>", (int)len, value);
}

static const struct {
	const char *in, *out;
} rows[] = {
	{"", ""},
	{" \r\n\t\n", ""},
	{"{}", "<{}>"},
	{"{}{}", "<{}><{}>"},
	{" {\"a\":1}\r\n[2]\n", "<{\"a\":1}><[2]>"},
	{"{\"a\":\n{\"b\":[]}\n}", "<{\"a\":\n{\"b\":[]}\n}>"},
	{"{\"a\":\"}{\\\"}\"}", "<{\"a\":\"}{\\\"}\"}>"},
	{"nonsense\n{}", "<nonsense\n><{}>"},
	{"\"text\" 7\n", "<\"text\" 7\n>"},
	{"{\"a\":\"open\n{}", "<{\"a\":\"open\n><{}>"},
	{"{\"a\":[\xff{}", "<{}>"},
	{"}\n{}", "<}\n><{}>"},
	{"{'a':'}\"'}{}", "<{'a':'}\"'}><{}>"},
	{"{\"half\":", ""},
};

static void test_rows_cut_anywhere(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
		for (size_t cut = 0; cut <= strlen(rows[i].in); cut++) {
			cleanup_strbuf struct strbuf out = {0};
			struct qmp_splitter *s;

			assert_int_equal(qmp_splitter_new(VALUE_MAX, &s), 0);
			assert_int_equal(qmp_splitter_push(s, rows[i].in, cut), 0);
			take(s, &out);
			assert_int_equal(
				qmp_splitter_push(s, rows[i].in + cut, strlen(rows[i].in) - cut),
				0);
			take(s, &out);
			assert_string_equal(out.data ? out.data : "", rows[i].out);
			qmp_splitter_free(s);
		}
}

static void test_bound(void **state)
{
	char exact[VALUE_MAX + 1], more[VALUE_MAX + 2];
	cleanup_strbuf struct strbuf out = {0};
	struct qmp_splitter *s;

	(void)state;
	memset(exact, '[', VALUE_MAX / 2);
	memset(exact + VALUE_MAX / 2, ']', VALUE_MAX / 2);
	exact[VALUE_MAX] = '\0';
	(void)str_format(more, sizeof(more), "[%.*s", VALUE_MAX, exact);
	assert_int_equal(qmp_splitter_new(VALUE_MAX, &s), 0);
	assert_int_equal(qmp_splitter_push(s, exact, VALUE_MAX), 0);
	take(s, &out);
	assert_int_equal(out.len, VALUE_MAX + 2);
	assert_int_equal(qmp_splitter_push(s, more, VALUE_MAX + 1), 0);
	take(s, &out);
	assert_int_equal(out.len, VALUE_MAX + 2);
	assert_int_equal(qmp_splitter_push(s, "\n{}", 3), -EMSGSIZE);
	take(s, &out);
	assert_int_equal(out.len, VALUE_MAX + 2);
	qmp_splitter_free(s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_rows_cut_anywhere),
		cmocka_unit_test(test_bound),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
