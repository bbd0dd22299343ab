/* SPDX-License-Identifier: MIT */
#include "qmp/decode.h"

#include "base/error.h"
#include "base/str.h"

#include <errno.h>

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

/* Each value costs about a hundred bytes of memory and may be told in two. */
static bool has_too_many_values(const char *p, size_t len)
{
	bool in_string = false;
	size_t n = 0;

	for (const char *end = p + len; p < end; p++) {
		if (in_string && *p == '\\')
			p++;
		else if (*p == '"')
			in_string = !in_string;
		else if (!in_string && (*p == ',' || *p == '[' || *p == '{'))
			n++;
	}
	return n > QMP_VALUES_MAX;
}

int qmp_decode(const char *line, size_t len, json_t **ret_message, struct error *err)
{
	cleanup_strbuf struct strbuf widened = {0};
	json_error_t fault;
	json_t *message;

	if (has_too_many_values(line, len))
		return error_set(err, EPROTO, "the peer sent more than %d values at once",
				 QMP_VALUES_MAX);
	message = json_loadb(line, len, JSON_REJECT_DUPLICATES, &fault);
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
