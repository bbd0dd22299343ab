/* SPDX-License-Identifier: MIT */
/* Commands as rows: what they take, and how they are told. */
#include "vmm/command.h"

#include "base/cleanup.h"
#include "base/error.h"
#include "base/str.h"
#include "vmm/json.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static const struct command_argument arguments[] = {
	{"name", COMMAND_STR, .optional = false},
	{"n", COMMAND_INT, .optional = true},
	{"force", COMMAND_BOOL, .optional = true},
	{"any", COMMAND_VALUE, .optional = true},
	{0},
};
static const struct command with = {"hv-with", arguments, .returns_value = true};
static const struct command without = {.name = "hv-without"};
static const struct command event = {"HV_HAPPENED"};

static void test_arguments(void **state)
{
	static const struct {
		const char *args, *fault;
	} rows[] = {
		{"{\"name\": \"a\"}", NULL},
		{"{\"name\": \"a\", \"n\": 1, \"force\": false, \"any\": [null]}", NULL},
		{"{}", "Parameter 'name' is missing"},
		{"{\"name\": 7}", "Invalid parameter type for 'name', expected: string"},
		{"{\"name\": \"\", \"n\": 1.5}",
		 "Invalid parameter type for 'n', expected: integer"},
		{"{\"name\": \"\", \"force\": 1}",
		 "Invalid parameter type for 'force', expected: boolean"},
		{"{\"name\": \"\", \"foo\": 1}", "Parameter 'foo' is unexpected"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		cleanup_json json_t *args = json_loads(rows[i].args, 0, NULL);
		struct error err = ERROR_INIT;

		(void)command_check(&with, args, &err);
		assert_string_equal(err.text, rows[i].fault ?: "");
	}
	assert_int_equal(command_check(&without, NULL, NULL), 0);
	assert_true(command_check(&with, NULL, NULL) < 0);
}

/* Entries behind those of QEMU make one array, and refer to what is there. */
static void test_schema(void **state)
{
	cleanup_strbuf struct strbuf text = {0};
	cleanup_json json_t *schema = NULL;
	json_t *entry, *member;
	size_t i, j, n_commands = 0, n_events = 0;

	(void)state;
	strbuf_addf(&text, "[{\"name\": \"str\"}, {\"name\": \"int\"}, {\"name\": \"bool\"}, "
			   "{\"name\": \"any\"}");
	command_add_common_schema(&text);
	command_add_schema(&text, &with);
	command_add_schema(&text, &without);
	command_add_event_schema(&text, &event);
	strbuf_add(&text, "]", 1);
	schema = json_loads(text.data, 0, NULL);
	assert_non_null(schema);
	json_array_foreach (schema, i, entry) {
		cleanup_strbuf struct strbuf names = {0};

		n_events += str_eq(json_get_string(entry, "meta-type") ?: "", "event");
		n_commands += str_eq(json_get_string(entry, "meta-type") ?: "", "command");
		json_array_foreach (json_object_get(entry, "members"), j, member)
			strbuf_addf(&names, "%s:%s%s ", json_get_string(member, "name"),
				    json_get_string(member, "type"),
				    json_object_get(member, "default") ? "?" : "");
		if (str_eq(json_get_string(entry, "name"), "hv:hv-with-arg"))
			assert_string_equal(names.data, "name:str n:int? force:bool? any:any? ");
		if (str_eq(json_get_string(entry, "name"), "HV_HAPPENED"))
			assert_string_equal(json_get_string(entry, "arg-type"), "hv:empty");
	}
	assert_int_equal(n_commands, 2);
	assert_int_equal(n_events, 1);
	strbuf_free(&text);
	command_add_name(&text, &without);
	assert_string_equal(text.data, ", {\"name\": \"hv-without\"}");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_arguments),
		cmocka_unit_test(test_schema),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
