/* SPDX-License-Identifier: MIT */
/*
 * Making a prepared state (vmm/fork/prepared.h) of a machine that runs, or is paused and stays so.
 * Needs root.
 */
#ifndef HV_VMM_PREPARE_H
#define HV_VMM_PREPARE_H

#include "base/paths.h"
#include "lab/spec.h"
#include "vmm/host.h"

#include <stdbool.h>
#include <stdint.h>

struct error;

struct prepare_options {
	const struct paths *paths;
	const struct host *host;
	const struct lab *lab;
	const struct spec_vm *vm; /* as it is configured, and running or paused */
	const char *note; /* NULL: none */
	/* The state's name; NULL: it gets one of its own and is to be forgotten by
	 * prepare_forget(), or by whoever lists states when this process has gone. */
	const char *name;
	/* Called now and then while memory is copied; may be NULL. */
	void (*progress)(uint64_t done_bytes, uint64_t total_bytes, void *arg);
	void *progress_arg;
};

struct prepared_made {
	char name[64];
	int lock_fd; /* of one that is to be forgotten; -1 */
	uint64_t pause_usec; /* for so long the guest stood */
	char tag[64]; /* of the layers that the source's disks have since (vmm/layers/layers.h); "":
		       * none
		       */
};

/*
 * Blocks until the state is whole. A guest that runs does so while its memory is copied, stands for
 * some milliseconds at the end, and runs on whatever happens to the copy or to this process. While
 * it stands, its disks get new layers to write to, all or none; where the state comes to nothing,
 * they are folded in again. -EEXIST: there is one of that name; -ENOTCONN: the machine is not up;
 * -EBUSY: somebody works on its disks; -ENOTSUP names a disk that can have no
 * layer.
 */
int prepare_state(const struct prepare_options *options, struct prepared_made *ret_made,
		  struct error *err);

/* Removes one that has no name of its own. Machines that have begun with it go on. */
void prepare_forget(const struct paths *paths, struct prepared_made *made);

/* For a state that came to nothing after all, and was forgotten: folds the layers of its source in
 * again. Where somebody's disk lies on them they stay, which is -EBUSY, and so they do where that
 * would lose a snapshot, -ENOTEMPTY. */
int prepare_fold(const struct prepare_options *options, const char *tag, struct error *err);

#endif
