/* SPDX-License-Identifier: MIT */
#include "vmm/command.h"

#include "base/error.h"
#include "base/str.h"

#include <assert.h>
#include <errno.h>

enum { TYPE_BYTES = 80 };

/* QEMU's names of its builtin types; and what it calls them where one is expected. */
static const struct {
	const char *schema, *words;
} types[] = {
	[COMMAND_STR] = {"str", "string"},
	[COMMAND_INT] = {"int", "integer"},
	[COMMAND_BOOL] = {"bool", "boolean"},
	[COMMAND_VALUE] = {"any", "value"},
};
static_assert(sizeof(types) / sizeof(types[0]) == COMMAND_TYPE_COUNT, "a type without a name");

static const struct command_argument *find_argument(const struct command *command, const char *name)
{
	for (const struct command_argument *a = command->arguments; a && a->name; a++)
		if (str_eq(a->name, name))
			return a;
	return NULL;
}

static bool is_of_type(json_t *value, enum command_type type)
{
	switch (type) {
	case COMMAND_STR:
		return json_is_string(value);
	case COMMAND_INT:
		return json_is_integer(value);
	case COMMAND_BOOL:
		return json_is_boolean(value);
	case COMMAND_VALUE:
	case COMMAND_TYPE_COUNT:
		break;
	}
	return true;
}

int command_check(const struct command *command, json_t *args, struct error *err)
{
	const char *key;
	json_t *value;

	for (const struct command_argument *a = command->arguments; a && a->name; a++) {
		value = json_object_get(args, a->name);
		if (!value && !a->optional)
			return error_set(err, EINVAL, "Parameter '%s' is missing", a->name);
		if (value && !is_of_type(value, a->type))
			return error_set(err, EINVAL,
					 "Invalid parameter type for '%s', expected: %s", a->name,
					 types[a->type].words);
	}
	json_object_foreach (args, key, value)
		if (!find_argument(command, key))
			return error_set(err, EINVAL, "Parameter '%.200s' is unexpected", key);
	return 0;
}

void command_add_name(struct strbuf *into, const struct command *command)
{
	strbuf_addf(into, ", {\"name\": \"%s\"}", command->name);
}

void command_add_common_schema(struct strbuf *into)
{
	strbuf_addf(into, ", {\"name\": \"hv:empty\", \"meta-type\": \"object\", \"members\": []}");
}

/* What it takes, as a type of its own where that is anything; ret_type is its name. */
static void add_arguments(struct strbuf *into, const struct command *command,
			  char ret_type[static TYPE_BYTES])
{
	const struct command_argument *a = command->arguments;

	(void)str_format(ret_type, TYPE_BYTES, "hv:empty");
	if (a && a->name) {
		(void)str_format(ret_type, TYPE_BYTES, "hv:%s-arg", command->name);
		strbuf_addf(into, ", {\"name\": \"%s\", \"meta-type\": \"object\", \"members\": [",
			    ret_type);
		for (; a->name; a++)
			strbuf_addf(into, "%s{\"name\": \"%s\", %s\"type\": \"%s\"}",
				    a == command->arguments ? "" : ", ", a->name,
				    a->optional ? "\"default\": null, " : "",
				    types[a->type].schema);
		strbuf_addf(into, "]}");
	}
}

void command_add_schema(struct strbuf *into, const struct command *command)
{
	char arg_type[TYPE_BYTES];

	add_arguments(into, command, arg_type);
	strbuf_addf(into,
		    ", {\"name\": \"%s\", \"meta-type\": \"command\", \"arg-type\": \"%s\", "
		    "\"ret-type\": \"%s\"}",
		    command->name, arg_type, command->returns_value ? "any" : "hv:empty");
}

void command_add_event_schema(struct strbuf *into, const struct command *event)
{
	char arg_type[TYPE_BYTES];

	add_arguments(into, event, arg_type);
	strbuf_addf(into, ", {\"name\": \"%s\", \"meta-type\": \"event\", \"arg-type\": \"%s\"}",
		    event->name, arg_type);
}
