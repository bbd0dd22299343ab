/* SPDX-License-Identifier: MIT */
#include "qmp/pretty.h"

#include "base/str.h"

enum { INDENT = 2 };

struct pretty {
	struct strbuf *into;
	const char *at, *end;
	size_t depth;
	bool colour, one_line;
};

static const char key_colour[] = "\033[34m", string_colour[] = "\033[32m",
		  other_colour[] = "\033[36m", no_colour[] = "\033[0m";

static void break_line(struct pretty *p)
{
	if (p->one_line)
		return;
	strbuf_add(p->into, "\n", 1);
	for (size_t i = 0; i < p->depth * INDENT; i++)
		strbuf_add(p->into, " ", 1);
}

static bool is_space(char c)
{
	return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

static void skip_space(struct pretty *p)
{
	while (p->at < p->end && is_space(*p->at))
		p->at++;
}

static void add(struct pretty *p, const char *start, const char *colour)
{
	if (p->colour)
		strbuf_add(p->into, colour, strlen(colour));
	strbuf_add_printable(p->into, start, (size_t)(p->at - start), false);
	if (p->colour)
		strbuf_add(p->into, no_colour, sizeof(no_colour) - 1);
}

static void add_string(struct pretty *p)
{
	const char *start = p->at++, *end;
	bool is_key;

	while (p->at < p->end && *p->at != '"')
		p->at += *p->at == '\\' && p->at + 1 < p->end ? 2 : 1;
	if (p->at < p->end)
		p->at++;
	end = p->at;
	skip_space(p);
	is_key = p->at < p->end && *p->at == ':';
	p->at = end;
	add(p, start, is_key ? key_colour : string_colour);
}

static void add_other(struct pretty *p)
{
	const char *start = p->at;

	while (p->at < p->end && !is_space(*p->at) && !(*p->at && strchr(",:[]{}\"", *p->at)))
		p->at++;
	add(p, start, other_colour);
}

static void open_bracket(struct pretty *p)
{
	strbuf_add(p->into, p->at++, 1);
	skip_space(p);
	/* Empty ones stay together. */
	if (p->at < p->end && (*p->at == '}' || *p->at == ']')) {
		strbuf_add(p->into, p->at++, 1);
		return;
	}
	p->depth++;
	break_line(p);
}

static void pretty(struct pretty *p)
{
	for (skip_space(p); p->at < p->end; skip_space(p)) {
		char c = *p->at;

		if (c == '{' || c == '[') {
			open_bracket(p);
		} else if (c == '}' || c == ']') {
			p->depth -= p->depth > 0;
			break_line(p);
			strbuf_add(p->into, p->at++, 1);
		} else if (c == ',') {
			strbuf_add(p->into, p->one_line ? ", " : ",", p->one_line ? 2 : 1);
			p->at++;
			break_line(p);
		} else if (c == ':') {
			strbuf_add(p->into, ": ", 2);
			p->at++;
		} else if (c == '"') {
			add_string(p);
		} else {
			add_other(p);
		}
	}
}

void qmp_pretty(struct strbuf *into, const char *text, size_t len, bool colour)
{
	struct pretty p = {.into = into, .at = text, .end = text + len, .colour = colour};

	pretty(&p);
}

void qmp_pretty_line(struct strbuf *into, const char *text, size_t len, bool colour)
{
	struct pretty p = {
		.into = into, .at = text, .end = text + len, .colour = colour, .one_line = true};

	pretty(&p);
}
