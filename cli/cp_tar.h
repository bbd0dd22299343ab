/* SPDX-License-Identifier: MIT */
/* The host's tar, at one end of a pipe. */
#ifndef HV_CLI_CP_TAR_H
#define HV_CLI_CP_TAR_H

#include "base/child.h"

#include <stdbool.h>

struct cp_tar {
	struct child child;
	int fd; /* the archive: read it, or write it; -1 when it has ended */
	int said; /* what it says on standard error */
};

/* Packs all that is in the folder. */
int cp_tar_pack(int folder_fd, struct cp_tar *ret_tar, struct error *err);

/* Unpacks what a stranger packed into the folder, and can write nowhere else. Owners become the
 * caller's; modes are what they were, less the umask. */
int cp_tar_unpack(int folder_fd, struct cp_tar *ret_tar, struct error *err);

/* Closes the pipe and waits. What it has to complain of is the error. changing: files that
 * changed while they were read are none. */
int cp_tar_finish(struct cp_tar *tar, bool changing, struct error *err);
void cp_tar_destroy(struct cp_tar *tar); /* ends it; accepts one that has finished */

#endif
