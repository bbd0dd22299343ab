/* SPDX-License-Identifier: MIT */
/* What is written of a qcow2 image (QEMU's docs/interop/qcow2.txt) by whoever lays one out by
 * hand. */
#ifndef HV_DISK_QCOW2_WRITE_H
#define HV_DISK_QCOW2_WRITE_H

#include <stddef.h>
#include <stdint.h>

enum {
	QCOW2_ENTRY_BYTES = 8, /* of the tables of clusters, and of that of reference counts */
	QCOW2_COUNT_BYTES = 2, /* of a reference count, as the header says */
	QCOW2_HEADER_LENGTH = 104,
};

/* Version 3; what is not named here is zero. Offsets are those in the file, in bytes. */
struct qcow2_layout {
	unsigned cluster_bits;
	uint64_t bytes; /* the disk's size */
	uint64_t l1_entries, l1_at;
	uint64_t refcounts_at; /* their table, which has one cluster */
	uint64_t incompatible; /* features */
	uint32_t snapshots;
	uint64_t snapshots_at;
};

/* A big-endian number of that many bytes. */
void qcow2_put(uint8_t *p, uint64_t value, unsigned bytes);

/* header: QCOW2_HEADER_LENGTH bytes that are zero. */
void qcow2_put_header(uint8_t *header, const struct qcow2_layout *layout);

/* All of it or -errno. */
int qcow2_write_at(int fd, const void *data, size_t len, uint64_t offset);

#endif
