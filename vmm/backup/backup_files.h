/* SPDX-License-Identifier: MIT */
/* The folder of a backup: its lock, the files in it, and their checksums. */
#ifndef HV_VMM_BACKUP_FILES_H
#define HV_VMM_BACKUP_FILES_H

#include "vmm/backup/backup_manifest.h"

struct error;

struct backup_folder {
	int dirfd; /* locked; -1: not open */
	char *path; /* absolute */
	bool made; /* by us */
	struct backup_manifest manifest; /* n 0 and vm NULL: there is none yet */
};

#define BACKUP_FOLDER_INIT  \
	{                   \
		.dirfd = -1 \
	}

/* Opens a folder that has to be a backup already. */
int backup_folder_open(const char *path, struct backup_folder *ret_folder, struct error *err);

/* The same for one to write to: makes it (0700) where it is missing; -ENOTEMPTY where it holds
 * something else. What a backup left that was killed is removed. */
int backup_folder_make(const char *path, struct backup_folder *ret_folder, struct error *err);

/* Lets go of it, and removes it where it was made here and holds nothing. Accepts
 * BACKUP_FOLDER_INIT. */
void backup_folder_close(struct backup_folder *f);

/* Removes the files of a backup that are in no generation. */
void backup_folder_sweep(struct backup_folder *f);

/* Makes an empty qcow2, on an image of the same folder or on none (""). The image's header may
 * later be written by a QEMU that a guest has taken over: see backup_check_image(). */
int backup_make_image(const struct backup_folder *f, const char *name, uint64_t virtual_bytes,
		      const char *backing, int *ret_fd, struct error *err);

/* That the header of an image is sound, and names what it was made on and nothing else. */
int backup_check_image(const struct backup_folder *f, const char *name, const char *backing,
		       struct error *err);

/* Called with how far it is; may be NULL. */
typedef void (*backup_show_fn)(uint64_t done_bytes, uint64_t total_bytes, void *arg);

/* What the file has now; 0 where it is not there. */
uint64_t backup_file_bytes(const struct backup_folder *f, const char *name);

/* Makes the file durable, and size and checksum of it known. -ECANCELED: interrupted. done_bytes
 * counts on. */
int backup_sum_file(const struct backup_folder *f, const char *name, struct backup_file *ret_file,
		    uint64_t *done_bytes, uint64_t total_bytes, backup_show_fn show, void *arg,
		    struct error *err);

#endif
