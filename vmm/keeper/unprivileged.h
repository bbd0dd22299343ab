/* SPDX-License-Identifier: MIT */
/* How a keeper, of a VM or of a network, starts its supervisor: a copy of itself that
 * has given up everything but the descriptors named. */
#ifndef HV_VMM_UNPRIVILEGED_H
#define HV_VMM_UNPRIVILEGED_H

#include "base/child.h"
#include "base/paths.h"

struct error;

struct unprivileged {
	const char *name; /* for messages */
	const char *owner; /* the text of a struct owner */
	const char *user; /* whose uid it gets, for uids_claim(): "run/dc01" */
	const struct child_fd *fds;
	size_t n_fds;
	int (*main)(void *arg); /* its exit status */
	void *arg;
};

/* Its network namespace replaces the one in *net_ns (-1: none), which its keeper holds
 * until nobody waits any more. */
int unprivileged_spawn(const struct paths *paths, const struct unprivileged *what,
		       struct child *ret_child, int *net_ns, struct error *err);

#endif
