/* SPDX-License-Identifier: MIT */
/*
 * JSON as text: it is checked and taken apart without being decoded, so that what is
 * passed on stays what it was: numbers keep their digits, strings their escapes.
 * Pure.
 *
 * Faults are told in QEMU's own words, for clients know them.
 */
#ifndef HV_QMP_TEXT_H
#define HV_QMP_TEXT_H

#include <stdbool.h>
#include <stddef.h>

struct error;
struct strbuf;

/* QEMU's own bound. */
enum { QMP_TEXT_DEPTH_MAX = 1024 };

/* A piece of somebody else's text. */
struct qmp_span {
	const char *at; /* NULL: not there */
	size_t len;
};

/* Whether text begins with one value that QEMU's parser takes (duplicate keys are not
 * looked for). Its span goes to *ret_value. -EPROTO with QEMU's words, or -E2BIG where it is
 * nested too deeply. */
int qmp_text_check(const char *text, size_t len, struct qmp_span *ret_value, struct error *err);

/*
 * Calls member() for each member of the object that text is, which was checked. key is
 * without its quotes, escapes as they are. False from it ends the walk.
 */
typedef bool (*qmp_member_fn)(struct qmp_span key, struct qmp_span value, void *arg);
void qmp_text_walk(const char *text, size_t len, qmp_member_fn member, void *arg);

/* The value of the last member of that name; at is NULL where there is none. */
struct qmp_span qmp_text_member(const char *text, size_t len, const char *key);

bool qmp_span_is(struct qmp_span span, const char *text);

/* A copy without what is blank and in no string; NULL: out of memory. The text was checked. */
char *qmp_text_compact(const char *text, size_t len);

/* QEMU takes 'text' for "text", other parsers do not: appends the text with double quotes
 * throughout. */
void qmp_text_requote(struct strbuf *into, const char *text, size_t len);

#endif
