/* SPDX-License-Identifier: MIT */
/*
 * Machines that hvup makes itself, as clones. Each is a piece of configuration,
 * STATE/machines/NAME.yaml, which lab_load_all() merges with the user's:
 * {"vms": {NAME: {"like": SOURCE, "disks": [{"path": …}, …]}}}. Its disks that are
 * not read_only are its own and go with it.
 *
 * While a machine is made or removed its file is STATE/machines/.NAME.part, which
 * nobody reads as configuration: so it is there as a whole or not at all, and what a crash
 * left is found by the next who makes or removes a machine of that name.
 */
#ifndef HV_VMM_MACHINES_H
#define HV_VMM_MACHINES_H

#include "base/paths.h"

#include <jansson.h>
#include <stdbool.h>

struct error;

/* A machine that is being made; the lock of its name is held. */
struct machine_making {
	const struct paths *paths;
	const char *name; /* the caller's */
	int dirfd, lockfd; /* -1: none */
};

#define MACHINE_MAKING_INIT               \
	{                                 \
		.dirfd = -1, .lockfd = -1 \
	}

/* What a machine's file says of it ({"like": …}); NULL where hvup did not make it, or its
 * file is not as hvup wrote it. The caller's reference. */
json_t *machine_read(const struct paths *paths, const char *name);

/* The whole document for a machine, as YAML; vm is borrowed. NULL when out of memory.
 * The caller frees it. */
char *machine_text(const char *name, json_t *vm);

/* Whether hvup made it, or began to make or remove it. */
bool machine_is_made(const struct paths *paths, const char *name);

/*
 * Takes the name and writes down what will belong to it; what an unfinished attempt
 * left goes first. -EEXIST where there is such a machine, or state of one; -EBUSY
 * where somebody makes or removes it now. Then the caller makes the volumes that
 * vm (borrowed) names, and all else, in STATE/vm/NAME.
 */
int machine_begin(const struct paths *paths, const char *name, json_t *vm,
		  struct machine_making *ret_making, struct error *err);

/* The machine is there. Ends the making either way; a failure has undone it. */
int machine_finish(struct machine_making *making, struct error *err);

/* Undoes it. Accepts one that was ended. */
void machine_abandon(struct machine_making *making);

/*
 * Removes a machine that is not up, with its volumes, its state, its TPM and its uids;
 * in an order in which a crash leaves what the next call finishes. Whether somebody
 * else's disk lies on its volumes the caller has looked at. -EBUSY where it is up or
 * is being made.
 */
int machine_remove(const struct paths *paths, const char *name, struct error *err);

#endif
