/* SPDX-License-Identifier: MIT */
/*
 * What query-qmp-schema returns, to be asked: which commands there are, what they take and
 * of which type. Pure. Strings are borrowed from the schema and live as long as it does.
 *
 * The schema is QEMU's word, and only as good: types that it names and does not have, or
 * that contain themselves, are types of which nothing is known.
 */
#ifndef HV_QMP_SCHEMA_H
#define HV_QMP_SCHEMA_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

struct error;
struct qmp_schema;
struct strbuf;

enum qmp_kind {
	QMP_KIND_UNKNOWN, /* also a value of any type */
	QMP_KIND_INT,
	QMP_KIND_NUMBER,
	QMP_KIND_BOOL,
	QMP_KIND_STR,
	QMP_KIND_ENUM,
	QMP_KIND_ARRAY,
	QMP_KIND_OBJECT,
	QMP_KIND_COUNT,
};

/* A type: an entry of the schema; NULL is one of which nothing is known. */
typedef const json_t *qmp_type;

/* entries is stolen. -EPROTO where it is no schema, -ENOMEM. */
int qmp_schema_new(json_t *entries, struct qmp_schema **ret_schema, struct error *err);
void qmp_schema_free(struct qmp_schema *s); /* accepts NULL */

/* Calls tell() with each command, or each event. */
typedef void (*qmp_name_fn)(const char *name, void *arg);
void qmp_schema_each_command(const struct qmp_schema *s, qmp_name_fn tell, void *arg);
void qmp_schema_each_event(const struct qmp_schema *s, qmp_name_fn tell, void *arg);

/* The type of a command's arguments, an object; NULL: there is no such command. */
qmp_type qmp_schema_arguments(const struct qmp_schema *s, const char *command);

enum qmp_kind qmp_schema_kind(const struct qmp_schema *s, qmp_type type);

/* A member of an object (or of that which a type may be, among others), also of one of its
 * variants; NULL: it has none of that name. */
qmp_type qmp_schema_member(const struct qmp_schema *s, qmp_type object, const char *name);
qmp_type qmp_schema_element(const struct qmp_schema *s, qmp_type array);

void qmp_schema_each_member(const struct qmp_schema *s, qmp_type object, qmp_name_fn tell,
			    void *arg);
void qmp_schema_each_value(const struct qmp_schema *s, qmp_type enumeration, qmp_name_fn tell,
			   void *arg);

/* A command for people: arguments, types, what it returns. False: there is none such. */
bool qmp_schema_describe(const struct qmp_schema *s, const char *command, struct strbuf *into);
/* An event in the same way: the data that comes with it. */
bool qmp_schema_describe_event(const struct qmp_schema *s, const char *event, struct strbuf *into);

#endif
