/* SPDX-License-Identifier: MIT */
/*
 * The qcow2 header (QEMU's docs/interop/qcow2.txt), read without trust. Pure.
 */
#ifndef HV_DISK_QCOW2_H
#define HV_DISK_QCOW2_H

#include <stddef.h>
#include <stdint.h>

struct error;

enum {
	QCOW2_HEADER_BYTES = 112,
	QCOW2_CLUSTER_BYTES_MAX = 2 * 1024 * 1024,
	QCOW2_NAME_MAX = 1023,
};

struct qcow2_info {
	uint64_t virtual_bytes;
	/* The backing file's name as the image has it, any bytes but NUL; "": none.
	 * What becomes of it is the caller's to decide. */
	char backing[QCOW2_NAME_MAX + 1];
	char backing_format[16]; /* "": not said, and then never to be guessed */
	/* How many are within it; their table begins inside the file and has room for as many. */
	uint32_t n_snapshots;
	uint64_t snapshots_offset;
	/* Dirty bitmaps, as the header has them, unchecked; 0: none that QEMU takes notice of. */
	uint32_t n_bitmaps;
	uint64_t bitmaps_offset, bitmaps_bytes; /* their directory */
};

/*
 * How much of the file qcow2_parse() wants to see: its first cluster, which
 * holds the header, its extensions and the backing file's name. buf has the
 * first QCOW2_HEADER_BYTES or what there is; len where it is no such header.
 */
size_t qcow2_want_bytes(const uint8_t *buf, size_t len);

/*
 * buf holds the first len bytes of a file of file_bytes, as many as
 * qcow2_want_bytes() says or all there are. Checks magic, version 2 or 3,
 * cluster bits 9 to 21, a virtual size of at most 64 TiB, header and extensions
 * inside the first cluster, and all tables: inside the file, no larger than
 * QEMU takes, an L1 table that is large enough. Refuses an external data file,
 * unknown incompatible features, images marked corrupt, and encryption.
 * -EINVAL says which, and what to do.
 */
int qcow2_parse(const uint8_t *buf, size_t len, uint64_t file_bytes, struct qcow2_info *ret_info,
		struct error *err);

#endif
