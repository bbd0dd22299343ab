/* SPDX-License-Identifier: MIT */
/*
 * The qcow2 header (QEMU's docs/interop/qcow2.txt), read without trust. Pure.
 */
#ifndef HV_DISK_QCOW2_H
#define HV_DISK_QCOW2_H

#include <stddef.h>
#include <stdint.h>

struct error;

enum { QCOW2_HEADER_BYTES = 112 };

/*
 * buf holds the first len bytes of a file of file_bytes. Checks magic, version
 * 2 or 3, cluster bits 9 to 21, tables inside the file, a virtual size of at
 * most 64 TiB, and refuses what would make QEMU open another file (backing
 * file, external data file), unknown incompatible features, images marked
 * corrupt, and encryption. -EINVAL says which.
 */
int qcow2_parse(const uint8_t *buf, size_t len, uint64_t file_bytes, uint64_t *ret_virtual_bytes,
		struct error *err);

#endif
