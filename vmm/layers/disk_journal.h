/* SPDX-License-Identifier: MIT */
/*
 * Changes of a machine's files that belong together: several images are renamed, records of what
 * lies below them change, and all of it has happened or none.
 *
 * What is to be done is written to STATE/vm/NAME/disks.json, and from then on it is done: by
 * whoever wrote it, or, where that was killed, by the next one who looks. A journal may also say
 * what QEMU has to be at for it to count, where QEMU itself makes the change; it is then undone
 * where QEMU is at something else.
 */
#ifndef HV_VMM_DISK_JOURNAL_H
#define HV_VMM_DISK_JOURNAL_H

#include "base/paths.h"
#include "disk/volume.h"

#include <jansson.h>
#include <stdbool.h>

struct error;

#define NAME_DISK_JOURNAL "disks.json"
#define NAME_DISK_LOCK "disks.lock"

/* Steps, an array; each is nothing where it was done before. Paths are absolute. NULL steps, or one
 * without memory, fail when they are written. */
void disk_steps_rename(json_t *steps, const char *from, const char *to);
void disk_steps_unlink(json_t *steps, const char *path);
/* backing NULL: none. */
void disk_steps_record(json_t *steps, const char *path, const char *backing,
		       enum disk_format backing_format);

struct disk_journal {
	json_t *steps; /* owned */
	json_t *undo; /* owned; steps for where it does not count; NULL: none */
	/* The active node that each disk of a running QEMU has where it counts: an object by the
	 * device's number, "0". Owned. NULL: it counts in any case. */
	json_t *nodes;
	/* With nodes: whether it counts where QEMU has gone; but what nobody wrote to is undone. */
	bool counts_stopped;
};

void disk_journal_free(struct disk_journal *j);

/* For good when it returns. The caller holds disk_journal_lock(). */
int disk_journal_write(int state_dirfd, const struct disk_journal *j, struct error *err);

/* Does what the journal says, or undoes it where it does not count, and removes it; nothing where
 * there is none. The lock is held. */
int disk_journal_finish(int state_dirfd, bool counts, struct error *err);

/* What was left, NULL: nothing. The caller frees it. */
int disk_journal_read(int state_dirfd, struct disk_journal **ret_journal, struct error *err);

/* Holds others off while files and journal change; waits for its turn. */
int disk_journal_lock(int state_dirfd, int *ret_fd, struct error *err);

/*
 * For a start: QEMU is not there, and the caller holds the machine's lock. 0 where there was
 * nothing to do, or it was done.
 */
int disk_journal_settle(int state_dirfd, struct error *err);
/* The same for who holds disk_journal_lock() already. */
int disk_journal_settle_locked(int state_dirfd, struct error *err);
/* The same by name, where the caller knows that it is stopped. */
int disk_journal_settle_vm(const struct paths *paths, const char *vm, struct error *err);

#endif
