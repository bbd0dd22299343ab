/* SPDX-License-Identifier: MIT */
#include "vmm/supervisor/console_replay.h"

#include "base/str.h"

#include <stdbool.h>
#include <string.h>

enum { ENQ = 0x05, BEL = 0x07, ESC = 0x1b };

/* Where the byte that introduces a sequence stands: behind ESC, or as the second one of a
 * character of UTF-8 that means the same (U+0080 to U+009F). NULL: none begins here. */
static const char *introducer(const char *p, const char *end, char *ret_byte)
{
	if (end - p < 2)
		return NULL;
	if (*p == ESC)
		*ret_byte = p[1];
	else if (*p == '\xc2' && (p[1] & 0xe0) == 0x80)
		*ret_byte = (char)(p[1] & ~0xc0);
	else
		return NULL;
	if (*p != ESC)
		*ret_byte = (char)(*ret_byte | 0x40);
	return p + 1;
}

/* Behind a sequence of parameters and a letter, or at what breaks it off; NULL: it goes on. */
static const char *end_of_control(const char *p, const char *end)
{
	while (p < end && *p >= 0x20 && *p <= 0x3f)
		p++;
	return p < end ? p + ((unsigned char)*p >= 0x20) : NULL;
}

/* Behind a string up to BEL or ST. */
static const char *end_of_string(const char *p, const char *end)
{
	char byte;

	for (; p < end; p++) {
		if (*p == BEL)
			return p + 1;
		if (introducer(p, end, &byte) && byte == '\\')
			return p + 2;
	}
	return NULL;
}

/* The parameters and the letter of what a terminal answers. */
static bool asks(const char *p, size_t len)
{
	char letter = len ? p[len - 1] : '\0';

	if (letter && strchr("nctx", letter))
		return true;
	return (letter == 'q' && memchr(p, '>', len)) || (letter == 'p' && memchr(p, '$', len)) ||
	       (letter == 'u' && memchr(p, '?', len));
}

void console_add_replay(struct strbuf *into, const char *words, size_t len)
{
	const char *p = words, *end = words + len;

	while (p < end) {
		char byte = 0;
		const char *at = introducer(p, end, &byte), *next = p + 1;
		bool drops = *p == ENQ;

		if (at && byte == '[') {
			next = end_of_control(at + 1, end);
			drops = next && asks(at + 1, (size_t)(next - at - 1));
		} else if (at && byte && strchr("]PX^_", byte)) {
			next = end_of_string(at + 1, end);
			drops = next;
		} else if (at) {
			next = byte == ESC ? at : at + 1;
			drops = byte == 'Z';
		}
		next = next ? next : end;
		if (!drops)
			strbuf_add(into, p, (size_t)(next - p));
		p = next;
	}
}
