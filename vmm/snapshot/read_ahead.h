/* SPDX-License-Identifier: MIT */
/*
 * Reads a file ahead of a process that reads it from its beginning, in small pieces, so that it
 * finds all of it in the host's memory and never sleeps for the disk. A process of its own does
 * it, READ_AHEAD_MAX in front of what it was told of the other one.
 *
 * It is for speed alone: where it fails, that is all that is lost.
 */
#ifndef HV_VMM_READ_AHEAD_H
#define HV_VMM_READ_AHEAD_H

#include "base/leash.h"

#include <stdint.h>

enum { READ_AHEAD_MAX = 512 * 1024 * 1024 };

struct read_ahead {
	struct leash leash;
};

#define READ_AHEAD_INIT              \
	{                            \
		.leash = LEASH_INIT, \
	}

/* fd stays the caller's, and its position where it is. */
void read_ahead_begin(struct read_ahead *r, int fd);

/* How many bytes the other one has read; to be told now and then. */
void read_ahead_tell(const struct read_ahead *r, uint64_t done);

void read_ahead_end(struct read_ahead *r);

#endif
