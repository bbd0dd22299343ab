/* SPDX-License-Identifier: MIT */
/* Private to lab/: what may be there once only, found by sorting. */
#ifndef HV_LAB_UNIQUE_H
#define HV_LAB_UNIQUE_H

#include <stddef.h>

struct lab_unique {
	const char *text; /* what has to differ; borrowed */
	const void *thing; /* the caller's */
	size_t order; /* of appearance: the first one is in the right */
};

/* Sorts v, and calls twice for each entry whose text an earlier one has. */
void lab_unique_find(struct lab_unique *v, size_t n,
		     void (*twice)(void *arg, const struct lab_unique *first,
				   const struct lab_unique *again),
		     void *arg);

#endif
