/* SPDX-License-Identifier: MIT */
/* Locks that say whose they are: whoever is in the way is told by the words it was called with. */
#ifndef HV_VMM_HOLDER_H
#define HV_VMM_HOLDER_H

#include <jansson.h>
#include <stdbool.h>

struct error;

/* Writes this process into a lock file that it holds, with its command line where it is a verb that
 * somebody may have to wait for. */
int holder_sign(int lockfd, bool verb, struct error *err);

/* What stands in the lock file name of a folder, for vmm/keeper/adopt.h; NULL: nothing. The
 * caller's reference. */
json_t *holder_read(int dirfd, const char *name);

/* -EBUSY says which verb holds the lock, and its pid; 0: none does, or it did not say so. */
int holder_check(int dirfd, const char *name, struct error *err);

#endif
