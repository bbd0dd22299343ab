/* SPDX-License-Identifier: MIT */
/*
 * Images that nobody is to write to any more, for others lie on them: without the
 * modes' bits to write, and immutable where the file system knows that, which holds
 * the superuser off, too.
 */
#ifndef HV_DISK_FROZEN_H
#define HV_DISK_FROZEN_H

#include <stdbool.h>
#include <sys/types.h>

struct error;

/* What is written to it is on the disk first. *ret_mode is what it had. A device stays
 * as it is. Doing it again changes nothing. */
int disk_freeze(const char *path, mode_t *ret_mode, struct error *err);

/* Gives it that mode back. One that is missing is success. */
int disk_thaw(const char *path, mode_t mode, struct error *err);

/* Removes it, frozen or not; of a symbolic link that alone, and what it leads to stays as it is.
 * -ENOENT or -ENOTDIR where it is missing. */
int disk_remove(const char *path, struct error *err);

#endif
