/* SPDX-License-Identifier: MIT */
/*
 * One uid and gid per VM or network, out of the jail's range, kept until its owner is
 * removed: STATE/uids/NUMBER is a symbolic link to the owner's name. Making a link is
 * atomic, so two starts at once never get the same number. "-" owns those that were let
 * go of.
 */
#ifndef HV_VMM_UIDS_H
#define HV_VMM_UIDS_H

#include "base/paths.h"

#include <stdbool.h>
#include <sys/types.h>

struct error;

/* owner: "vm/dc01". */
int uids_claim(const struct paths *paths, const char *owner, uid_t *ret_uid, struct error *err);

/* Lets go of all that an owner claimed, which has no process any more. */
int uids_release(const struct paths *paths, const char *owner, struct error *err);

/* Whether a process runs as the uid of one of these owners; NULL ends them. What it
 * runs as it cannot change itself. */
bool uids_is_process_of(const struct paths *paths, pid_t pid, const char *const owners[]);

#endif
