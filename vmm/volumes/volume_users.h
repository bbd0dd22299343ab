/* SPDX-License-Identifier: MIT */
/*
 * Who needs an image: machines whose disk it is, images that lie on it, and states that machines
 * begin with (vmm/fork/prepared.h). Known by the configuration, by what is recorded beside each
 * image (disk/record.h), and by what a state says; no image is opened.
 */
#ifndef HV_VMM_VOLUME_USERS_H
#define HV_VMM_VOLUME_USERS_H

#include "base/paths.h"
#include "base/str.h"
#include "lab/spec.h"

struct error;

/* Whether two paths name one file, also where one of them is missing. */
bool volume_is_same(const char *a, const char *b);

/* The names of the machines that have path among their disks, once each. */
void volume_users_find(const struct lab *lab, const char *path, struct strv *ret_vms);

/*
 * What lies on path: "vm 'web1'" for each machine with a disk on it, at whatever
 * depth, "state 's1'" for a state, and "'/pool/x.qcow2'" for an image beside it that is no
 * machine's.
 */
int volume_clones_find(const struct paths *paths, const struct lab *lab, const char *path,
		       struct strv *ret_clones, struct error *err);

/* -EBUSY, and who they are, where something lies on path. */
int volume_check_clones(const struct paths *paths, const struct lab *lab, const char *path,
			struct error *err);

/* The same of images in path's own folder alone, where hvup puts clones: this costs
 * next to nothing where there are none, for each start. */
int volume_check_clones_beside(const struct lab *lab, const char *path, struct error *err);

#endif
