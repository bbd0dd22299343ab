/* SPDX-License-Identifier: MIT */
/* Questions to a schema, typed lines, and what people are shown. */
#include "qmp/pretty.h"
#include "qmp/schema.h"
#include "qmp/words.h"

#include "base/cleanup.h"
#include "base/error.h"
#include "base/str.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

/* Cut out of a QEMU 7.2's, with one type that contains itself and one that is not there. */
static const char text[] =
	"[{\"name\":\"do\",\"meta-type\":\"command\",\"arg-type\":\"1\",\"ret-type\":\"0\"},"
	"{\"name\":\"BANG\",\"meta-type\":\"event\",\"arg-type\":\"0\"},"
	"{\"name\":\"0\",\"meta-type\":\"object\",\"members\":[]},"
	"{\"name\":\"1\",\"meta-type\":\"object\",\"tag\":\"driver\",\"members\":["
	"{\"name\":\"driver\",\"type\":\"2\"},{\"name\":\"size\",\"type\":\"int\",\"default\":null},"
	"{\"name\":\"on\",\"type\":\"bool\",\"default\":null},"
	"{\"name\":\"name\",\"type\":\"str\",\"default\":null},"
	"{\"name\":\"list\",\"type\":\"[int]\",\"default\":null},"
	"{\"name\":\"lost\",\"type\":\"gone\",\"default\":null}],"
	"\"variants\":[{\"case\":\"raw\",\"type\":\"3\"},{\"case\":\"nil\",\"type\":\"0\"}]},"
	"{\"name\":\"2\",\"meta-type\":\"enum\",\"values\":[\"raw\",\"nil\"]},"
	"{\"name\":\"3\",\"meta-type\":\"object\",\"members\":[{\"name\":\"file\",\"type\":\"4\"}]},"
	"{\"name\":\"4\",\"meta-type\":\"alternate\",\"members\":[{\"type\":\"str\"},{\"type\":\"1\"}]},"
	"{\"name\":\"int\",\"meta-type\":\"builtin\",\"json-type\":\"int\"},"
	"{\"name\":\"bool\",\"meta-type\":\"builtin\",\"json-type\":\"boolean\"},"
	"{\"name\":\"str\",\"meta-type\":\"builtin\",\"json-type\":\"string\"},"
	"{\"name\":\"[int]\",\"meta-type\":\"array\",\"element-type\":\"int\"},"
	"{\"name\":\"[x]\",\"meta-type\":\"array\",\"element-type\":\"[x]\"},"
	"{\"name\":\"odd\",\"meta-type\":\"command\",\"arg-type\":\"[x]\",\"ret-type\":\"[x]\"}]";

static struct qmp_schema *schema;

static int open_schema(void **state)
{
	(void)state;
	return qmp_schema_new(json_loads(text, 0, NULL), &schema, NULL);
}

static int close_schema(void **state)
{
	(void)state;
	qmp_schema_free(schema);
	return 0;
}

static void add_name(const char *name, void *arg)
{
	strbuf_addf(arg, "%s ", name);
}

static void test_names(void **state)
{
	cleanup_strbuf struct strbuf names = {0};
	qmp_type args = qmp_schema_arguments(schema, "do");

	(void)state;
	qmp_schema_each_command(schema, add_name, &names);
	qmp_schema_each_event(schema, add_name, &names);
	assert_string_equal(names.data, "do odd BANG ");
	strbuf_free(&names);
	qmp_schema_each_member(schema, args, add_name, &names);
	assert_string_equal(names.data, "driver size on name list lost file ");
	strbuf_free(&names);
	qmp_schema_each_value(schema, qmp_schema_member(schema, args, "driver"), add_name, &names);
	assert_string_equal(names.data, "raw nil ");
	/* Through a variant, and out of types that a value may have the object. */
	args = qmp_schema_member(schema, qmp_schema_member(schema, args, "file"), "size");
	assert_int_equal(qmp_schema_kind(schema, args), QMP_KIND_INT);
	assert_null(qmp_schema_arguments(schema, "BANG"));
	assert_null(qmp_schema_member(schema, NULL, "x"));
	assert_int_equal(qmp_schema_new(json_object(), &(struct qmp_schema *){0}, NULL), -EPROTO);
}

static void test_description(void **state)
{
	cleanup_strbuf struct strbuf shown = {0};

	(void)state;
	assert_true(qmp_schema_describe(schema, "do", &shown));
	assert_string_equal(shown.data, "do\n"
					"  driver=raw|nil\n"
					"  size=int  (may be left out)\n"
					"  on=bool  (may be left out)\n"
					"  name=string  (may be left out)\n"
					"  list=list of int  (may be left out)\n"
					"  lost=any  (may be left out)\n"
					"  file=string or object\n"
					"returns nothing\n");
	assert_true(qmp_schema_describe(schema, "odd", &shown));
	assert_false(qmp_schema_describe(schema, "str", &shown));
	strbuf_free(&shown);
	assert_false(qmp_schema_describe_event(schema, "do", &shown));
	assert_true(qmp_schema_describe_event(schema, "BANG", &shown));
	assert_non_null(str_after(shown.data, "BANG  (an event)\n"));
}

