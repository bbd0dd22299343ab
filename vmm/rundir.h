/* SPDX-License-Identifier: MIT */
/*
 * A supervisor's run folder and its lock: who holds the lock is the one
 * supervisor of that VM or network. The folder and all in it go with it.
 */
#ifndef HV_VMM_RUNDIR_H
#define HV_VMM_RUNDIR_H

#include "base/paths.h"

#include <jansson.h>
#include <stdbool.h>
#include <sys/types.h>

struct error;

struct rundir {
	int dirfd, lockfd; /* -1: none */
	gid_t group; /* whose members may act (vmm/supervisor/peer.h) */
};

#define RUNDIR_INIT                       \
	{                                 \
		.dirfd = -1, .lockfd = -1 \
	}

/* Makes the folder, opens it to the group, and takes and signs the lock. -EALREADY where another
 * supervisor holds it, -EBUSY where a verb does. What an earlier one left in the folder stays. */
int rundir_acquire(const struct paths *paths, enum paths_kind kind, const char *name,
		   struct rundir *ret_dir, struct error *err);

/* The same for a verb that works on the files of what is stopped, and is no supervisor. Who finds
 * it in the way hears which one it is, and its pid. */
int rundir_hold(const struct paths *paths, enum paths_kind kind, const char *name,
		struct rundir *ret_dir, struct error *err);

/* -EBUSY says which verb holds it; 0: none does, a supervisor may. */
int rundir_check_held(const struct paths *paths, enum paths_kind kind, const char *name,
		      struct error *err);

/* Removes the folder with all in it, then lets go of the lock. */
void rundir_remove(struct rundir *dir, const struct paths *paths, enum paths_kind kind,
		   const char *name);

/* Lets go of the lock and leaves the folder as it is. */
void rundir_release(struct rundir *dir);

/* Replaces status.json, which the group may read. */
int rundir_write_status(const struct rundir *dir, json_t *status, struct error *err);

/* It, to be read; -1: there is none. */
int rundir_open_status(const struct rundir *dir);

/* What the supervisor before us wrote last; NULL: nothing. The caller's
 * reference. */
json_t *rundir_own_status(const struct rundir *dir);

/*
 * Reads status.json of a VM or network. *ret_status is NULL where there is none;
 * *ret_served says whether its supervisor lives. The caller's reference.
 */
int rundir_read_status(const struct paths *paths, enum paths_kind kind, const char *name,
		       json_t **ret_status, bool *ret_served, struct error *err);

enum rundir_state {
	RUNDIR_NONE,
	RUNDIR_SERVED, /* its supervisor lives */
	RUNDIR_LEFT, /* its supervisor was killed and left what it had */
};

/* A supervisor that was killed holds its lock until it has gone: waits for that, at most a second.
 * At once where none is on its way out. */
void rundir_settle(const struct paths *paths, enum paths_kind kind, const char *name);

/* Which of them it is. What is left may be less than a status. */
int rundir_look(const struct paths *paths, enum paths_kind kind, const char *name,
		enum rundir_state *ret_state, struct error *err);

/* Connects to a socket in the folder ("qmp", "console", "control"). */
int rundir_connect(const struct paths *paths, enum paths_kind kind, const char *name,
		   const char *socket, int *ret_fd, struct error *err);

/* To a machine's control socket. -ENOTCONN, with what would help, where it is not up. */
int rundir_connect_vm(const struct paths *paths, const char *name, int *ret_fd, struct error *err);

#endif
