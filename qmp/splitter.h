/* SPDX-License-Identifier: MIT */
/*
 * JSON values out of a stream, as a QMP server takes them: they may stand on a
 * line each, or behind one another, or spread over lines. Does no I/O and parses
 * nothing but strings (in double quotes or, as QEMU takes them, in single ones) and brackets. A
 * byte 0xFF, which no JSON text has, drops what is not complete, as QEMU's own parser does.
 */
#ifndef HV_QMP_SPLITTER_H
#define HV_QMP_SPLITTER_H

#include <stdbool.h>
#include <stddef.h>

struct qmp_splitter;

/* -ENOMEM */
int qmp_splitter_new(size_t value_max, struct qmp_splitter **ret_splitter);
void qmp_splitter_free(struct qmp_splitter *s); /* accepts NULL */

/* Adds bytes. -EMSGSIZE: a value passes the bound; -ENOMEM. Both are final,
 * complete values before it can still be taken. */
int qmp_splitter_push(struct qmp_splitter *s, const void *data, size_t len);

/* The next complete value, or a line that cannot be one; valid until the next
 * call. */
bool qmp_splitter_next(struct qmp_splitter *s, const char **ret_value, size_t *ret_len);

#endif
