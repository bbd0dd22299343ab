/* SPDX-License-Identifier: MIT */
#include "cli/table.h"

#include "base/cleanup.h"
#include "base/str.h"

#include <stdlib.h>

void cli_table_init(struct cli_table *t, size_t columns)
{
	*t = (struct cli_table){.columns = columns};
}

void cli_table_add(struct cli_table *t, const char *fmt, ...)
{
	char **grown = reallocarray(t->cells, t->n + 1, sizeof(*grown));
	cleanup_free char *raw = NULL;
	struct strbuf shown = {0};
	va_list ap;

	if (grown)
		t->cells = grown;
	va_start(ap, fmt);
	raw = str_vprintf(fmt, ap);
	va_end(ap);
	if (raw)
		strbuf_add_printable(&shown, raw, strlen(raw), false);
	if (!grown || !raw || !(t->cells[t->n] = strbuf_steal(&shown)))
		t->failed = true;
	else
		t->n++;
}

/* Characters, which are what a terminal counts: a cell is valid UTF-8. */
static size_t length_of(const char *cell)
{
	size_t n = 0;

	for (; *cell; cell++)
		n += ((unsigned char)*cell & 0xc0) != 0x80;
	return n;
}

static int width_of(const struct cli_table *t, size_t column)
{
	size_t width = 0;

	for (size_t i = column; i < t->n; i += t->columns) {
		size_t len = length_of(t->cells[i]);

		width = len > width ? len : width;
	}
	return (int)width;
}

void cli_table_print(struct cli_table *t, FILE *out)
{
	cleanup_free int *widths = calloc(t->columns, sizeof(*widths));

	for (size_t c = 0; widths && c < t->columns; c++)
		widths[c] = width_of(t, c);
	for (size_t i = 0; i < t->n && widths && !t->failed; i++) {
		bool last = i % t->columns == t->columns - 1;

		if (last)
			(void)fprintf(out, "%s\n", t->cells[i]);
		else
			(void)fprintf(out, "%s%*s", t->cells[i],
				      widths[i % t->columns] - (int)length_of(t->cells[i]) + 2, "");
	}
	for (size_t i = 0; i < t->n; i++)
		free(t->cells[i]);
	free(t->cells);
}
