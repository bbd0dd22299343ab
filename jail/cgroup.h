/* SPDX-License-Identifier: MIT */
/*
 * Control groups, version 2: what the processes of a machine may use together, which
 * devices they may open, and the one signal that ends them all.
 *
 * A machine's group lies in a part of the hierarchy that systemd delegated: beside the
 * caller's own group where that is a subgroup of its unit (DelegateSubgroup=), else in
 * the unit hv-machines.service, which cgroup_hold() is for. Without either it lies in a
 * folder `hv` at the top. A unit whose own group the caller is in is left as it is, delegated
 * or not: with controllers turned on below it, systemd could not start the unit's main
 * process again while the machine runs.
 *
 * Nothing here blocks but cgroup_kill() and cgroup_remove(), for as long as the
 * kernel needs to end processes, at most 2 s.
 */
#ifndef HV_JAIL_CGROUP_H
#define HV_JAIL_CGROUP_H

#include "base/str.h"

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct error;

/* 0 and none: not limited. */
struct cgroup_limits {
	unsigned cpus_milli; /* thousandths of a CPU */
	uint64_t memory_bytes;
	unsigned pids;
	uint64_t io_bytes; /* a second, read and written each, of each of these: */
	const dev_t *io_devices; /* block devices, as of cgroup_block_device() */
	size_t n_io_devices;
};

struct cgroup_spec {
	const char *name; /* of the group: one component of a path, unique on the host */
	struct cgroup_limits limits;
	const dev_t *devices; /* character devices that they may open */
	size_t n_devices;
};

struct cgroup {
	int fd; /* the group's folder, for jail_spec.cgroup_fd; -1: there is none */
	int base_fd; /* the folder that it lies in */
	char *name;
	char *path; /* in the hierarchy, as in /proc/PID/cgroup */
	char *top; /* the folder of the hierarchy, where the base is ours to remove */
};

#define CGROUP_INIT                     \
	{                               \
		.fd = -1, .base_fd = -1 \
	}

/*
 * Makes the group. One of that name that is there is left over: it is removed first,
 * with all that is in it. What of the limits cannot be set, and why, is added to
 * missing, a text each ("memory_max: …"); that is no failure. -EOPNOTSUPP with the
 * reason where there is no hierarchy of version 2 to make it in.
 */
int cgroup_make(const struct cgroup_spec *spec, struct cgroup *ret_cgroup, struct strv *missing,
		struct error *err);

/* The group that an earlier caller made, by its path. -ENOENT where it is not there,
 * -EOPNOTSUPP as above. */
int cgroup_find(const char *path, struct cgroup *ret_cgroup, struct error *err);

/* SIGKILL to all that is in it, at once; returns when they are gone. */
int cgroup_kill(struct cgroup *c, struct error *err);

/* Ends what is in it and removes it, with what is held; accepts CGROUP_INIT. *c is
 * CGROUP_INIT thereafter. */
int cgroup_remove(struct cgroup *c, struct error *err);

/* For the process of a unit that is there to hold groups: goes into a subgroup of its
 * unit's own, so that others can be made beside it and limited. */
int cgroup_hold(struct error *err);

/* Lets go of it and leaves it there. */
void cgroup_close(struct cgroup *c);

/* The disk below device (a file's st_dev or a block device's st_rdev), as io.max
 * takes it: of a partition its disk. -ENODEV where there is none, as with btrfs,
 * overlayfs, tmpfs and network file systems. */
int cgroup_block_device(dev_t device, dev_t *ret_disk);

/* Writes limits into the files of the group dirfd, as cgroup_make() does. */
void cgroup_limit(int dirfd, const struct cgroup_limits *limits, struct strv *missing);

#endif
