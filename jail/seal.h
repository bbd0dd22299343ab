/* SPDX-License-Identifier: MIT */
/*
 * The answers to calls that a profile allows for the start only.
 *
 * They go by phase alone: before the seal the kernel is told to carry the call out,
 * after it the call fails, with EPERM where its row does not name the error. No argument
 * is looked at, for what a pointer points to can be changed by another thread after it was
 * looked at; so the seal grants nothing that could be taken in time. Without an answerer
 * the calls fail with ENOSYS: the jail is closed, not open.
 *
 * One call may be answered with a descriptor instead: an openat() for reading and writing that is
 * not close-on-exec, which is how QEMU opens the file of its guest's memory, and nothing else.
 * The caller of that gets the file that its starter opened, with the rights that the
 * starter opened it with, and whatever path it named. It goes by the flags alone, which are a
 * register's and not a pointer's.
 */
#ifndef HV_JAIL_SEAL_H
#define HV_JAIL_SEAL_H

#include "base/leash.h"
#include "jail/profile.h"

struct error;

/* Who is sealed. */
struct jail_sealed {
	const struct jail_profile *profile;
	const struct jail_situation *situation;
};

/* Once for each time that the listener is readable. 1: one call was answered, its
 * number in *ret_nr; 0: its caller has gone meanwhile; -errno: the listener is of no
 * use any more. sealed NULL: it is carried out. memory_fd stays the caller's; -1: there is none. */
int jail_seal_answer(int listener, const struct jail_sealed *sealed, int memory_fd, int *ret_nr);

/* The same, but every call is carried out, and *ret_nr and arguments tell what it was:
 * for a profile that is watched (enum jail_watch). */
int jail_seal_watch(int listener, int memory_fd, int *ret_nr, uint64_t ret_arguments[static 6]);

/*
 * A process that answers everything by "carry it out", so that a program that starts
 * does not wait for a parent that is busy. It lasts until it is stopped, or until its
 * parent or the program has gone.
 */
struct jail_answerer {
	struct leash leash;
};

#define JAIL_ANSWERER_INIT           \
	{                            \
		.leash = LEASH_INIT, \
	}

int jail_answerer_start(struct jail_answerer *ret_answerer, struct error *err);

/* What it is to answer, and the file of the guest's memory (-1: none). Both stay the caller's. */
int jail_answerer_give(const struct jail_answerer *a, int listener, int memory_fd,
		       struct error *err);

/* When this returns, nothing is carried out any more but by the listener's holder.
 * Accepts JAIL_ANSWERER_INIT. */
void jail_answerer_stop(struct jail_answerer *a);

/* For a new listener: the answerer and who waits for the answer run on one processor
 * in turn, which halves the time of an answer. Kernels before 6.6 go without. */
void jail_seal_prepare(int listener);

#endif
