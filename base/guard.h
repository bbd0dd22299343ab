/* SPDX-License-Identifier: MIT */
/*
 * A process that puts something right should its maker be killed in the middle: it waits in a
 * session of its own, does its one thing where its maker went without a word, and ends.
 */
#ifndef HV_BASE_GUARD_H
#define HV_BASE_GUARD_H

#include "base/leash.h"

struct error;

struct guard {
	struct leash leash;
	void (*put_right)(void *arg);
	void *arg;
};

#define GUARD_INIT                   \
	{                            \
		.leash = LEASH_INIT, \
	}

/* name: of the process, for messages. put_right runs in a copy of this process that has nothing but
 * its memory: no descriptor of ours but for what it opens itself. */
int guard_start(struct guard *g, const char *name, void (*put_right)(void *arg), void *arg,
		struct error *err);

/* All is well, and it has nothing to do. */
void guard_dismiss(struct guard *g);

/* Has it do its thing now, and waits for that. Accepts one that was never started or was
 * dismissed. */
void guard_let_act(struct guard *g);

#endif
