/* SPDX-License-Identifier: MIT */
/* Private to jail/: which devices the processes of a control group may open. */
#ifndef HV_JAIL_DEVICE_FILTER_H
#define HV_JAIL_DEVICE_FILTER_H

#include <stddef.h>
#include <sys/types.h>

struct error;

enum { DEVICE_FILTER_MAX = 16 };

/*
 * Lets them open and make nodes of these character devices and of no other device,
 * by a program in the kernel that lasts as long as the group. Descriptors of others
 * that they are given stay good. -EPERM, -EINVAL and the like where the kernel does
 * not take such programs.
 */
int device_filter_attach(int cgroup_fd, const dev_t *devices, size_t n, struct error *err);

/* Whether the kernel takes such programs from this process: loads one and lets go. */
int device_filter_probe(struct error *err);

#endif