static void test_words(void **state)
{
	static const struct {
		const char *line, *args; /* NULL: refused */
	} rows[] = {
		{"do", "{}"},
		{"do size=2G on=yes", "{\"size\":2147483648,\"on\":true}"},
		{"do size=-1 on=off", "{\"size\":-1,\"on\":false}"},
		{"do name=1", "{\"name\":\"1\"}"},
		{"do name=", "{\"name\":\"\"}"},
		{"do 'name=a b' driver=raw", "{\"name\":\"a b\",\"driver\":\"raw\"}"},
		{"do name=\"it's\"\\ so", "{\"name\":\"it's so\"}"},
		{"do list=1,2,3K", "{\"list\":[1,2,3072]}"},
		{"do list=", "{\"list\":[]}"},
		{"do list=[1, 2]", "{\"list\":[1,2]}"},
		{"do file.size=1 file.file=x", "{\"file\":{\"size\":1,\"file\":\"x\"}}"},
		{"do file={\"a b\": [1, \"}\"]} on=on",
		 "{\"file\":{\"a b\":[1,\"}\"]},\"on\":true}"},
		{"do lost=1 what=x", "{\"lost\":1,\"what\":\"x\"}"},
		{"do name:=7", "{\"name\":7}"},
		{"do name:={\"a\": 1}", "{\"name\":{\"a\":1}}"},
		{"do size=x", NULL},
		{"do on=1", NULL},
		{"do list=1,x", NULL},
		{"do name:=x", NULL},
		{"do name", NULL},
		{"do =1", NULL},
		{"do a..b=1", NULL},
		{"do size=1 size=2", NULL},
		{"do size=1 size.x=2", NULL},
		{"do name='open", NULL},
		{"do name={\"open", NULL},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		cleanup_strv struct strv words = {0};
		struct error err = ERROR_INIT;
		json_t *args = NULL;
		int rc = qmp_words_split(rows[i].line, &words, &err);

		if (rc == 0)
			rc = qmp_words_arguments(words.v[0], words.v + 1, words.n - 1, schema,
						 &args, &err);
		if (rows[i].args) {
			cleanup_free char *shown = rc == 0 ? json_dumps(args, JSON_COMPACT) : NULL;

			assert_string_equal(shown ?: err.text, rows[i].args);
		} else if (rc != -EINVAL || !err.code) {
			fail_msg("%s is taken", rows[i].line);
		}
		json_decref(args);
	}
}

/* Nothing is known of them: they are what they look like. */
static void test_words_without_schema(void **state)
{
	char *words[] = {(char *)"a=1", (char *)"b=x", (char *)"c=true", (char *)"d=[1]",
			 (char *)"e.f=1.5"};
	cleanup_free char *shown = NULL;
	json_t *args;

	(void)state;
	assert_int_equal(qmp_words_arguments("any", words, ARRAY_SIZE(words), NULL, &args, NULL),
			 0);
	shown = json_dumps(args, JSON_COMPACT);
	assert_string_equal(shown, "{\"a\":1,\"b\":\"x\",\"c\":true,\"d\":[1],\"e\":{\"f\":1.5}}");
	json_decref(args);
}

static void test_pretty(void **state)
{
	static const char json[] = "{\"a\":[1,18446744073709551615,{}],\"b\\\"\":\"x\x7f\xc2\x9b"
				   "\xc3\xa9\", \"c\" : [ ]}";
	cleanup_strbuf struct strbuf shown = {0};

	(void)state;
	qmp_pretty(&shown, json, strlen(json), false);
	assert_string_equal(shown.data, "{\n  \"a\": [\n    1,\n    18446744073709551615,\n    {}\n"
					"  ],\n  \"b\\\"\": \"x\\x7f\\xc2\\x9b\xc3\xa9\",\n"
					"  \"c\": []\n}");
	strbuf_free(&shown);
	qmp_pretty_line(&shown, json, strlen(json), false);
	assert_string_equal(shown.data, "{\"a\": [1, 18446744073709551615, {}], "
					"\"b\\\"\": \"x\\x7f\\xc2\\x9b\xc3\xa9\", \"c\": []}");
	strbuf_free(&shown);
	qmp_pretty_line(&shown, "{\"a\":\"b\"}", 9, true);
	assert_string_equal(shown.data, "{\033[34m\"a\"\033[0m: \033[32m\"b\"\033[0m}");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_names),  cmocka_unit_test(test_description),
		cmocka_unit_test(test_words),  cmocka_unit_test(test_words_without_schema),
		cmocka_unit_test(test_pretty),
	};

	return cmocka_run_group_tests(tests, open_schema, close_schema);
}
