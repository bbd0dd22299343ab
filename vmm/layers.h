/* SPDX-License-Identifier: MIT */
/*
 * Layers: the image of a disk becomes FOLDER/NAME@TAG.qcow2, which nobody writes to any more, and
 * an overlay on it takes its name; and back again, while the guest runs or while the machine is
 * stopped. The name that the configuration has is always that of the active layer.
 *
 * QEMU and the names have to agree, and neither can wait for the other. What keeps a crash
 * from tearing them apart, whoever dies:
 *
 *   save    The base gets its second name and the overlay is made under a name of its own, with a
 *           journal that takes both away. Then the journal says: where QEMU writes to the overlays,
 *           or is gone, they get the disks' names; else both go. An overlay that nobody wrote to
 *           changes nothing, so where nobody can be asked any more either would be right. Then QEMU
 *           changes over, all disks in one transaction.
 *   commit  While QEMU copies, the overlay stays what counts. Then the guest stands for a moment,
 * and overlay and base hold the same; only now QEMU changes over, and the base gets the disk's
 *           name, by a journal. Then the guest goes on. A child of the verb sees to that, where the
 *           verb is killed.
 *   rebase  QEMU copies what lies below into the active layer, and takes the base out of its header
 *           when all is there. The record of it follows.
 */
#ifndef HV_VMM_LAYERS_H
#define HV_VMM_LAYERS_H

#include "base/paths.h"
#include "lab/spec.h"
#include "vmm/jobs.h"

struct error;
struct host;

struct layers_request {
	const struct paths *paths;
	const struct host *host;
	const struct lab *lab;
	const struct spec_vm *vm;
	const char *tag; /* NULL, for commit: the image that is next below */
	uint64_t limit_bytes; /* a second, for commit and rebase of each disk; 0: none */
	jobs_show_fn show; /* may be NULL */
	void *arg;
};

/* All three: the caller holds interrupts (base/interrupt.h), and is root. On failure the disks are
 * what they were; but an image that a commit was written to in part is no more what it was when it
 * was saved, which the error says. */

/* -EEXIST where a disk has an image of that tag; -ENOTSUP names a disk that is raw. Disks that are
 * read only stay as they are. */
int layers_save(const struct layers_request *request, struct error *err);

/* Folds each disk's layers down to the tag into one, which is its active layer then; disks without
 * that tag stay. -EBUSY names who lies on one of them; -ENOENT: no disk has it. */
int layers_commit(const struct layers_request *request, struct error *err);

/* Makes each active layer one that stands alone. The images below stay as they are. */
int layers_rebase(const struct layers_request *request, struct error *err);

/* A pure part, for tests: "/f/dc01.qcow2" with tag "x" is "/f/dc01@x.qcow2". NULL: no memory. */
char *layers_name(const char *path, const char *tag);

#endif
