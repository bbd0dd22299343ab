/* SPDX-License-Identifier: MIT */
/* Work at a machine's snapshots, shared by snapshot.c (save and remove), snapshot_load.c,
 * snapshot_disks.c (what there is to hold one), snapshot_live.c (by QEMU's jobs),
 * snapshot_stream.c (of a guest that runs), snapshot_still.c (without QEMU), snapshot_check.c (what
 * a crash left). */
#ifndef HV_VMM_SNAPSHOT_PRIVATE_H
#define HV_VMM_SNAPSHOT_PRIVATE_H

#include "vmm/fork/outgoing.h"
#include "vmm/snapshot/errand.h"
#include "vmm/snapshot/snapshot.h"
#include "vmm/snapshot/snapshot_store.h"

#include <sys/types.h>

/* As vmm/qemu_args.c calls it. */
#define SNAPSHOT_NVRAM_NODE "vars"

struct snapshot_work {
	const struct snapshot_request *rq;
	struct snapshot_store store; /* locked */
	json_t *status; /* of the machine, before anything was done */
	bool live; /* there is a QEMU */
	bool looks; /* nothing is to be changed, unless it turns out that it may be */
	bool shares; /* images are only looked at, and others may read them, too */
	struct errand *errand; /* to it; NULL: there is none */
	int images_fd; /* of machine_images_lock(); -1: none */
	bool was_running;
	bool touched; /* by a load: the guest is no more what it was */
	pid_t qemu;
	/* Of the job: what QEMU had read or written before it, and what is to come. */
	uint64_t io_before, io_total;
	bool writes;
	struct read_ahead *ahead; /* of a load's job, while it runs; NULL: none */
	uint64_t stood_usec; /* for so long the guest stood for a save */
};

/* snapshot.c */
/* Whether QEMU is there to be asked; -EBUSY where it comes or goes. */
int snapshot_look(struct snapshot_work *w, struct error *err);
/* Takes the lock and looks whether there is a QEMU. snapshot_end() also where it fails. -EBUSY for
 * a machine that is suspended to disk, but for who only looks. */
int snapshot_open(struct snapshot_work *w, const struct snapshot_request *rq, bool looks,
		  struct error *err);
/* The same for whoever writes: refused where others lie on the images, or it is a template. */
int snapshot_begin(struct snapshot_work *w, const struct snapshot_request *rq, struct error *err);
void snapshot_end(struct snapshot_work *w);
/* Of a machine that is up, keeps other verbs off its images until snapshot_end(). -EBUSY where one
 * is at work on them. */
int snapshot_hold_images(struct snapshot_work *w, struct error *err);
/* -EINTR where somebody wants it to end: the caller undoes. */
int snapshot_check_interrupt(struct error *err);
/* Takes the tag out of every image that has it, and forgets its record. -EBUSY where a layer hides
 * it (vmm/snapshot/snapshot_place.h). */
int snapshot_clear(struct snapshot_work *w, const char *tag, struct error *err);
/* Clears away what earlier ones left that were killed, but for what a layer hides. */
int snapshot_clear_partial(struct snapshot_work *w, struct error *err);

/* snapshot_disks.c */
/* Adds each writable disk, and the NVRAM, to the record, and tells of each that is not to be had:
 * -ENOTSUP for one that cannot hold a snapshot, with what to do, -ENOENT for one that is not there.
 */
typedef void (*snapshot_unfit_fn)(int rc, const struct error *why, void *arg);
void snapshot_disks_look(struct snapshot_work *w, struct snapshot_record *r,
			 snapshot_unfit_fn unfit, void *arg);
/* The same for who needs all of them: fails with the first that was told. -ENOTSUP, too, where
 * there is none. */
int snapshot_disks_find(struct snapshot_work *w, struct snapshot_record *r, struct error *err);
/* Whether the disks are those of the snapshot: -EINVAL names the first that is not. */
int snapshot_disks_compare(const struct snapshot_record *r, const struct snapshot_record *now,
			   struct error *err);
/* The same for a disk of the configuration that the snapshot has not, and that may be yet to be
 * made. */
int snapshot_disks_compare_wanted(const struct snapshot_record *r, const struct spec_vm *vm,
				  struct error *err);
/* How many of the images have a snapshot of that name; *ret_lacks (may be NULL) is the first that
 * has not, borrowed. */
int snapshot_disks_count(const struct snapshot_record *r, const char *tag, size_t *ret_n,
			 const struct snapshot_disk **ret_lacks, struct error *err);

/* snapshot_bitmaps.c: before a load. -EBUSY names a bitmap of somebody else, or a backup that is
 * under way. */
int snapshot_bitmaps_check(struct snapshot_work *w, const struct snapshot_record *now,
			   struct error *err);
/* The same, and removes those of hv backup. */
int snapshot_bitmaps_drop(struct snapshot_work *w, const struct snapshot_record *now,
			  struct error *err);

/* snapshot_live.c */
int snapshot_live_open(struct snapshot_work *w, struct error *err);
int snapshot_live_save(struct snapshot_work *w, struct snapshot_record *r, struct error *err);
/* Loads into a guest that stands; disks and memory then fit together. */
int snapshot_live_load(struct snapshot_work *w, const struct snapshot_record *r,
		       const struct snapshot_record *now, struct error *err);
int snapshot_live_delete(struct snapshot_work *w, const struct snapshot_record *now,
			 const char *tag, struct error *err);
/* Lets the guest run, and QEMU close what it could not while it stood. */
int snapshot_live_cont(struct snapshot_work *w, struct error *err);
/* The same, where it ran. */
void snapshot_live_go_on(struct snapshot_work *w);

/* What the guest has ever touched of its memory: the most that can be saved. */
uint64_t snapshot_live_touched(const struct snapshot_work *w);
/* -ENOSPC where the state folder has no room for as much. */
int snapshot_live_check_space(const struct snapshot_work *w, uint64_t bytes, struct error *err);
/* From here on the request's progress is told, as w->writes says. */
void snapshot_live_count(struct snapshot_work *w, uint64_t total);

/* The file that is to hold the memory. */
int snapshot_live_make_memory(struct snapshot_work *w, const struct snapshot_record *r, int *ret_fd,
			      struct error *err);

/* snapshot_stream.c */
/* Memory and devices to fd, with the request's progress, live as it says, and -EINTR where somebody
 * interrupts. transaction, stay: as in outgoing_request. *o is the caller's to close, also where it
 * fails. */
int snapshot_stream_write(struct snapshot_work *w, struct outgoing *o, int fd, json_t *transaction,
			  bool stay, struct error *err);
int snapshot_stream_save(struct snapshot_work *w, struct snapshot_record *r, struct error *err);

/* snapshot_still.c */
int snapshot_still_save(struct snapshot_work *w, struct snapshot_record *r, struct error *err);
int snapshot_still_load(struct snapshot_work *w, const struct snapshot_record *r,
			struct error *err);
/* Takes the tag out of the images of r, but for those that the other one (may be NULL) has, too. */
int snapshot_still_delete(const struct snapshot_record *r, const struct snapshot_record *but,
			  const char *tag, struct error *err);

#endif
