/* SPDX-License-Identifier: MIT */
/*
 * The snapshots inside a qcow2 image, read without trust and without a process: two reads
 * for an image, whoever uses it meanwhile.
 */
#ifndef HV_DISK_SNAPSHOTS_H
#define HV_DISK_SNAPSHOTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct error;

enum {
	DISK_SNAPSHOTS_MAX = 65536, /* QEMU's own bound */
	DISK_SNAPSHOT_TABLE_MAX = 64 * 1024 * 1024,
};

struct disk_snapshot {
	char *name; /* any bytes but NUL, up to 65535 of them */
	uint64_t memory_bytes; /* of the machine's state in it; 0: none */
	uint64_t disk_bytes; /* the disk's size at that time; 0: not told */
	uint32_t date; /* seconds since the epoch */
};

struct disk_snapshots {
	struct disk_snapshot *v; /* in the order of the table */
	size_t n;
};

void disk_snapshots_free(struct disk_snapshots *s); /* accepts a zeroed one; zeroes it */

/* NULL where there is none of that name. */
const struct disk_snapshot *disk_snapshots_find(const struct disk_snapshots *s, const char *name);

/*
 * Takes count entries out of a table of which the first len bytes are in buf. -EMSGSIZE,
 * err untouched: it goes on behind them. -EINVAL for what is no such table. Pure.
 */
int disk_snapshots_parse(const uint8_t *buf, size_t len, uint32_t count,
			 struct disk_snapshots *ret_snapshots, struct error *err);

/* Those of an open image, whose header is checked as in disk/qcow2.h. */
int disk_snapshots_read(int fd, struct disk_snapshots *ret_snapshots, struct error *err);

/* The same for a path. */
int disk_snapshots_read_path(const char *path, struct disk_snapshots *ret_snapshots,
			     struct error *err);

enum disk_snapshot_edit {
	DISK_SNAPSHOT_MAKE,
	DISK_SNAPSHOT_APPLY, /* the image becomes what it was */
	DISK_SNAPSHOT_DELETE,
	DISK_SNAPSHOT_EDIT_COUNT
};

/* Changes an image that no process uses, by qemu-img, which opens no other file for it. */
int disk_snapshot_edit(const char *path, enum disk_snapshot_edit what, const char *name,
		       struct error *err);

/* Has qemu-img look through all of an image that no process uses. With repair, clusters that
 * nobody refers to, which a QEMU that was killed leaves, are given back. -EPROTO with what is
 * wrong. */
int disk_check(const char *path, bool repair, struct error *err);

#endif
