/* SPDX-License-Identifier: MIT */
/*
 * A machine that was suspended to disk: STATE/vm/NAME/saved.memory holds its state, and
 * saved.json says what of. It is there for one resume only. A guest that goes on, however that
 * came about, changes its disks, and what was saved is not true any more; so
 *
 *   saved.json     may be resumed from
 *   saved.used     is just being resumed from: the guest is about to run
 *   neither        what else is there is left over
 */
#ifndef HV_VMM_SAVED_H
#define HV_VMM_SAVED_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

struct error;

/* The object of saved.json: date, memory (bytes), shape, disks[{name, path, size, modified}].
 * -ENOENT where nothing was saved. The caller's reference. */
int saved_read(int state_dirfd, json_t **ret_saved, struct error *err);

/* An empty file for the state; it has its name only after saved_commit(). */
int saved_make(int state_dirfd, int *ret_fd, struct error *err);
void saved_give_up(int state_dirfd);
/* From here on a start resumes. Both are on the disk when it returns. */
int saved_commit(int state_dirfd, int fd, json_t *saved, struct error *err);

/* The state, for reading. */
int saved_open(int state_dirfd, int *ret_fd, struct error *err);

/* A disk as it is now, to be compared with at the resume; appended to list. */
int saved_add_disk(json_t *list, const char *name, const char *path, struct error *err);
/* -EINVAL names a disk that somebody wrote to since. */
int saved_check_disks(json_t *saved, struct error *err);

/* The guest is about to run; and back, where it did not after all. */
int saved_take(int state_dirfd, struct error *err);
void saved_put_back(int state_dirfd);

/* Removes all of it; nothing where there is none. */
void saved_forget(int state_dirfd);

#endif
