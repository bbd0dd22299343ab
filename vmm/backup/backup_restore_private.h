/* SPDX-License-Identifier: MIT */
/* A backup's way back: backup_restore.c (from the beginning to the end), and
 * backup_restore_files.c (the new files beside the old ones). */
#ifndef HV_VMM_BACKUP_RESTORE_PRIVATE_H
#define HV_VMM_BACKUP_RESTORE_PRIVATE_H

#include "base/str.h"
#include "vmm/backup/backup_files.h"
#include "vmm/backup/backup_restore.h"
#include "vmm/layers/storage.h"
#include "vmm/rundir.h"

struct jobs;

/* One that is on its way. */
struct restore {
	const struct restore_request *request;
	struct backup_folder folder;
	const struct backup_generation *from;
	const struct spec_vm *vm;
	struct rundir rundir;
	struct storage storage;
	struct jobs *jobs;
	int state_dirfd;
	struct strv new_files; /* that have no name of their own yet */
	json_t *steps; /* which give it to them (vmm/layers/disk_journal.h) */
	uint64_t checked_bytes;
};

/* Each writes its part to new files, makes them durable, and adds the steps. */
int restore_write_disks(struct restore *r, struct error *err);
int restore_write_nvram(struct restore *r, struct error *err);
int restore_write_tpm(struct restore *r, struct error *err);
/* The hardware that its guest has seen. Another machine gets its own MACs. */
int restore_write_pins(struct restore *r, struct error *err);

#endif
