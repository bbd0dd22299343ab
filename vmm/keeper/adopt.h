/* SPDX-License-Identifier: MIT */
/*
 * Taking over what a supervisor left that was killed or replaced. Its
 * status.json names QEMU and swtpm by pid and start time; processes that still
 * are who they were are taken hold of by pidfd, and QEMU's sockets, which
 * listen, are there to connect to. That file is not believed alone: what is signalled
 * or taken over has to carry its owner's mark, or to run as its owner's uid.
 */
#ifndef HV_VMM_ADOPT_H
#define HV_VMM_ADOPT_H

#include "base/paths.h"
#include "vmm/rundir.h"

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

struct error;
struct resources;
struct child;

struct adopted {
	uint64_t started; /* seconds since the epoch */
	bool paused; /* as far as its last supervisor knew */
};

/*
 * 1: a QEMU was found that has run its guest; r holds its processes, pins and TAP
 * names, as after resources_start(). 0: there is none, and what was left of an
 * earlier one (a swtpm, a QEMU that never ran its guest, that lost its TPM or was on
 * its way out) has ended.
 */
int adopt_machine(const struct rundir *run, const struct paths *paths, struct resources *r,
		  struct adopted *ret_adopted, struct error *err);

/* Ends what a supervisor left that was killed, whatever it is, and removes its
 * run folder. -EALREADY where one serves it. For machines that nobody can
 * supervise any more. */
int adopt_end(const struct paths *paths, const char *vm, struct error *err);

/* Whether a machine that its keeper left can be taken over, by its status (NULL: none). */
bool adopt_is_possible(const struct paths *paths, const char *vm, json_t *status);

/* {"pid": …, "start": …} of a child, or null; for status.json. */
json_t *adopt_describe(const struct child *c);

/* Whether the process so described lives, and is not on its way out. */
bool adopt_lives(json_t *described);

/* The process so described, where it still lives; else -ESRCH. */
int adopt_find(json_t *described, struct child *ret_child);

/* Waits for the end of the supervisor that the run folder's status tells of: one that lost its
 * keeper. true: there was one, and it has gone. */
bool adopt_await_supervisor(const struct rundir *run, int timeout_ms);

/* The same for one that is to be signalled or taken over: it bears the mark
 * (vmm/owner.h) or runs as one of the uids of vmm/uids.h, a list that NULL ends. What
 * does neither is told and left alone. */
int adopt_find_own(const struct paths *paths, json_t *described, const char *mark,
		   const char *const uids[], struct child *ret_child);

#endif
