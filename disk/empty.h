/* SPDX-License-Identifier: MIT */
/* An empty qcow2 image, written by hand: what is to hold a machine's memory is made so often
 * that a process for each would show. */
#ifndef HV_DISK_EMPTY_H
#define HV_DISK_EMPTY_H

struct error;

/* Makes an image of no size out of an empty file. Nothing is synced. */
int disk_write_empty(int fd, struct error *err);

#endif
