/* SPDX-License-Identifier: MIT */
#include "qmp/decode.h"

#include "base/error.h"
#include "base/str.h"
#include "qmp/text.h"

#include <errno.h>

enum { LONG_BYTES = 16 * 1024 };

/* Stands for a long string while the rest is decoded. */
#define MARK "(a long string)"

static const char int64_max[] = "9223372036854775807", int64_min[] = "9223372036854775808";

static size_t digits_at(const char *p, const char *end)
{
	const char *start = p;

	while (p < end && *p >= '0' && *p <= '9')
		p++;
	return (size_t)(p - start);
}

/* Whether the n digits at p are more than an int64_t holds. */
static bool is_too_large(const char *p, size_t n, bool negative)
{
	size_t most = sizeof(int64_max) - 1;

	return n > most || (n == most && memcmp(p, negative ? int64_min : int64_max, n) > 0);
}

/* Writes ".0" behind every integer that is too large, which makes a real of it.
 * The text may be anything: what is not JSON stays so. */
static void widen(struct strbuf *into, const char *p, const char *end)
{
	const char *from = p;
	bool in_string = false, in_number = false;

	while (p < end) {
		size_t n = in_string || in_number ? 0 : digits_at(p, end);

		if (n) {
			bool large = is_too_large(p, n, p > from && p[-1] == '-');

			p += n;
			in_number = true;
			if (!large || (p < end && strchr(".eE", *p) && *p))
				continue;
			strbuf_add(into, from, (size_t)(p - from));
			strbuf_add(into, ".0", 2);
			from = p;
			continue;
		}
		if (in_string && *p == '\\' && p + 1 < end)
			p++;
		else if (*p == '"')
			in_string = !in_string;
		else if (!strchr("0123456789.eE+-", *p))
			in_number = false;
		p++;
	}
	strbuf_add(into, from, (size_t)(end - from));
}

/* jansson quotes what it stumbled over: the peer's own bytes. */
static int fail_syntax(const json_error_t *fault, struct error *err)
{
	cleanup_strbuf struct strbuf shown = {0};

	strbuf_add_printable(&shown, fault->text, strlen(fault->text), false);
	return error_set(err, EPROTO, "the peer sent what is not JSON (column %d: %s)",
			 fault->column, shown.data ? shown.data : "");
}

/* What a look at the text tells before it is decoded. */
struct outline {
	size_t n_values;
	struct qmp_span long_string; /* the first one of LONG_BYTES without an escape */
};

static struct outline outline_of(const char *p, size_t len)
{
	const char *begin = NULL, *end = p + len;
	struct outline o = {0};

	for (bool escaped = false; p < end; p++) {
		if (begin && *p == '\\') {
			p++;
			escaped = true;
		} else if (*p == '"' && begin) {
			if (!escaped && !o.long_string.at && p - begin >= LONG_BYTES)
				o.long_string = (struct qmp_span){begin, (size_t)(p - begin)};
			begin = NULL;
		} else if (*p == '"') {
			begin = p + 1;
			escaped = false;
		} else if (!begin && (*p == ',' || *p == '[' || *p == '{')) {
			o.n_values++;
		}
	}
	return o;
}

static bool is_plain(struct qmp_span text)
{
	bool other = false;

	for (size_t i = 0; i < text.len; i++)
		other |= text.at[i] < 0x20 || text.at[i] > 0x7e;
	return !other;
}

static bool is_key(struct qmp_span string, const char *end)
{
	const char *p = string.at + string.len + 1;

	while (p < end && (*p == ' ' || *p == '\t' || *p == '\r' || *p == '\n'))
		p++;
	return p < end && *p == ':';
}

/* Finds the strings that are the mark; how many there are goes to *n. */
static void find_marks(json_t *value, json_t **ret_string, size_t *n)
{
	json_t *member;
	const char *key;
	size_t i;

	if (json_is_string(value) && str_eq(json_string_value(value), MARK)) {
		*ret_string = value;
		++*n;
	}
	json_object_foreach (value, key, member)
		find_marks(member, ret_string, n);
	json_array_foreach (value, i, member)
		find_marks(member, ret_string, n);
}

/*
 * jansson takes some ten nanoseconds for each byte of a string, and a piece of a file is
 * megabytes of base64 in one string: it is decoded with a mark in its place, and put in
 * afterwards. NULL: whatever is unusual about it, decode it as it is.
 */
static json_t *decode_around(const char *line, size_t len, struct qmp_span string)
{
	const char *behind = string.at + string.len;
	cleanup_strbuf struct strbuf rest = {0};
	json_t *message, *place = NULL;
	size_t n = 0;

	if (!is_plain(string) || is_key(string, line + len))
		return NULL;
	strbuf_add(&rest, line, (size_t)(string.at - line));
	strbuf_add(&rest, MARK, sizeof(MARK) - 1);
	strbuf_add(&rest, behind, (size_t)(line + len - behind));
	if (rest.failed)
		return NULL;
	message = json_loadb(rest.data, rest.len, JSON_REJECT_DUPLICATES, NULL);
	find_marks(message, &place, &n);
	/* Others may say what the mark says. */
	if (n == 1 && json_string_setn_nocheck(place, string.at, string.len) == 0)
		return message;
	json_decref(message);
	return NULL;
}

static json_t *decode(const char *line, size_t len, struct qmp_span string, json_error_t *fault)
{
	json_t *message = string.at ? decode_around(line, len, string) : NULL;

	return message ? message : json_loadb(line, len, JSON_REJECT_DUPLICATES, fault);
}

int qmp_decode(const char *line, size_t len, json_t **ret_message, struct error *err)
{
	struct outline outline = outline_of(line, len);
	cleanup_strbuf struct strbuf widened = {0};
	json_error_t fault;
	json_t *message;

	/* Each value costs about a hundred bytes of memory and may be told in two. */
	if (outline.n_values > QMP_VALUES_MAX)
		return error_set(err, EPROTO, "the peer sent more than %d values at once",
				 QMP_VALUES_MAX);
	message = decode(line, len, outline.long_string, &fault);
	if (!message && json_error_code(&fault) == json_error_numeric_overflow) {
		widen(&widened, line, line + len);
		if (widened.failed)
			return error_oom(err);
		message = json_loadb(widened.data, widened.len, JSON_REJECT_DUPLICATES, &fault);
	}
	if (!message)
		return fail_syntax(&fault, err);
	if (!json_is_object(message)) {
		json_decref(message);
		return error_set(err, EPROTO, "the peer sent JSON that is not an object");
	}
	*ret_message = message;
	return 0;
}
