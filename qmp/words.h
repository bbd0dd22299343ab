/* SPDX-License-Identifier: MIT */
/*
 * A command as people type it: `block_resize node-name=disk0 size=2G`. Pure.
 *
 * A word is ended by white space; quotes and backslashes keep it together as in a shell,
 * and a value that begins with { or [ goes to the bracket that closes it. key=value is of the
 * type that the schema says: a whole number may have a suffix (4K, 2G), a truth value
 * is true, on, yes or false, off, no, a list has commas between its elements or is JSON.
 * Without a schema, or where it does not know, it is what it looks like. key:=value is JSON.
 * Dots lead into objects: file.driver=raw.
 */
#ifndef HV_QMP_WORDS_H
#define HV_QMP_WORDS_H

#include "qmp/schema.h"

#include <jansson.h>

struct error;
struct strv;

/* -EINVAL: a quote or bracket is left open; what was read so far is in ret_words all the
 * same. */
int qmp_words_split(const char *line, struct strv *ret_words, struct error *err);

/* The arguments of a command out of its key=value words. schema may be NULL. -EINVAL */
int qmp_words_arguments(const char *command, char *const *words, size_t n,
			const struct qmp_schema *schema, json_t **ret_args, struct error *err);

#endif
