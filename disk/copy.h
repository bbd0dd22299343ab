/* SPDX-License-Identifier: MIT */
/*
 * Images made of other ones: overlays, which hold what differs from their base, and
 * copies, which stand alone.
 */
#ifndef HV_DISK_COPY_H
#define HV_DISK_COPY_H

#include "disk/volume.h"

#include <signal.h>

struct error;

/* Somebody who looks on while bytes are copied. All may be NULL. */
struct disk_copy_watch {
	void (*progress)(void *arg, uint64_t done, uint64_t total); /* bytes */
	const volatile sig_atomic_t *stop; /* set: ends it with -ECANCELED */
	void *arg;
};

/*
 * Makes path a qcow2 image of bytes (0: as large as base) on base, and records that. A
 * base in the same folder is recorded by its name alone, so the folder can move. -EEXIST
 * where path is there; a failure leaves nothing.
 */
int disk_overlay(const char *path, const char *base, enum disk_format base_format, uint64_t bytes,
		 struct error *err);

/*
 * Makes path a copy of from, of the same format, that needs nothing else: an image on
 * others is put together with them, and one with internal snapshots is copied without
 * them. Shares the blocks where the file system can, else copies what is not a
 * hole. -EBUSY where from is in use; -EEXIST where path is there; a failure leaves nothing.
 */
int disk_copy(const char *from, enum disk_format format, const char *path,
	      const struct disk_copy_watch *watch, struct error *err);

/* The bytes of an open file alone, into an empty one. */
int disk_copy_bytes(int from, int to, const struct disk_copy_watch *watch, struct error *err);

#endif
