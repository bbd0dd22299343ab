/* SPDX-License-Identifier: MIT */
/*
 * Strings: allocation, growing buffers, argument vectors, strict parsing.
 *
 * struct strbuf and struct strv keep a sticky `failed` flag, so that a builder
 * can append without looking and check once at the end. All strings are
 * NUL-terminated bytes; lengths are in bytes.
 */
#ifndef HV_BASE_STR_H
#define HV_BASE_STR_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

static inline bool str_eq(const char *a, const char *b)
{
	return strcmp(a, b) == 0;
}

/* The rest of s behind prefix, or NULL where s does not start with it. */
const char *str_after(const char *s, const char *prefix);

/* A new string, or NULL when out of memory; the caller frees it. */
char *str_printf(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
char *str_vprintf(const char *fmt, va_list ap) __attribute__((format(printf, 1, 0)));

/* Frees a string that is nobody else's to know, and leaves no copy of it. Accepts
 * NULL. */
void str_free_secret(char *s);

/* As realloc() of something of whose len bytes no copy is to be left where they were. NULL, and
 * all as it was, when out of memory. */
void *str_realloc_secret(void *p, size_t len, size_t size);

/* Formats into buf; false where it did not fit (buf then holds what fits). */
bool str_format(char *buf, size_t size, const char *fmt, ...) __attribute__((format(printf, 3, 4)));

/* Decimal, whole string, no sign, no white space, at most max. */
bool str_parse_u64(const char *s, uint64_t max, uint64_t *ret_value);

/* "4096", "512M", "60G", "1.5G" is refused; suffixes K M G T are powers of
 * 1024, an optional "iB" or "B" may follow the letter. Result in bytes. */
bool str_parse_size(const char *s, uint64_t *ret_bytes);

/* "512 MiB", "1.5 GiB": for people, at most one decimal. */
void str_format_size(char *buf, size_t size, uint64_t bytes);

/* Thousandths as a decimal number: "1.5", "0.01", "2". */
void str_format_milli(char *buf, size_t size, uint64_t milli);

/*
 * Names of VMs, networks, pools and profiles become file names, host names and
 * part of interface aliases: 1 to 63 bytes of [A-Za-z0-9_.-], the first one a
 * letter or digit. That excludes "..", "/", white space and control bytes.
 */
bool str_is_name(const char *s);

/* A growing byte buffer; data is NUL-terminated whenever it is not NULL. */
struct strbuf {
	char *data;
	size_t len, cap;
	bool failed; /* an allocation failed; contents are cut short */
};

void strbuf_free(struct strbuf *b); /* accepts a zeroed buffer; zeroes it */
void strbuf_add(struct strbuf *b, const void *data, size_t len);
void strbuf_addf(struct strbuf *b, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
void strbuf_vaddf(struct strbuf *b, const char *fmt, va_list ap)
	__attribute__((format(printf, 2, 0)));
/* Removes the first len bytes. */
void strbuf_consume(struct strbuf *b, size_t len);
/* Appends text with every control byte, DEL, C1 code point and invalid UTF-8
 * byte written as \xNN, so that it can be shown on a terminal. Newlines too
 * unless keep_newline. */
void strbuf_add_printable(struct strbuf *b, const char *data, size_t len, bool keep_newline);
/* Whether nothing of it would be written so: UTF-8 that a terminal and JSON can show. */
bool str_is_printable(const char *s);
/* The string, now the caller's; NULL where an allocation failed. */
char *strbuf_steal(struct strbuf *b);

static inline void cleanup_strbuf_fn(struct strbuf *b)
{
	strbuf_free(b);
}
#define cleanup_strbuf __attribute__((cleanup(cleanup_strbuf_fn)))

/* A NULL-terminated vector of owned strings, as execve() wants it. */
struct strv {
	char **v;
	size_t n, cap;
	bool failed;
};

void strv_free(struct strv *l);
void strv_add(struct strv *l, const char *s);
void strv_addf(struct strv *l, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/* Appends a string that the vector takes over; NULL counts as out of memory. */
void strv_take(struct strv *l, char *s);

static inline void cleanup_strv_fn(struct strv *l)
{
	strv_free(l);
}
#define cleanup_strv __attribute__((cleanup(cleanup_strv_fn)))

#endif
