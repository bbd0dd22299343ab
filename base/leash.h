/* SPDX-License-Identifier: MIT */
/*
 * A helper process, a copy of this one: it does a thing of its own at the other end of a
 * connection, and learns by its end that its maker has gone, however that went.
 */
#ifndef HV_BASE_LEASH_H
#define HV_BASE_LEASH_H

#include "base/child.h"

struct error;

struct leash {
	struct child process;
	int fd; /* our end; -1: there is no such process */
};

#define LEASH_INIT                              \
	{                                       \
		.process = CHILD_INIT, .fd = -1 \
	}

/* In that process: the other end, and what it was given, which are all that it has of ours. */
enum { LEASH_FD = 3, LEASH_GIVEN_FD };

/* name: of the process, for messages. given: a descriptor for it, which stays the caller's; -1:
 * none. It ends with what run returns, and is in a session of its own and does not hear SIGINT,
 * SIGTERM and SIGHUP: what ends us by the terminal, or all of a unit, does not end it. */
int leash_start(struct leash *ret_leash, const char *name, int given, int (*run)(void *arg),
		void *arg, struct error *err);

/* Closes our end, and waits until the process has ended. Accepts LEASH_INIT. */
void leash_let_go(struct leash *l);

#endif
