/* SPDX-License-Identifier: MIT */
#include "lab/faults.h"

#include "base/str.h"

#include <stdarg.h>
#include <stdlib.h>

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

static char *printable(const char *text)
{
	struct strbuf shown = {0};

	strbuf_add_printable(&shown, text, strlen(text), false);
	return strbuf_steal(&shown);
}

/* Takes over what is in fault. */
static void append(struct lab_faults *faults, struct lab_fault *fault)
{
	struct lab_fault *grown;

	if (!known_already(faults, fault)) {
		grown = reallocarray(faults->v, faults->n + 1, sizeof(*grown));
		if (grown) {
			faults->v = grown;
			faults->v[faults->n++] = *fault;
			return;
		}
		faults->failed = true;
	}
	free(fault->file);
	free(fault->text);
}

void lab_fault_add(struct lab_faults *faults, const struct spec_where *where, const char *fmt, ...)
{
	cleanup_strbuf struct strbuf raw = {0};
	struct lab_fault fault;
	va_list ap;

	if (faults->n >= LAB_FAULTS_MAX)
		return;
	va_start(ap, fmt);
	strbuf_vaddf(&raw, fmt, ap);
	va_end(ap);
	fault = (struct lab_fault){
		.file = printable(where->file ? where->file : "configuration"),
		.line = where->line,
		.column = where->column,
		.text = raw.failed ? NULL : printable(raw.data ? raw.data : ""),
	};
	if (fault.file && fault.text) {
		append(faults, &fault);
		return;
	}
	faults->failed = true;
	free(fault.file);
	free(fault.text);
}

static int by_position(const void *a, const void *b)
{
	const struct lab_fault *x = a, *y = b;
	int order = strcmp(x->file, y->file);

	if (order)
		return order;
	if (x->line != y->line)
		return x->line < y->line ? -1 : 1;
	if (x->column != y->column)
		return x->column < y->column ? -1 : 1;
	return strcmp(x->text, y->text);
}

void lab_faults_sort(struct lab_faults *faults)
{
	if (faults->n)
		qsort(faults->v, faults->n, sizeof(faults->v[0]), by_position);
}
