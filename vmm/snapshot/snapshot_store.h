/* SPDX-License-Identifier: MIT */
/*
 * The snapshots of one machine as they are written down: STATE/vm/NAME/snapshots with
 *
 *   TAG.json     a record (vmm/snapshot/snapshot_record.h)
 *   TAG.memory   the machine's state, a qcow2 image that holds nothing else
 *   TAG.tpm/     the TPM's state of a machine that was stopped
 *   current      the tag that the machine was last made or brought back to
 *   loading      the tag of one that is being brought back: until that is over, disks and
 *                memory may not fit together
 *   lock         held by whoever changes any of it
 *
 * What is written is on the disk when a function returns, but for `current`, which nothing
 * depends on.
 */
#ifndef HV_VMM_SNAPSHOT_STORE_H
#define HV_VMM_SNAPSHOT_STORE_H

#include "base/paths.h"
#include "vmm/snapshot/snapshot_record.h"

#include <stdbool.h>

struct error;

struct snapshot_store {
	int state_dirfd, dirfd; /* STATE/vm/NAME, and its snapshots; -1: there is none */
	int lock_fd; /* -1: only looked at */
	struct snapshot_record *v; /* by date */
	size_t n;
	char *current, *loading; /* NULL: none */
};

#define SNAPSHOT_STORE_INIT                                   \
	{                                                     \
		.state_dirfd = -1, .dirfd = -1, .lock_fd = -1 \
	}

/* Reads all that is there; nothing there is an empty store. A record that cannot be read is
 * -EINVAL. */
int snapshot_store_read(const struct paths *paths, const char *vm, struct snapshot_store *ret_store,
			struct error *err);

/* The same for somebody who will change it: makes the folder and takes the lock. -EBUSY where
 * another one has it. */
int snapshot_store_lock(const struct paths *paths, const char *vm, struct snapshot_store *ret_store,
			struct error *err);

void snapshot_store_close(struct snapshot_store *s);

/* NULL where there is none of that tag, whatever its stage. */
struct snapshot_record *snapshot_store_find(const struct snapshot_store *s, const char *tag);
/* A complete one; -ENOENT names those that there are. */
int snapshot_store_get(const struct snapshot_store *s, const char *tag,
		       const struct snapshot_record **ret_record, struct error *err);

/* Writes a record; one that is new is taken over into the list and *r zeroed. */
int snapshot_store_put(struct snapshot_store *s, struct snapshot_record *r, struct error *err);

/* Removes the record with memory and TPM state. Children get its parent, and so does
 * `current`. */
int snapshot_store_remove(struct snapshot_store *s, const char *tag, struct error *err);

/* tag NULL: none. */
int snapshot_store_set_current(struct snapshot_store *s, const char *tag, struct error *err);
int snapshot_store_set_loading(struct snapshot_store *s, const char *tag, struct error *err);

/* The memory's file, to be read and written; with make, a new and empty one. */
int snapshot_store_open_memory(const struct snapshot_store *s, const char *tag, bool make,
			       int *ret_fd, struct error *err);

/*
 * For a start: *ret_loading is whether the guest has to wait, for somebody loads a snapshot into
 * it. -EBUSY where somebody works at its snapshots otherwise, or where a load was broken off;
 * the error says what to do.
 */
int snapshot_store_may_start(int state_dirfd, const char *vm, bool *ret_loading, struct error *err);

/* The tag that a load was broken off at, or is under way; NULL: none. The caller frees it. */
char *snapshot_store_loading(const struct paths *paths, const char *vm);

#endif
