/* SPDX-License-Identifier: MIT */
/* Whether an image goes past the host's page cache. */
#ifndef HV_DISK_CACHE_H
#define HV_DISK_CACHE_H

#include <stdbool.h>

struct error;

enum disk_cache { DISK_CACHE_AUTO, DISK_CACHE_NONE, DISK_CACHE_WRITEBACK };

/*
 * Sets O_DIRECT on an open image where that is wanted, or, with DISK_CACHE_AUTO, wise:
 * on a block device, which has no readers to share pages with, and on a network file
 * system, where another host's start must not find old pages. *ret_direct tells QEMU.
 * -ENOTSUP where DISK_CACHE_NONE is not to be had.
 */
int disk_cache_choose(int fd, enum disk_cache want, bool *ret_direct, struct error *err);

#endif
