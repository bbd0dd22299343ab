/* SPDX-License-Identifier: MIT */
/*
 * Lines out of a stream: bytes are pushed in, complete lines come out, without
 * their line end. Does no I/O and looks at no JSON. A line longer than the
 * bound ends the stream: nothing behind it can be trusted to be in step.
 */
#ifndef HV_QMP_FRAMER_H
#define HV_QMP_FRAMER_H

#include <stdbool.h>
#include <stddef.h>

struct qmp_framer;

/* -ENOMEM */
int qmp_framer_new(size_t line_max, struct qmp_framer **ret_framer);
void qmp_framer_free(struct qmp_framer *f); /* accepts NULL */

/* Adds bytes. -EMSGSIZE: a line passes the bound (complete lines before it can
 * still be taken); -ENOMEM. Both are final. */
int qmp_framer_push(struct qmp_framer *f, const void *data, size_t len);

/* The next complete line that is not blank; valid until the next call. */
bool qmp_framer_next(struct qmp_framer *f, const char **ret_line, size_t *ret_len);

#endif
