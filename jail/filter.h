/* SPDX-License-Identifier: MIT */
/*
 * A profile as the program that the kernel runs for each system call. It is built in
 * the parent, by libseccomp, goes to the child by a pipe, and is loaded there by one system call.
 */
#ifndef HV_JAIL_FILTER_H
#define HV_JAIL_FILTER_H

#include "jail/profile.h"

#include <linux/filter.h>

struct error;

struct jail_filter {
	struct sock_filter *v; /* NULL: none */
	unsigned short n;
	bool listens; /* some calls wait for an answer */
};

/* report_fd: sendmsg() on this number alone is allowed, for the way to exec; a number
 * that the program itself can never have. */
int jail_filter_build(const struct jail_profile *profile, const struct jail_situation *situation,
		      int report_fd, struct jail_filter *ret_filter, struct error *err);

void jail_filter_free(struct jail_filter *f);

/* All of it fits in a pipe. The descriptor stays the caller's. */
int jail_filter_write(const struct jail_filter *f, int fd, struct error *err);

/* In the child, until the pipe's end; async-signal-safe. The filter's code is there until the next
 * call. -EPIPE: none came. */
int jail_filter_read(int fd, struct jail_filter *ret_filter);

/* In the child, with no_new_privs. The listener in *ret_listener, or -1. */
int jail_filter_load(const struct jail_filter *f, int *ret_listener);

#endif
