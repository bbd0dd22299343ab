/* SPDX-License-Identifier: MIT */
/* The growing buffer and the argument vector of base/str.h. */
#include "base/str.h"

#include "base/cleanup.h"

#include <stdio.h>
#include <stdlib.h>

void strbuf_free(struct strbuf *b)
{
	free(b->data);
	*b = (struct strbuf){0};
}

/* Makes room for extra bytes and the NUL. */
static bool strbuf_reserve(struct strbuf *b, size_t extra)
{
	size_t need, cap = b->cap ? b->cap : 64;
	char *grown;

	if (b->failed)
		return false;
	if (__builtin_add_overflow(b->len, extra, &need) || need >= SIZE_MAX / 2) {
		b->failed = true;
		return false;
	}
	if (need + 1 <= b->cap)
		return true;
	while (cap < need + 1)
		cap *= 2;
	grown = realloc(b->data, cap);
	if (!grown) {
		b->failed = true;
		return false;
	}
	b->data = grown;
	b->cap = cap;
	return true;
}

void strbuf_add(struct strbuf *b, const void *data, size_t len)
{
	if (!strbuf_reserve(b, len))
		return;
	if (len)
		memcpy(b->data + b->len, data, len);
	b->len += len;
	b->data[b->len] = '\0';
}

void strbuf_vaddf(struct strbuf *b, const char *fmt, va_list ap)
{
	va_list again;
	int n;

	va_copy(again, ap);
	n = vsnprintf(NULL, 0, fmt, again);
	va_end(again);
	if (n < 0) {
		b->failed = true;
		return;
	}
	if (!strbuf_reserve(b, (size_t)n))
		return;
	(void)vsnprintf(b->data + b->len, b->cap - b->len, fmt, ap);
	b->len += (size_t)n;
}

void strbuf_addf(struct strbuf *b, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	strbuf_vaddf(b, fmt, ap);
	va_end(ap);
}

void strbuf_consume(struct strbuf *b, size_t len)
{
	if (!b->data || !len)
		return;
	if (len > b->len)
		len = b->len;
	memmove(b->data, b->data + len, b->len - len + 1);
	b->len -= len;
}

/* The length of the UTF-8 sequence at s, 0 where it is none (overlong forms,
 * surrogates and C1 controls count as none). */
static size_t utf8_printable_len(const unsigned char *s, size_t len)
{
	static const unsigned long least[] = {0, 0, 0x80, 0x800, 0x10000};
	unsigned long point;
	size_t need, i;

	if (s[0] < 0x80)
		return s[0] >= 0x20 && s[0] != 0x7f;
	if ((s[0] & 0xe0) == 0xc0)
		need = 2;
	else if ((s[0] & 0xf0) == 0xe0)
		need = 3;
	else if ((s[0] & 0xf8) == 0xf0)
		need = 4;
	else
		return 0;
	if (need > len)
		return 0;
	point = s[0] & (0xffU >> (need + 1));
	for (i = 1; i < need; i++) {
		if ((s[i] & 0xc0) != 0x80)
			return 0;
		point = point << 6 | (s[i] & 0x3f);
	}
	if (point < least[need] || point < 0xa0 || point > 0x10ffff)
		return 0;
	if (point >= 0xd800 && point <= 0xdfff)
		return 0;
	/* Marks that reorder or hide text on a terminal. */
	if ((point >= 0x200b && point <= 0x200f) || (point >= 0x2028 && point <= 0x202e) ||
	    (point >= 0x2066 && point <= 0x2069) || point == 0xfeff)
		return 0;
	return need;
}

void strbuf_add_printable(struct strbuf *b, const char *data, size_t len, bool keep_newline)
{
	const unsigned char *s = (const unsigned char *)data;
	size_t i = 0;

	while (i < len) {
		size_t n = utf8_printable_len(s + i, len - i);

		if (n || (keep_newline && (s[i] == '\n' || s[i] == '\t'))) {
			n = n ? n : 1;
			strbuf_add(b, s + i, n);
			i += n;
		} else {
			strbuf_addf(b, "\\x%02x", s[i]);
			i++;
		}
	}
}

bool str_is_printable(const char *s)
{
	size_t len = strlen(s), n = 0;

	for (size_t i = 0; i < len; i += n) {
		n = utf8_printable_len((const unsigned char *)s + i, len - i);
		if (!n)
			return false;
	}
	return true;
}

char *strbuf_steal(struct strbuf *b)
{
	char *s = NULL;

	if (!b->data)
		strbuf_add(b, "", 0);
	if (!b->failed)
		s = steal_ptr(&b->data);
	strbuf_free(b);
	return s;
}

void strv_free(struct strv *l)
{
	for (size_t i = 0; i < l->n; i++)
		free(l->v[i]);
	free(l->v);
	*l = (struct strv){0};
}

void strv_take(struct strv *l, char *s)
{
	if (!s)
		l->failed = true;
	if (!l->failed && l->n + 1 >= l->cap) {
		size_t cap = l->cap ? l->cap * 2 : 16;
		char **grown = reallocarray(l->v, cap, sizeof(*grown));

		if (!grown) {
			l->failed = true;
		} else {
			l->v = grown;
			l->cap = cap;
		}
	}
	if (l->failed) {
		free(s);
		return;
	}
	l->v[l->n++] = s;
	l->v[l->n] = NULL;
}

void strv_add(struct strv *l, const char *s)
{
	strv_take(l, strdup(s));
}

void strv_addf(struct strv *l, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	strv_take(l, str_vprintf(fmt, ap));
	va_end(ap);
}
