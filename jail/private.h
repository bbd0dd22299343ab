/* SPDX-License-Identifier: MIT */
/* Private to jail/: one start, as its steps see it. Everything that needs memory is
 * made in the parent; the child only carries it out. */
#ifndef HV_JAIL_PRIVATE_H
#define HV_JAIL_PRIVATE_H

#include "base/error.h"
#include "jail/filter.h"
#include "jail/seal.h"
#include "jail/spawn.h"

struct jail_start {
	const struct jail_spec *spec;
	/* In the parent as it is made, which is while the child is busy with its root, and in the
	 * child as it has come by the pipe. */
	struct jail_filter filter;
	int filter_read, filter_write; /* -1: there is to be none */
	size_t root_bytes; /* what the root has to hold */
	int ruleset; /* Landlock's; -1: none */
	/* In the parent. */
	int listener, net_ns;
	int memory_fd; /* the spec's; -1: none */
	bool attended; /* the filter was made, and the answerer started where there is to be one */
	struct error filter_error; /* why it was not made */
	struct jail_answerer answerer;
	/* In the child: each bind by descriptor, before the mount namespace changes. */
	int trees[JAIL_BINDS_MAX];
};

static inline bool jail_has(const struct jail_spec *spec, enum jail_layer layer)
{
	return !(spec->without & 1U << layer);
}

/* Where a bind is seen in the jail. */
static inline const char *jail_bind_target(const struct jail_bind *b)
{
	return b->target ? b->target : b->source;
}

/*
 * All of these run in the child and do only async-signal-safe work: 0 or -errno, with
 * what failed in *ret_what.
 */

/* root.c: the mount namespace and its root; the working folder is the new root. */
int jail_enter_root(struct jail_start *start, const char **ret_what);

/* landlock.c: nothing of the file system but what is bound, no TCP, nobody else's
 * abstract sockets and processes. A kernel without it leaves it out. */
int jail_restrict_access(struct jail_start *start, const char **ret_what);
/* Nothing is written but beneath that folder, and no TCP. 0 also where there is no Landlock. */
int jail_restrict_writing(int folder_fd);

/* user.c: before descriptors are placed, and the rest after. */
int jail_make_room(const struct jail_spec *spec, const char **ret_what);
int jail_set_limits(const struct jail_spec *spec, const char **ret_what);
int jail_drop_user(const struct jail_spec *spec, const char **ret_what);
/* The highest number of a descriptor, plus one. */
unsigned jail_files_max(const struct jail_spec *spec);

#endif
