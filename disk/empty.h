/* SPDX-License-Identifier: MIT */
/* Empty qcow2 images, written by hand: what is to hold a machine's memory, and what a fork writes
 * to, is made so often, and while somebody waits, that a process for each would show. */
#ifndef HV_DISK_EMPTY_H
#define HV_DISK_EMPTY_H

#include <stdbool.h>
#include <stdint.h>

struct error;

/* Of a table of its clusters: what QEMU is to read and write at once. */
enum { DISK_EMPTY_TABLE_BYTES = 128 * 1024 };

/* Makes an image of no size out of an empty file. Nothing is synced. */
int disk_write_empty(int fd, struct error *err);

/* The same of an image of bytes (rounded up to whole sectors) on another one, which its header
 * calls backing; format: of that one, as qcow2 calls it. */
int disk_write_overlay(int fd, uint64_t bytes, const char *backing, const char *format,
		       struct error *err);

/* Whether a qcow2 image that was examined (disk_examine()) holds nothing of its own: it is as
 * disk_write_overlay() made it. */
int disk_is_untouched(int fd, bool *ret_yes, struct error *err);

#endif
