/* SPDX-License-Identifier: MIT */
/*
 * Commands of hvup's own on a control socket, as rows of a table: what they take is
 * checked by the row, and told by it to whoever asks for QEMU's schema. Pure.
 */
#ifndef HV_VMM_COMMAND_H
#define HV_VMM_COMMAND_H

#include <jansson.h>
#include <stdbool.h>

struct error;
struct strbuf;

enum command_type { COMMAND_STR, COMMAND_INT, COMMAND_BOOL, COMMAND_VALUE, COMMAND_TYPE_COUNT };

struct command_argument {
	const char *name; /* NULL ends a list */
	enum command_type type;
	bool optional;
};

struct command {
	const char *name;
	const struct command_argument *arguments; /* NULL: none */
	bool returns_value; /* else an empty object */
};

/* Whether args (may be NULL) are what the command takes; -EINVAL with QEMU's words. */
int command_check(const struct command *command, json_t *args, struct error *err);

/* As an entry of query-commands, with a comma in front. */
void command_add_name(struct strbuf *into, const struct command *command);

/* As entries of query-qmp-schema, with commas in front; and, once, what they share. */
void command_add_schema(struct strbuf *into, const struct command *command);
/* The same for an event, whose name and data a row has in their place. */
void command_add_event_schema(struct strbuf *into, const struct command *event);
void command_add_common_schema(struct strbuf *into);

#endif
