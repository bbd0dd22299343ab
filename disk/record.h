/* SPDX-License-Identifier: MIT */
/*
 * Which image lies below an image: hvup's own word for it. A header may say so, too, but a
 * header is the guest's to write once it has taken over QEMU; what it names is followed only
 * where it is what stands here.
 *
 * The record of FOLDER/FILE is FOLDER/.hv/FILE.json, beside the image and moved along with the
 * folder: {"backing": …, "backing_format": "qcow2" or "raw", "shared": true}, of which the first
 * two, or the last, may be missing. Folder and record are the
 * superuser's alone; one that others may write counts as hostile.
 */
#ifndef HV_DISK_RECORD_H
#define HV_DISK_RECORD_H

#include "disk/volume.h"

struct disk_record {
	/* "FILE": in the image's own folder; else an absolute path. NULL: none. */
	char *backing;
	enum disk_format backing_format;
	/* It was made to lie below others, as the disk of a machine that was forked: it goes with
	 * the last of them. */
	bool shared;
};

/* The folder's name, for whoever lists a pool. */
#define DISK_RECORD_FOLDER ".hv"

/* path: of the image, absolute. Where there is no record *ret_record is zeroed; that is success. */
int disk_record_read(const char *path, struct disk_record *ret_record, struct error *err);

/* Replaces the record, for good when it returns. */
int disk_record_write(const char *path, const struct disk_record *record, struct error *err);

/* One that is missing is success. The folder goes with its last record. */
int disk_record_remove(const char *path, struct error *err);

void disk_record_free(struct disk_record *record);

/* The path of the image below: of the record of the image at path. NULL: out of memory. The
 * caller frees it. */
char *disk_record_resolve(const char *path, const char *backing);

static inline void cleanup_disk_record_fn(struct disk_record *record)
{
	disk_record_free(record);
}
#define cleanup_disk_record __attribute__((cleanup(cleanup_disk_record_fn)))

#endif
