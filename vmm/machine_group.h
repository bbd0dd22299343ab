/* SPDX-License-Identifier: MIT */
/*
 * The control group of a machine's QEMU and swtpm, as part of struct resources: made
 * before the first of them starts, removed when the last has gone, found again by a
 * later supervisor.
 */
#ifndef HV_VMM_MACHINE_GROUP_H
#define HV_VMM_MACHINE_GROUP_H

#include "base/paths.h"

#include <jansson.h>

struct error;
struct resources;

/*
 * Needs r->disks. Where there is no group to be had, or a limit cannot be set, the
 * reason is in r->group_missing: with `jail: require` that is -ENOTSUP, else a
 * warning where limits are configured.
 */
int machine_group_make(struct resources *r, struct error *err);

/* The group that an earlier supervisor made, where there is one, by what it wrote down
 * in status. */
void machine_group_adopt(struct resources *r, json_t *status);

/* Ends what is in it and removes it. */
void machine_group_remove(struct resources *r);

/* The same for a machine that nobody supervises. */
void machine_group_end(const struct paths *paths, const char *vm, json_t *status);

#endif
