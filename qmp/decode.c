/* SPDX-License-Identifier: MIT */
#include "qmp/decode.h"

#include "base/error.h"
#include "base/str.h"

#include <errno.h>

/* Digits from which on an integer may be too large. */
enum { LONG_DIGITS = 19 };

static size_t digits_at(const char *p, const char *end)
{
	const char *start = p;

	while (p < end && *p >= '0' && *p <= '9')
		p++;
	return (size_t)(p - start);
}

/* Writes ".0" behind every long integer, which makes a real of it. The text may
 * be anything: what is not JSON stays so. */
static void widen(struct strbuf *into, const char *p, const char *end)
{
	const char *from = p;
	bool in_string = false, in_number = false;

	while (p < end) {
		size_t n = in_string || in_number ? 0 : digits_at(p, end);

		if (n) {
			p += n;
			in_number = true;
			if (n < LONG_DIGITS || (p < end && strchr(".eE", *p) && *p))
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

int qmp_decode(const char *line, size_t len, json_t **ret_message, struct error *err)
{
	cleanup_strbuf struct strbuf widened = {0};
	json_error_t fault;
	json_t *message = json_loadb(line, len, JSON_REJECT_DUPLICATES, &fault);

	if (!message && json_error_code(&fault) == json_error_numeric_overflow) {
		widen(&widened, line, line + len);
		if (widened.failed)
			return error_oom(err);
		message = json_loadb(widened.data, widened.len, JSON_REJECT_DUPLICATES, &fault);
	}
	if (!message)
		return error_set(err, EPROTO, "the peer sent what is not JSON (column %d: %s)",
				 fault.column, fault.text);
	if (!json_is_object(message)) {
		json_decref(message);
		return error_set(err, EPROTO, "the peer sent JSON that is not an object");
	}
	*ret_message = message;
	return 0;
}
