/* SPDX-License-Identifier: MIT */
/*
 * What has to be seen in a jail for a program to run: the program, what it loads, and
 * what it reads of its own. Few mounts: whole folders of libraries, as they lie on this
 * host, and the links that lead there.
 *
 *   /usr/bin/x        /usr/lib* and /lib* as they are, /etc/ld.so.cache
 *   /opt/q/bin/x      these, and /opt/q/lib*
 *   /nix/store/…/x    /nix/store
 */
#ifndef HV_JAIL_PROGRAM_H
#define HV_JAIL_PROGRAM_H

#include "base/str.h"
#include "jail/spawn.h"

/* Rows for a jail, and the paths that they point to. */
struct jail_binds {
	struct jail_bind v[JAIL_BINDS_MAX];
	size_t n;
	struct strv paths; /* owned */
	bool failed; /* too many, or out of memory */
};

void jail_binds_free(struct jail_binds *b); /* accepts a zeroed one */

/* One more; its strings stay the caller's. */
void jail_binds_add(struct jail_binds *b, const struct jail_bind *bind);

/*
 * What the program needs to be loaded; it is seen by the path given, wherever that
 * leads. data: names of folders below PREFIX/share that it reads, NULL at the end; may
 * be NULL. Fails where the program is not there, or needs too much; look at nothing
 * else.
 */
int jail_binds_add_program(struct jail_binds *b, const char *program, const char *const *data,
			   struct error *err);

static inline void cleanup_jail_binds_fn(struct jail_binds *b)
{
	jail_binds_free(b);
}
#define cleanup_jail_binds __attribute__((cleanup(cleanup_jail_binds_fn)))

#endif
