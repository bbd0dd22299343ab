/* SPDX-License-Identifier: MIT */
/*
 * Copies of all disks of a machine as they are at one moment, with NVRAM, TPM state and its
 * configuration, while it runs or while it is stopped.
 *
 * QEMU does the copying (blockdev-backup, all disks in one transaction), into files that are made
 * and opened here. What the guest writes to from then on is marked in a bitmap that lies within
 * the image; the next generation is made by it. Each generation begins a bitmap of its own, and
 * the one before is given up only when the manifest names the new one: whatever is killed in
 * between, the manifest's last generation has a bitmap that tells all that changed since, or one
 * that QEMU calls inconsistent. Then the next one is whole again.
 */
#ifndef HV_VMM_BACKUP_H
#define HV_VMM_BACKUP_H

#include "base/paths.h"
#include "base/str.h"
#include "lab/spec.h"

#include <stdbool.h>
#include <stdint.h>

struct error;
struct host;

enum backup_phase { BACKUP_COPY, BACKUP_SUM, BACKUP_PHASE_COUNT };

/* Of the bitmaps that it leaves in images. */
#define BACKUP_PREFIX "hv-backup-"

struct backup_request {
	const struct paths *paths;
	const struct host *host;
	const struct spec_vm *vm;
	const char *folder; /* may be relative; made where it is missing */
	bool incremental;
	uint64_t limit_bytes; /* a second, of each disk; 0: none */
	/* Freezes the guest's file systems, and lets them go; NULL: is not tried. Where freeze says
	 * true, thaw is called, whatever happens. */
	bool (*freeze)(void *arg);
	void (*thaw)(void *arg);
	/* How far it is; may be NULL. */
	void (*show)(enum backup_phase phase, uint64_t done_bytes, uint64_t total_bytes, void *arg);
	void *arg;
};

struct backup_report {
	unsigned generation;
	bool running, frozen;
	uint64_t bytes; /* of the files that were written */
	struct strv notes; /* why a disk was copied whole, where less was asked for */
};

/* The caller holds interrupts (base/interrupt.h); -ECANCELED where there was one. On failure the
 * folder holds what it held before. */
int backup_make(const struct backup_request *request, struct backup_report *ret_report,
		struct error *err);
void backup_report_free(struct backup_report *report);

#endif
