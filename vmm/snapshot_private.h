/* SPDX-License-Identifier: MIT */
/* Work at a machine's snapshots, shared by snapshot.c (save and remove), snapshot_load.c,
 * snapshot_disks.c (what there is to hold one), snapshot_live.c (by QEMU's jobs), snapshot_still.c
 * (without QEMU), snapshot_check.c (what a crash left). */
#ifndef HV_VMM_SNAPSHOT_PRIVATE_H
#define HV_VMM_SNAPSHOT_PRIVATE_H

#include "vmm/errand.h"
#include "vmm/snapshot.h"
#include "vmm/snapshot_store.h"

#include <sys/types.h>

/* As vmm/qemu_args.c calls it. */
#define SNAPSHOT_NVRAM_NODE "vars"

struct snapshot_work {
	const struct snapshot_request *rq;
	struct snapshot_store store; /* locked */
	json_t *status; /* of the machine, before anything was done */
	bool live; /* there is a QEMU */
	struct errand *errand; /* to it; NULL: there is none */
	bool was_running;
	pid_t qemu;
	/* Of the job: what QEMU had read or written before it, and what is to come. */
	uint64_t io_before, io_total;
	bool writes;
};

/* snapshot.c */
/* Whether QEMU is there to be asked; -EBUSY where it comes or goes. */
int snapshot_look(struct snapshot_work *w, struct error *err);
/* Takes the lock and looks whether there is a QEMU. */
int snapshot_begin(struct snapshot_work *w, const struct snapshot_request *rq, struct error *err);
void snapshot_end(struct snapshot_work *w);
/* -EINTR where somebody wants it to end: the caller undoes. */
int snapshot_check_interrupt(const struct snapshot_work *w, struct error *err);
/* Takes the tag out of every image that has it, and forgets its record. */
int snapshot_clear(struct snapshot_work *w, const char *tag, struct error *err);
/* Clears away what earlier ones left that were killed. */
int snapshot_clear_partial(struct snapshot_work *w, struct error *err);

/* snapshot_disks.c */
/* Adds each writable disk, and the NVRAM, to the record. -EINVAL names one that cannot hold a
 * snapshot, and says what to do. */
int snapshot_disks_find(struct snapshot_work *w, struct snapshot_record *r, struct error *err);
/* Whether the disks are those of the snapshot: -EINVAL names the first that is not. */
int snapshot_disks_compare(const struct snapshot_record *r, const struct snapshot_record *now,
			   struct error *err);
/* How many of the images have a snapshot of that name; *ret_lacks (may be NULL) is the first that
 * has not, borrowed. */
int snapshot_disks_count(const struct snapshot_record *r, const char *tag, size_t *ret_n,
			 const struct snapshot_disk **ret_lacks, struct error *err);

/* snapshot_live.c */
int snapshot_live_open(struct snapshot_work *w, struct error *err);
int snapshot_live_save(struct snapshot_work *w, struct snapshot_record *r, struct error *err);
/* Loads into a guest that stands; disks and memory then fit together. */
int snapshot_live_load(struct snapshot_work *w, const struct snapshot_record *r,
		       const struct snapshot_record *now, struct error *err);
int snapshot_live_delete(struct snapshot_work *w, const struct snapshot_record *now,
			 const char *tag, struct error *err);
/* Lets the guest go on, where it ran. */
void snapshot_live_go_on(struct snapshot_work *w);

/* What the guest has ever touched of its memory: the most that can be saved. */
uint64_t snapshot_live_touched(const struct snapshot_work *w);
/* -ENOSPC where the state folder has no room for as much. */
int snapshot_live_check_space(const struct snapshot_work *w, uint64_t bytes, struct error *err);
/* From here on the request's progress is told, as w->writes says. */
void snapshot_live_count(struct snapshot_work *w, uint64_t total);

/* snapshot_still.c */
int snapshot_still_save(struct snapshot_work *w, struct snapshot_record *r, struct error *err);
int snapshot_still_load(struct snapshot_work *w, const struct snapshot_record *r,
			struct error *err);
int snapshot_still_delete(const struct snapshot_record *r, const char *tag, struct error *err);

#endif
