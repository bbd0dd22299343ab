/* SPDX-License-Identifier: MIT */
#include "qmp/splitter.h"

#include "base/str.h"

#include <errno.h>
#include <stdlib.h>

enum { RESET = 0xff, DEPTH_MAX = 1024 };

struct qmp_splitter {
	size_t value_max;
	struct strbuf buffer;
	size_t start; /* of the value that is being looked at */
	size_t at; /* looked at up to here */
	size_t depth; /* brackets that are open */
	bool in_value, escaped, bare;
	char quote; /* that ends the string; 0: in none */
	int failure;
};

int qmp_splitter_new(size_t value_max, struct qmp_splitter **ret_splitter)
{
	struct qmp_splitter *s = calloc(1, sizeof(*s));

	if (!s)
		return -ENOMEM;
	s->value_max = value_max;
	*ret_splitter = s;
	return 0;
}

void qmp_splitter_free(struct qmp_splitter *s)
{
	if (!s)
		return;
	strbuf_free(&s->buffer);
	free(s);
}

int qmp_splitter_push(struct qmp_splitter *s, const void *data, size_t len)
{
	if (s->failure)
		return s->failure;
	strbuf_consume(&s->buffer, s->start);
	s->at -= s->start;
	s->start = 0;
	strbuf_add(&s->buffer, data, len);
	if (s->buffer.failed)
		s->failure = -ENOMEM;
	return s->failure;
}

static void begin(struct qmp_splitter *s, bool bare)
{
	s->in_value = true;
	s->bare = bare;
	s->escaped = false;
	s->quote = '\0';
	s->depth = 0;
}

/* Whether a value ends with this byte. */
static bool step(struct qmp_splitter *s, unsigned char c)
{
	if (s->bare)
		return c == '\n';
	if (s->quote) {
		if (s->escaped)
			s->escaped = false;
		else if (c == '\\')
			s->escaped = true;
		else if (c == (unsigned char)s->quote)
			s->quote = '\0';
		/* No string goes over a line end: this is no JSON any more. */
		return c == '\n';
	}
	if (c == '"' || c == '\'')
		s->quote = (char)c;
	else if (c == '{' || c == '[')
		s->depth++;
	else if ((c == '}' || c == ']') && s->depth)
		s->depth--;
	/* Too deep for any parser: the rest of the line goes with it. */
	s->bare = s->depth > DEPTH_MAX;
	return s->depth == 0;
}

bool qmp_splitter_next(struct qmp_splitter *s, const char **ret_value, size_t *ret_len)
{
	while (s->at < s->buffer.len && !s->failure) {
		unsigned char c = (unsigned char)s->buffer.data[s->at];

		if (c == RESET) {
			s->in_value = false;
			s->start = ++s->at;
			continue;
		}
		if (!s->in_value) {
			if (strchr(" \t\r\n", c) && c) {
				s->start = ++s->at;
				continue;
			}
			begin(s, c != '{' && c != '[');
		}
		s->at++;
		if (s->at - s->start > s->value_max) {
			s->failure = -EMSGSIZE;
			break;
		}
		if (step(s, c)) {
			*ret_value = s->buffer.data + s->start;
			*ret_len = s->at - s->start;
			s->start = s->at;
			s->in_value = false;
			return true;
		}
	}
	return false;
}
