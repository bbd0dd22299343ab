/* SPDX-License-Identifier: MIT */
/* What is in the folder of a backup, held against its manifest: lengths, checksums, and what the
 * headers of images name. */
#ifndef HV_VMM_BACKUP_VERIFY_H
#define HV_VMM_BACKUP_VERIFY_H

#include "vmm/backup/backup_files.h"

struct backup_verify {
	const struct backup_folder *folder;
	backup_show_fn show; /* may be NULL */
	void *arg;
	uint64_t checked_bytes, total_bytes; /* so far, and of all that is to be checked */
};

/* What a disk of a generation lies on; NULL: on nothing. */
const struct backup_disk *backup_disk_below(const struct backup_manifest *m, size_t disk,
					    const struct backup_disk *d);

/* A generation and all that its disks lie on. -EBADMSG: it is damaged; -ECANCELED: interrupted. */
int backup_verify_generation(struct backup_verify *v, const struct backup_generation *g,
			     struct error *err);

/* All generations. */
int backup_verify_all(struct backup_verify *v, struct error *err);

#endif
