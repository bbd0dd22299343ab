/* SPDX-License-Identifier: MIT */
/*
 * The images of a machine, by a QEMU that has them open: the machine's own where it runs, one
 * without a machine (vmm/layers/storage.h) where it is stopped. Who has them open here is alone:
 * another verb that works on them, and a start of one that is stopped, are refused meanwhile.
 */
#ifndef HV_VMM_MACHINE_IMAGES_H
#define HV_VMM_MACHINE_IMAGES_H

#include "base/paths.h"
#include "lab/spec.h"
#include "vmm/layers/storage.h"
#include "vmm/rundir.h"

#include <jansson.h>

struct disk_chain;
struct error;
struct host;
struct jobs;

enum { IMAGES_NODE_SIZE = 64 };

/* A node of QEMU's. */
struct image {
	char node[IMAGES_NODE_SIZE]; /* its active layer; "": there is none */
	json_t *info; /* of query-named-block-nodes; borrowed from images.nodes */
	uint64_t virtual_bytes;
};

struct machine_images {
	const struct paths *paths; /* borrowed, as is vm */
	const struct spec_vm *vm;
	struct jobs *jobs;
	bool running; /* the machine, or paused: it has a guest */
	struct image *disks; /* as many as the spec has */
	struct image nvram;
	json_t *nodes;

	/* What holds others off. */
	int run_dirfd;
	struct rundir rundir;
	struct storage storage;
	struct disk_chain *chains; /* where it is stopped */
};

#define MACHINE_IMAGES_INIT                                                      \
	{                                                                        \
		.run_dirfd = -1, .rundir = RUNDIR_INIT, .storage = STORAGE_INIT, \
	}

/*
 * Jobs, nodes and descriptors whose names begin with prefix, which a verb left that was killed, are
 * removed. -EBUSY where another verb is at work on them, or an image is in use elsewhere;
 * -ESRCH where its supervisor was killed. The caller holds interrupts (base/interrupt.h).
 */
int machine_images_open(const struct paths *paths, const struct host *host,
			const struct spec_vm *vm, const char *prefix,
			struct machine_images *ret_images, struct error *err);
/* Of a machine that runs, the lock alone: *ret_fd holds off whoever would open them, until it is
 * closed. -EBUSY where somebody has them open. */
int machine_images_lock(const struct paths *paths, const char *vm, int *ret_fd, struct error *err);

void machine_images_close(struct machine_images *im); /* accepts MACHINE_IMAGES_INIT */

/* The same, but a machine that is stopped is left to itself: then nothing is open, and
 * images.running is false. */
int machine_images_open_running(const struct paths *paths, const struct spec_vm *vm,
				const char *prefix, struct machine_images *ret_images,
				struct error *err);

/* A change of names that was cut off (vmm/layers/disk_journal.h) is finished or undone, as QEMU has
 * it. For who holds disk_journal_lock(), and for a machine that runs. */
int machine_images_settle(struct machine_images *im, struct error *err);

/* Looks again what nodes there are. */
int machine_images_look(struct machine_images *im, struct error *err);

/* The node of that name, borrowed; NULL: there is none. */
json_t *machine_images_find_node(const struct machine_images *im, const char *node);

static inline void cleanup_machine_images_fn(struct machine_images *im)
{
	machine_images_close(im);
}
#define cleanup_machine_images __attribute__((cleanup(cleanup_machine_images_fn)))

#endif
