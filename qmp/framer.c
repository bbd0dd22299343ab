/* SPDX-License-Identifier: MIT */
#include "qmp/framer.h"

#include "base/str.h"

#include <errno.h>
#include <stdlib.h>

struct qmp_framer {
	size_t line_max;
	struct strbuf buffer;
	size_t taken; /* bytes of the buffer that were handed out */
	size_t scanned; /* bytes known to hold no line end, from taken on */
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

int qmp_framer_push(struct qmp_framer *f, const void *data, size_t len)
{
	const char *last;
	size_t open;

	if (f->failure)
		return f->failure;
	compact(f);
	strbuf_add(&f->buffer, data, len);
	if (f->buffer.failed) {
		f->failure = -ENOMEM;
		return f->failure;
	}
	/* The unfinished line is all that is not yet bounded by a line end. */
	last = f->buffer.len ? memrchr(f->buffer.data, '\n', f->buffer.len) : NULL;
	open = last ? f->buffer.len - (size_t)(last + 1 - f->buffer.data) : f->buffer.len;
	if (open > f->line_max)
		f->failure = -EMSGSIZE;
	return f->failure;
}

bool qmp_framer_next(struct qmp_framer *f, const char **ret_line, size_t *ret_len)
{
	while (f->taken < f->buffer.len) {
		const char *start = f->buffer.data + f->taken;
		const char *from = start + f->scanned;
		const char *end = memchr(from, '\n', f->buffer.len - f->taken - f->scanned);
		size_t len;

		if (!end) {
			f->scanned = f->buffer.len - f->taken;
			return false;
		}
		f->scanned = 0;
		len = (size_t)(end - start);
		f->taken += len + 1;
		if (len > f->line_max) {
			f->failure = -EMSGSIZE;
			return false;
		}
		while (len && (start[len - 1] == '\r' || start[len - 1] == ' '))
			len--;
		if (!len)
			continue;
		*ret_line = start;
		*ret_len = len;
		return true;
	}
	return false;
}
