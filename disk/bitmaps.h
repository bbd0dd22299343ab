/* SPDX-License-Identifier: MIT */
/*
 * The dirty bitmaps inside a qcow2 image: what a backup goes by to find what changed since the last
 * one. While an image has any, QEMU brings no snapshot of it back.
 */
#ifndef HV_DISK_BITMAPS_H
#define HV_DISK_BITMAPS_H

#include <stddef.h>
#include <stdint.h>

struct error;
struct strv;

enum {
	DISK_BITMAPS_MAX = 65535, /* QEMU's own bound */
	DISK_BITMAP_DIRECTORY_MAX = 16 * 1024 * 1024,
};

/* The names of count bitmaps in a directory, which is in buf. -EINVAL for what is none. Pure. */
int disk_bitmaps_parse(const uint8_t *buf, size_t len, uint32_t count, struct strv *names,
		       struct error *err);

/* Those of an image, whose header is checked as in disk/qcow2.h; read without trust and without a
 * process. Such as QEMU itself takes no notice of are left out. */
int disk_bitmaps_read_path(const char *path, struct strv *names, struct error *err);

/* Removes one from an image that no process uses, by qemu-img. */
int disk_bitmap_remove(const char *path, const char *name, struct error *err);

#endif
