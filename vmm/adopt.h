/* SPDX-License-Identifier: MIT */
/*
 * Taking over what a supervisor left that was killed or replaced. Its
 * status.json names QEMU and swtpm by pid and start time; processes that still
 * are who they were are taken hold of by pidfd, and QEMU's sockets, which
 * listen, are there to connect to.
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
 * earlier one (a swtpm, a QEMU that never ran its guest) was ended.
 */
int adopt_machine(const struct rundir *run, const struct paths *paths, struct resources *r,
		  struct adopted *ret_adopted, struct error *err);

/* Ends what a supervisor left that was killed, whatever it is, and removes its
 * run folder. -EALREADY where one serves it. For machines that nobody can
 * supervise any more. */
int adopt_end(const struct paths *paths, const char *vm, struct error *err);

/* {"pid": …, "start": …} of a child, or null; for status.json. */
json_t *adopt_describe(const struct child *c);

/* Whether the process so described still lives. */
bool adopt_lives(json_t *described);

/* The process so described, where it still lives; else -ESRCH. */
int adopt_find(json_t *described, struct child *ret_child);

#endif
