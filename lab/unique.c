/* SPDX-License-Identifier: MIT */
#include "lab/unique.h"

#include "base/str.h"

#include <stdlib.h>

static int by_text(const void *a, const void *b)
{
	const struct lab_unique *x = a, *y = b;
	int texts = strcmp(x->text, y->text);

	if (texts)
		return texts;
	return x->order < y->order ? -1 : x->order > y->order;
}

void lab_unique_find(struct lab_unique *v, size_t n,
		     void (*twice)(void *arg, const struct lab_unique *first,
				   const struct lab_unique *again),
		     void *arg)
{
	size_t first = 0;

	if (!n)
		return;
	qsort(v, n, sizeof(*v), by_text);
	for (size_t i = 1; i < n; i++) {
		if (str_eq(v[i].text, v[first].text))
			twice(arg, &v[first], &v[i]);
		else
			first = i;
	}
}
