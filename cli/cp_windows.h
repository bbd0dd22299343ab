/* SPDX-License-Identifier: MIT */
/* What the shell does for hv cp on Linux, by the PowerShell of a Windows guest: 4.0 or later, which
 * came with Windows 8.1 and Server 2012 R2. Texts that are returned are the caller's; an error
 * names the VM, the file and what Windows says. */
#ifndef HV_CLI_CP_WINDOWS_H
#define HV_CLI_CP_WINDOWS_H

#include "base/sha256.h"

struct copy;
struct error;

/* The last part of C:\FOLDER\FILE. NULL: other paths may hold a backslash in a name. */
const char *cp_windows_name_of(const char *path);

/* Where a file of that name goes to, and an empty one at that path, a dot and the suffix.
 * -ENOTSUP: it has no PowerShell, or none for its agent. */
int cp_windows_prepare(struct copy *c, const char *name, const char *suffix, char **ret_target,
		       struct error *err);

/* Compares by sum, where it is not empty, and puts the file in the place of what is there. */
int cp_windows_take_place(struct copy *c, const char *temporary, const char *target,
			  const char *sum, struct error *err);

void cp_windows_remove(struct copy *c, const char *path);

/* As sha256sum tells it. */
int cp_windows_sum(struct copy *c, const char *path, char ret_sum[static SHA256_TEXT_BYTES],
		   struct error *err);

#endif
