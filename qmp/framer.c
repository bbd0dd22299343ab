/* SPDX-License-Identifier: MIT */
#include "qmp/framer.h"

#include "base/str.h"

#include <errno.h>
#include <stdlib.h>

struct qmp_framer {
	size_t line_max;
	struct strbuf buffer;
	size_t taken; /* bytes of the buffer that were handed out */
	size_t scanned; /* bytes behind them that are known to hold no line end */
	size_t open; /* length of the line that is not complete yet */
	int failure;
};

/* Buffers larger than this are given back when they run empty. */
enum { KEEP_BYTES = 64 * 1024 };

int qmp_framer_new(size_t line_max, struct qmp_framer **ret_framer)
{
	struct qmp_framer *f = calloc(1, sizeof(*f));

	if (!f)
		return -ENOMEM;
	f->line_max = line_max;
	*ret_framer = f;
	return 0;
}

void qmp_framer_free(struct qmp_framer *f)
{
	if (!f)
		return;
	strbuf_free(&f->buffer);
	free(f);
}

static void compact(struct qmp_framer *f)
{
	if (f->taken == f->buffer.len && f->buffer.cap > KEEP_BYTES)
		strbuf_free(&f->buffer);
	else
		strbuf_consume(&f->buffer, f->taken);
	f->taken = 0;
}

/* Whether every line that data ends or begins stays within the bound. Looks at
 * the new bytes only, so that a long line costs no more than its length. */
static bool measure(struct qmp_framer *f, const char *data, size_t len)
{
	const char *end = data + len, *line_end;

	while ((line_end = len ? memchr(data, '\n', (size_t)(end - data)) : NULL)) {
		f->open += (size_t)(line_end - data);
		if (f->open > f->line_max)
			return false;
		f->open = 0;
		data = line_end + 1;
		len = (size_t)(end - data);
	}
	f->open += len;
	return f->open <= f->line_max;
}

int qmp_framer_push(struct qmp_framer *f, const void *data, size_t len)
{
	if (f->failure)
		return f->failure;
	compact(f);
	strbuf_add(&f->buffer, data, len);
	if (f->buffer.failed)
		f->failure = -ENOMEM;
	else if (!measure(f, data, len))
		f->failure = -EMSGSIZE;
	return f->failure;
}

bool qmp_framer_next(struct qmp_framer *f, const char **ret_line, size_t *ret_len)
{
	while (f->taken < f->buffer.len) {
		const char *start = f->buffer.data + f->taken;
		size_t left = f->buffer.len - f->taken, len;
		const char *end = memchr(start + f->scanned, '\n', left - f->scanned);

		if (!end) {
			f->scanned = left;
			return false;
		}
		len = (size_t)(end - start);
		/* The one that push() refused: neither it nor what follows. */
		if (len > f->line_max)
			return false;
		f->scanned = 0;
		f->taken += len + 1;
		while (len && strchr("\r\t ", start[len - 1]) && start[len - 1])
			len--;
		if (!len)
			continue;
		*ret_line = start;
		*ret_len = len;
		return true;
	}
	return false;
}
