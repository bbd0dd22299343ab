/* SPDX-License-Identifier: MIT */
#include "qmp/text.h"

#include "base/error.h"
#include "base/str.h"

#include <errno.h>
#include <stdint.h>
#include <stdlib.h>

enum { QUOTED_MAX = 64 };

struct scan {
	const char *at, *end;
	size_t depth;
	struct error *err;
};

static int scan_value(struct scan *s);

static int fail(struct scan *s, const char *what)
{
	return error_set(s->err, EPROTO, "JSON parse error, %s", what);
}

/* Quotes what was met, from start to where the scan stands. */
static int fail_at(struct scan *s, const char *start, const char *fmt)
{
	cleanup_strbuf struct strbuf shown = {0};
	size_t len = (size_t)(s->at - start);

	strbuf_add_printable(&shown, start, len < QUOTED_MAX ? len : QUOTED_MAX, false);
	return error_set(s->err, EPROTO, "JSON parse error, %s '%s'", fmt,
			 shown.data ? shown.data : "");
}

static bool is_space(char c)
{
	return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

static void skip_space(struct scan *s)
{
	while (s->at < s->end && is_space(*s->at))
		s->at++;
}

/* Takes c where it is next. */
static bool take(struct scan *s, char c)
{
	skip_space(s);
	if (s->at == s->end || *s->at != c)
		return false;
	s->at++;
	return true;
}

/* Code points that QEMU refuses: surrogates, and those that are for no text. */
static bool is_character(uint32_t c)
{
	return c <= 0x10ffff && (c < 0xd800 || c > 0xdfff) && (c < 0xfdd0 || c > 0xfdef) &&
	       (c & 0xfffe) != 0xfffe;
}

/* One character of two bytes or more; false where it is none. */
static bool scan_utf8(struct scan *s)
{
	static const uint32_t smallest[] = {0, 0, 0x80, 0x800, 0x10000};
	unsigned char first = (unsigned char)*s->at;
	size_t n = first >= 0xf0 ? 4 : first >= 0xe0 ? 3 : 2;
	uint32_t c = first & (0x7fU >> n);

	if (first < 0xc2 || first > 0xf4 || (size_t)(s->end - s->at) < n)
		return false;
	for (size_t i = 1; i < n; i++) {
		if (((unsigned char)s->at[i] & 0xc0) != 0x80)
			return false;
		c = c << 6 | ((unsigned char)s->at[i] & 0x3f);
	}
	s->at += n;
	return c >= smallest[n] && is_character(c);
}

static bool scan_hex(struct scan *s, uint32_t *ret_value)
{
	uint32_t value = 0;

	if (s->end - s->at < 4)
		return false;
	for (int i = 0; i < 4; i++) {
		char c = *s->at++;

		if (c >= '0' && c <= '9')
			value = value << 4 | (uint32_t)(c - '0');
		else if ((c | 0x20) >= 'a' && (c | 0x20) <= 'f')
			value = value << 4 | (uint32_t)((c | 0x20) - 'a' + 10);
		else
			return false;
	}
	*ret_value = value;
	return true;
}

/* Behind a backslash. */
static int scan_escape(struct scan *s)
{
	const char *start = s->at - 1;
	uint32_t c, low;

	if (s->at < s->end && *s->at && strchr("\"\\/bfnrt'", *s->at)) {
		s->at++;
		return 0;
	}
	if (s->at == s->end || *s->at++ != 'u' || !scan_hex(s, &c))
		return fail_at(s, start, "invalid escape sequence");
	if (c >= 0xd800 && c <= 0xdbff && s->end - s->at >= 6 && s->at[0] == '\\' &&
	    s->at[1] == 'u') {
		s->at += 2;
		if (!scan_hex(s, &low) || low < 0xdc00 || low > 0xdfff)
			return fail_at(s, start, "invalid escape sequence");
		c = 0x10000 + ((c & 0x3ff) << 10) + (low & 0x3ff);
	}
	if (!is_character(c))
		return error_set(s->err, EPROTO,
				 "JSON parse error, %.*s is not a valid Unicode character",
				 (int)(s->at - start), start);
	return 0;
}

static int scan_string(struct scan *s)
{
	const char *start = s->at++;

	while (s->at < s->end) {
		unsigned char c = (unsigned char)*s->at;
		int rc = 0;

		if (c < 0x20) {
			s->at++;
			return fail_at(s, start, "stray");
		}
		if (c >= 0x80) {
			if (!scan_utf8(s))
				return fail(s, "invalid UTF-8 sequence in string");
			continue;
		}
		s->at++;
		if (c == '"')
			return 0;
		if (c == '\\')
			rc = scan_escape(s);
		if (rc < 0)
			return rc;
	}
	return fail_at(s, start, "stray");
}

static size_t scan_digits(struct scan *s)
{
	const char *start = s->at;

	while (s->at < s->end && *s->at >= '0' && *s->at <= '9')
		s->at++;
	return (size_t)(s->at - start);
}

static int scan_number(struct scan *s)
{
	const char *start = s->at, *digits;
	size_t n;
	bool wrong;

	if (*s->at == '-')
		s->at++;
	digits = s->at;
	n = scan_digits(s);
	wrong = n == 0 || (n > 1 && *digits == '0');
	if (!wrong && s->at < s->end && *s->at == '.') {
		s->at++;
		wrong = scan_digits(s) == 0;
	}
	if (!wrong && s->at < s->end && (*s->at | 0x20) == 'e') {
		s->at++;
		if (s->at < s->end && (*s->at == '+' || *s->at == '-'))
			s->at++;
		wrong = scan_digits(s) == 0;
	}
	return wrong ? fail_at(s, start, "stray") : 0;
}

static int scan_keyword(struct scan *s)
{
	static const char *const words[] = {"true", "false", "null"};
	const char *start = s->at;

	while (s->at < s->end && *s->at >= 'a' && *s->at <= 'z')
		s->at++;
	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
		if (qmp_span_is((struct qmp_span){start, (size_t)(s->at - start)}, words[i]))
			return 0;
	return fail_at(s, start, "invalid keyword");
}

/* One member, from its key on. The spans are left where somebody wants them. */
static int scan_member(struct scan *s, struct qmp_span *ret_key, struct qmp_span *ret_value)
{
	const char *start;
	int rc;

	skip_space(s);
	start = s->at;
	rc = scan_value(s);
	if (rc < 0)
		return rc;
	if (*start != '"')
		return fail(s, "key is not a string in object");
	*ret_key = (struct qmp_span){start + 1, (size_t)(s->at - start) - 2};
	if (!take(s, ':'))
		return fail(s, "missing : in object pair");
	skip_space(s);
	start = s->at;
	rc = scan_value(s);
	if (rc == 0)
		*ret_value = (struct qmp_span){start, (size_t)(s->at - start)};
	return rc;
}

/* Behind its bracket, for objects and arrays. */
static int scan_list(struct scan *s, bool is_object)
{
	const char close = is_object ? '}' : ']';
	struct qmp_span key, value;
	int rc;

	if (++s->depth > QMP_TEXT_DEPTH_MAX)
		return error_set(s->err, E2BIG, "JSON nesting depth limit exceeded");
	if (take(s, close)) {
		s->depth--;
		return 0;
	}
	do {
		rc = is_object ? scan_member(s, &key, &value) : scan_value(s);
		if (rc < 0)
			return rc;
		if (take(s, close)) {
			s->depth--;
			return 0;
		}
	} while (take(s, ','));
	return fail(s, is_object ? "expected separator in dict" : "expected separator in list");
}

static int scan_value(struct scan *s)
{
	char c;

	skip_space(s);
	if (s->at == s->end)
		return fail(s, "premature EOI");
	c = *s->at;
	if (c == '{' || c == '[') {
		s->at++;
		return scan_list(s, c == '{');
	}
	if (c == '"')
		return scan_string(s);
	if (c == '-' || (c >= '0' && c <= '9'))
		return scan_number(s);
	if (c >= 'a' && c <= 'z')
		return scan_keyword(s);
	if (c && strchr("}],:", c))
		return fail(s, "expecting value");
	s->at++;
	return fail_at(s, s->at - 1, "stray");
}

int qmp_text_check(const char *text, size_t len, struct qmp_span *ret_value, struct error *err)
{
	struct scan s = {.at = text, .end = text + len, .err = err};
	const char *start;
	int rc;

	skip_space(&s);
	start = s.at;
	rc = scan_value(&s);
	if (rc == 0)
		*ret_value = (struct qmp_span){start, (size_t)(s.at - start)};
	return rc;
}

void qmp_text_walk(const char *text, size_t len, qmp_member_fn member, void *arg)
{
	struct scan s = {.at = text, .end = text + len};

	if (!take(&s, '{') || take(&s, '}'))
		return;
	do {
		struct qmp_span key, value;

		if (scan_member(&s, &key, &value) < 0 || !member(key, value, arg))
			return;
	} while (take(&s, ','));
}

struct search {
	const char *key;
	struct qmp_span found;
};

static bool is_searched(struct qmp_span key, struct qmp_span value, void *arg)
{
	struct search *search = arg;

	if (qmp_span_is(key, search->key))
		search->found = value;
	return true;
}

struct qmp_span qmp_text_member(const char *text, size_t len, const char *key)
{
	struct search search = {.key = key};

	qmp_text_walk(text, len, is_searched, &search);
	return search.found;
}

bool qmp_span_is(struct qmp_span span, const char *text)
{
	return span.len == strlen(text) && memcmp(span.at, text, span.len) == 0;
}

char *qmp_text_compact(const char *text, size_t len)
{
	char *copy = malloc(len + 1), *to = copy;
	bool in_string = false;

	if (!copy)
		return NULL;
	for (const char *p = text; p < text + len; p++) {
		if (!in_string && is_space(*p))
			continue;
		*to++ = *p;
		if (in_string && *p == '\\' && p + 1 < text + len)
			*to++ = *++p;
		else if (*p == '"')
			in_string = !in_string;
	}
	*to = '\0';
	return copy;
}

void qmp_text_requote(struct strbuf *into, const char *text, size_t len)
{
	char quote = '\0';

	for (size_t i = 0; i < len; i++) {
		char c = text[i];

		if (c == '\\' && quote && i + 1 < len) {
			/* \' stands for itself where the quotes are double. */
			if (text[i + 1] != '\'')
				strbuf_add(into, "\\", 1);
			strbuf_add(into, &text[++i], 1);
		} else if (c == quote || (!quote && (c == '"' || c == '\''))) {
			quote = quote ? '\0' : c;
			strbuf_add(into, "\"", 1);
		} else if (c == '"') {
			strbuf_add(into, "\\\"", 2);
		} else {
			strbuf_add(into, &c, 1);
		}
	}
}
