/* SPDX-License-Identifier: MIT */
#include "lab/faults.h"

#include "base/str.h"

#include <stdarg.h>
#include <stdlib.h>

enum { FAULTS_MAX = 1000 };

void lab_faults_free(struct lab_faults *faults)
{
	for (size_t i = 0; i < faults->n; i++) {
		free(faults->v[i].file);
		free(faults->v[i].text);
	}
	free(faults->v);
	*faults = (struct lab_faults){0};
}

static bool known_already(const struct lab_faults *faults, const struct lab_fault *fault)
{
	for (size_t i = 0; i < faults->n; i++)
		if (faults->v[i].line == fault->line && faults->v[i].column == fault->column &&
		    str_eq(faults->v[i].file, fault->file) &&
		    str_eq(faults->v[i].text, fault->text))
			return true;
	return false;
}

void lab_fault_add(struct lab_faults *faults, const struct spec_where *where, const char *fmt, ...)
{
	struct strbuf raw = {0}, shown = {0};
	struct lab_fault fault, *grown;
	va_list ap;

	if (faults->n >= FAULTS_MAX)
		return;
	va_start(ap, fmt);
	strbuf_vaddf(&raw, fmt, ap);
	va_end(ap);
	if (raw.data)
		strbuf_add_printable(&shown, raw.data, raw.len, false);
	strbuf_free(&raw);
	fault = (struct lab_fault){
		.file = strdup(where->file ? where->file : "configuration"),
		.line = where->line,
		.column = where->column,
		.text = strbuf_steal(&shown),
	};
	grown = fault.file && fault.text && !known_already(faults, &fault)
			? reallocarray(faults->v, faults->n + 1, sizeof(*grown))
			: NULL;
	if (!grown) {
		free(fault.file);
		free(fault.text);
		return;
	}
	faults->v = grown;
	faults->v[faults->n++] = fault;
}

static int by_position(const void *a, const void *b)
{
	const struct lab_fault *x = a, *y = b;
	int files = strcmp(x->file, y->file);

	if (files)
		return files;
	if (x->line != y->line)
		return x->line < y->line ? -1 : 1;
	return x->column < y->column ? -1 : x->column > y->column;
}

void lab_faults_sort(struct lab_faults *faults)
{
	if (faults->n)
		qsort(faults->v, faults->n, sizeof(faults->v[0]), by_position);
}
