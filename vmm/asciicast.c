/* SPDX-License-Identifier: MIT */
#include "vmm/asciicast.h"

#include "base/cleanup.h"
#include "vmm/json.h"

#include <inttypes.h>
#include <stdlib.h>

static const char replacement[] = "\xef\xbf\xbd";

enum { USEC = 1000 * 1000, BROKEN = 0 };

/* The bytes of the character at s: BROKEN where there is none, and more than len where
 * it may still come. */
static size_t character_bytes(const unsigned char *s, size_t len)
{
	static const unsigned char low[] = {[0xe0 - 0xe0] = 0xa0, [0xf0 - 0xe0] = 0x90};
	static const unsigned char high[] = {[0xed - 0xe0] = 0x9f, [0xf4 - 0xe0] = 0x8f};
	size_t need = s[0] < 0x80   ? 1
		      : s[0] < 0xc2 ? BROKEN
		      : s[0] < 0xe0 ? 2
		      : s[0] < 0xf0 ? 3
		      : s[0] < 0xf5 ? 4
				    : BROKEN;

	for (size_t i = 1; i < need && i < len; i++) {
		size_t at = s[0] - 0xe0U;
		unsigned char least = 0x80, most = 0xbf;

		/* Overlong forms, surrogates, and what is beyond Unicode. */
		if (i == 1 && s[0] >= 0xe0) {
			least = at < ARRAY_SIZE(low) && low[at] ? low[at] : least;
			most = at < ARRAY_SIZE(high) && high[at] ? high[at] : most;
		}
		if (s[i] < least || s[i] > most)
			return BROKEN;
	}
	return need;
}

static void add_event(struct strbuf *into, uint64_t usec, const char *code, const char *text)
{
	cleanup_json json_t *value = json_string(text);
	cleanup_free char *quoted =
		value ? json_dumps(value, JSON_ENCODE_ANY | JSON_ENSURE_ASCII) : NULL;

	if (!quoted) {
		into->failed = true;
		return;
	}
	strbuf_addf(into, "[%" PRIu64 ".%06" PRIu64 ", \"%s\", %s]\n", usec / USEC, usec % USEC,
		    code, quoted);
}

void asciicast_header(struct strbuf *into, unsigned columns, unsigned rows, uint64_t time,
		      const char *title, const char *term)
{
	cleanup_json json_t *header =
		json_pack("{s:i s:i s:i s:I s:s}", "version", 2, "width", (int)columns, "height",
			  (int)rows, "timestamp", (json_int_t)time, "title", title);
	cleanup_free char *line = NULL;

	if (header && term)
		(void)json_object_set_new(header, "env", json_pack("{s:s}", "TERM", term));
	line = header ? json_dumps(header, JSON_ENSURE_ASCII) : NULL;
	if (line)
		strbuf_addf(into, "%s\n", line);
	else
		into->failed = true;
}

void asciicast_output(struct asciicast *a, struct strbuf *into, uint64_t usec, const char *data,
		      size_t len)
{
	cleanup_strbuf struct strbuf all = {0}, text = {0};
	const unsigned char *s;
	size_t i = 0;

	strbuf_add(&all, a->kept, a->n_kept);
	strbuf_add(&all, data, len);
	a->n_kept = 0;
	s = (const unsigned char *)all.data;
	while (!all.failed && i < all.len) {
		size_t n = character_bytes(s + i, all.len - i);

		if (n > all.len - i) {
			a->n_kept = all.len - i;
			memcpy(a->kept, s + i, a->n_kept);
			break;
		}
		/* A NUL is nothing on a terminal, and JSON's library would end there. */
		if (n == BROKEN)
			strbuf_add(&text, replacement, sizeof(replacement) - 1);
		else if (s[i])
			strbuf_add(&text, s + i, n);
		i += n == BROKEN ? 1 : n;
	}
	if (all.failed || text.failed)
		into->failed = true;
	else if (text.len)
		add_event(into, usec, "o", text.data);
}

void asciicast_resize(struct strbuf *into, uint64_t usec, unsigned columns, unsigned rows)
{
	char size[32];

	(void)str_format(size, sizeof(size), "%ux%u", columns, rows);
	add_event(into, usec, "r", size);
}

void asciicast_end(struct asciicast *a, struct strbuf *into, uint64_t usec)
{
	if (a->n_kept)
		add_event(into, usec, "o", replacement);
	a->n_kept = 0;
}
