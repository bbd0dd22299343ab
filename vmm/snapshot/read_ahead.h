/* SPDX-License-Identifier: MIT */
/*
 * Reads a file ahead of a process that reads it from its beginning, in small pieces, so that it
 * finds all of it in the host's memory and never sleeps for the disk. A process of its own does
 * it, at most READ_AHEAD_MAX in front.
 *
 * It is for speed alone: where it fails, that is all that is lost.
 */
#ifndef HV_VMM_READ_AHEAD_H
#define HV_VMM_READ_AHEAD_H

#include "base/child.h"

#include <stdint.h>

enum { READ_AHEAD_MAX = 256 * 1024 * 1024 };

struct read_ahead {
	/* How many bytes the other one has read; called in the process that reads ahead. */
	uint64_t (*done)(void *arg);
	void *arg;
	pid_t maker;
	struct child process;
};

/* fd stays the caller's, and its position where it is. */
void read_ahead_begin(struct read_ahead *r, int fd, uint64_t (*done)(void *arg), void *arg);

void read_ahead_end(struct read_ahead *r);

#endif
