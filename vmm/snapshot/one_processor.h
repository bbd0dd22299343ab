/* SPDX-License-Identifier: MIT */
/*
 * Keeps a process on one processor while two of its threads take turns: QEMU's job for a snapshot
 * asks a thread of its pool for every 32 KiB and waits. On processors of their own each of the two
 * wakes a sleeping processor up for the other, which takes longer than the work itself.
 *
 * It is for speed alone. Whatever stands in the way (one processor, a process of somebody else's)
 * leaves things as they are, and nothing is said.
 */
#ifndef HV_VMM_ONE_PROCESSOR_H
#define HV_VMM_ONE_PROCESSOR_H

#include "base/guard.h"

#include <sched.h>
#include <stddef.h>
#include <sys/types.h>

struct one_processor {
	pid_t pid;
	unsigned long long start_ticks;
	cpu_set_t one; /* that processor */
	cpu_set_t before; /* where its threads could be */
	pid_t *apart; /* threads that could be elsewhere: those are let alone */
	size_t n_apart;
	struct guard guard; /* puts it right, also should this process be killed */
};

/* The processor is the one of the caller, who is about to wait. */
void one_processor_begin(struct one_processor *ret_p, pid_t pid);

/* Its threads are where they could be before; those that came since, where the first one could. */
void one_processor_end(struct one_processor *p);

#endif
