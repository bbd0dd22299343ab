/* SPDX-License-Identifier: MIT */
/*
 * A backup's way back. All files of the generation, and those that it stands on, are held against
 * their checksums; then the disks are written to new files beside the old ones, by a QEMU in a
 * jail, and NVRAM and TPM state beside those; and when all of it lies on the disk, it gets its
 * names in one step that a crash does not divide (vmm/layers/disk_journal.h).
 */
#ifndef HV_VMM_BACKUP_RESTORE_H
#define HV_VMM_BACKUP_RESTORE_H

#include "base/paths.h"
#include "lab/spec.h"

#include <stdbool.h>
#include <stdint.h>

struct error;
struct host;

enum restore_phase { RESTORE_SUM, RESTORE_WRITE, RESTORE_PHASE_COUNT };

struct restore_request {
	const struct paths *paths;
	const struct host *host;
	const struct lab *lab;
	const char *folder;
	const char *name; /* of the machine; NULL: the one that was copied */
	int64_t generation; /* -1: the last */
	bool verify; /* only checks, and all generations */
	bool drop_snapshots; /* those of the machine, which go with its disks */
	void (*show)(enum restore_phase phase, uint64_t done_bytes, uint64_t total_bytes,
		     void *arg);
	void *arg;
};

struct restore_report {
	char vm[64];
	unsigned generation; /* with verify: how many there are */
	char time[24];
	uint64_t bytes; /* that were checked */
};

/* The caller holds interrupts (base/interrupt.h). On failure the machine's files are as they
 * were. -EBADMSG: what is in the folder is damaged; -EEXIST: the machine has snapshots, which are
 * named. */
int backup_restore(const struct restore_request *request, struct restore_report *ret_report,
		   struct error *err);

#endif
