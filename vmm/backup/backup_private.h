/* SPDX-License-Identifier: MIT */
/* What the parts of vmm/backup/backup.h share that make one. */
#ifndef HV_VMM_BACKUP_PRIVATE_H
#define HV_VMM_BACKUP_PRIVATE_H

#include "vmm/backup/backup.h"
#include "vmm/backup/backup_files.h"
#include "vmm/layers/machine_images.h"

/* Of jobs, nodes and descriptors in QEMU, and of bitmaps in images. */
#define PREFIX BACKUP_PREFIX

/* One backup that is being made. */
struct backup {
	const struct backup_request *request;
	struct backup_folder folder;
	struct machine_images images;
	struct backup_generation next;
	char bitmap[BACKUP_NAME_SIZE]; /* what the next one begins */
	const char *since[BACKUP_DISKS_MAX]; /* bitmap that a disk is copied by; NULL: whole */
	struct backup_report report;
	size_t n_jobs;
};

/* By which bitmap disk i is copied, if by any, and which one the next generation begins in it. What
 * is copied whole, though more was asked for, is noted. */
void backup_bitmaps_choose(struct backup *b, size_t i);

void backup_bitmaps_remove(struct backup *b, size_t i, const char *name);
/* Of other folders, and of backups that were cut off: the newest stay. */
void backup_bitmaps_remove_old(struct backup *b, size_t i);

#endif
