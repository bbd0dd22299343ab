/* SPDX-License-Identifier: MIT */
/*
 * A QEMU without a machine, in the jail of one, for work on the images of a machine that is
 * stopped: the same monitor, the same words and the same confinement as where it runs. It gets
 * its images over the monitor, as descriptors, and ends with the process that started it.
 */
#ifndef HV_VMM_STORAGE_H
#define HV_VMM_STORAGE_H

#include "base/paths.h"
#include "jail/spawn.h"
#include "lab/spec.h"

struct disk_chain;
struct error;
struct host;
struct jobs;

struct storage {
	struct jailed jailed;
};

#define STORAGE_INIT                   \
	{                              \
		.jailed = JAILED_INIT, \
	}

/* Starts it and shakes hands. For who holds the machine's lock (vmm/rundir.h); needs root. */
int storage_start(const struct paths *paths, const struct host *host, const char *vm,
		  struct storage *ret_storage, struct jobs **ret_jobs, struct error *err);

/* Ends it in order, so that it writes out what it keeps of its images. Accepts STORAGE_INIT, and
 * jobs that are NULL; the connection stays the caller's. */
void storage_end(struct storage *s, struct jobs *jobs);

/* Gives it an image with all that lies below, as nodes `node`, `node-1` and so on, as a machine
 * has them. */
int storage_add(struct jobs *jobs, const struct disk_chain *chain, const char *node, bool read_only,
		struct error *err);

#endif
