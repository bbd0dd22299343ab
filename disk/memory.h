/* SPDX-License-Identifier: MIT */
/*
 * An image with nothing but the state of a machine in it, as QEMU's snapshot-load wants it, made
 * of a stream that QEMU wrote to a file by itself: the tables that make an image of it are put in
 * front when it is over.
 */
#ifndef HV_DISK_MEMORY_H
#define HV_DISK_MEMORY_H

#include <stdint.h>

struct error;

/* Has whoever writes to fd, an empty file, or to a duplicate, write behind the place of the
 * tables. */
int disk_memory_begin(int fd, struct error *err);

/*
 * What was written, up to fd's position, becomes the state of the snapshot name, of *ret_bytes.
 * date: seconds since the epoch. Nothing is synced. -EFBIG beyond 512 GiB.
 */
int disk_memory_end(int fd, const char *name, uint32_t date, uint64_t *ret_bytes,
		    struct error *err);

#endif
