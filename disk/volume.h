/* SPDX-License-Identifier: MIT */
/*
 * Volumes and images: looking at them without trusting them, making them,
 * growing them, opening them. qemu-img does the writing; the header is read
 * here, so that looking costs no process and a hostile image is refused before
 * QEMU sees it.
 */
#ifndef HV_DISK_VOLUME_H
#define HV_DISK_VOLUME_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct error;

enum disk_format { DISK_FORMAT_QCOW2, DISK_FORMAT_RAW, DISK_FORMAT_COUNT };

struct disk_info {
	enum disk_format format;
	uint64_t virtual_bytes;
	uint64_t allocated_bytes; /* st_blocks * 512 */
	bool in_use; /* another process holds a lock of QEMU's on it: it is not to be written to */
	bool written; /* and writes to it, or lets nobody read: it is not to be read, either */
	uint32_t n_snapshots; /* within it */
	bool has_backing; /* its header names the image that was expected below it */
};

struct disk_record;
struct qcow2_info;

/*
 * Looks at an open image. want is what the configuration says, and is never
 * guessed: a raw image stays raw whatever it begins with. A qcow2 header is
 * checked as in disk/qcow2.h, and may name the backing file that is recorded
 * (disk/record.h; NULL: none) and no other. With all that lies below it an image
 * is opened by disk/chain.h.
 */
int disk_examine(int fd, enum disk_format want, const struct disk_record *below,
		 struct disk_info *ret_info, struct error *err);

/* Up to len bytes at offset, without moving the file's position; what there is of them. */
int disk_read_at(int fd, uint64_t offset, uint8_t *buf, size_t len, size_t *ret_len,
		 struct error *err);

/* The header of a qcow2 image in a file of file_bytes, as qcow2_parse() (disk/qcow2.h) has it. */
int disk_read_header(int fd, uint64_t file_bytes, struct qcow2_info *ret_info, struct error *err);

/*
 * Creates path sparse with the given virtual size, mode 0600; never overwrites
 * (-EEXIST). Made under a temporary name in the same folder and linked into
 * place when complete; a crash or a full disk leaves nothing at path. Needs
 * qemu-img for qcow2.
 */
int disk_create(const char *path, enum disk_format format, uint64_t bytes, struct error *err);

/* Makes an empty image of an empty file that is open for writing: for one that is filled before it
 * gets its name. */
int disk_format_file(const char *path, int fd, enum disk_format format, uint64_t bytes,
		     struct error *err);

/* Grows an image that no process uses to bytes; -EINVAL where that would
 * shrink it. */
int disk_grow(const char *path, enum disk_format format, uint64_t bytes, struct error *err);

/* Opens for QEMU: O_RDWR, or O_RDONLY with read_only; a regular file or a block
 * device; close-on-exec. */
int disk_open(const char *path, bool read_only, int *ret_fd, struct error *err);

#endif
