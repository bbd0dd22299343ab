/* SPDX-License-Identifier: MIT */
/*
 * JSON text for people: indented, in colour where wanted, and safe on a terminal. The
 * values are not decoded, so numbers have all their digits. Pure.
 */
#ifndef HV_QMP_PRETTY_H
#define HV_QMP_PRETTY_H

#include <stdbool.h>
#include <stddef.h>

struct strbuf;

/* text is JSON that was checked; no line end behind it. */
void qmp_pretty(struct strbuf *into, const char *text, size_t len, bool colour);

/* The same on one line. */
void qmp_pretty_line(struct strbuf *into, const char *text, size_t len, bool colour);

#endif
