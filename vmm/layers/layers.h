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
 *           journal that takes both away. Then the journal says: where QEMU writes to the overlays
 *           they get the disks' names; else both go. Where it is gone, and cannot be asked any
 *           more, either would be right for an overlay that nobody wrote to, and it goes, for
 *           whoever wanted it has got nothing. Then QEMU changes over, all disks in one
 *           transaction.
 *   commit  While QEMU copies, the overlay stays what counts. Then the guest stands for a moment,
 * and overlay and base hold the same; only now QEMU changes over, and the base gets the disk's
 *           name, by a journal. Then the guest goes on. A child of the verb sees to that, where the
 *           verb is killed.
 *   rebase  QEMU copies what lies below into the active layer, and takes the base out of its header
 *           when all is there. Then the guest stands for a moment, so that QEMU writes out what it
 *           has in its caches; only now the record of it follows.
 */
#ifndef HV_VMM_LAYERS_H
#define HV_VMM_LAYERS_H

#include "base/paths.h"
#include "base/str.h"
#include "lab/spec.h"
#include "vmm/layers/jobs.h"

#include <stdbool.h>

struct error;
struct host;

enum { LAYERS_TAG_SIZE = 64 };

struct layers_request {
	const struct paths *paths;
	const struct host *host;
	const struct lab *lab;
	const struct spec_vm *vm;
	const char *tag; /* NULL, for commit: the image that is next below */
	bool shared; /* for save: the images go with the last that lies on them (layers_drop()) */
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

/*
 * The same in two halves, for who changes QEMU over himself, at a moment of his own: one that runs,
 * or is paused. Files and a journal are made in the first, and QEMU knows the overlays; the second
 * gives the names, or takes away all that was made, as QEMU has it: outcome (0 or -errno) is
 * what became of the change, and is returned where it failed. It always ends the saving.
 */
struct layers_saving;
int layers_save_begin(const struct layers_request *request, struct layers_saving **ret_saving,
		      struct error *err);
/* The arguments of QMP's `transaction`. NULL: out of memory. The caller's reference. */
json_t *layers_save_actions(const struct layers_saving *saving);
/* What disk i lies on from then on; NULL: it stays as it is. Borrowed. */
const char *layers_save_base(const struct layers_saving *saving, size_t i);
int layers_save_end(struct layers_saving *saving, int outcome, struct error *err);

/* A tag like word of which no disk of the machine has an image. */
int layers_free_tag(const struct spec_vm *vm, const char *word,
		    char ret_tag[static LAYERS_TAG_SIZE], struct error *err);

/*
 * Removes the image at path, where it was made to go with the last that lies on it and nothing
 * does any more; and then those below it in the same way. What is in use stays: that is
 * success, and ret_users (may be NULL) has who uses it, as volume_clones_find() names them. With a
 * configuration without machines nothing goes: it may be one that could not be read.
 */
int layers_drop(const struct paths *paths, const struct lab *lab, const char *path,
		struct strv *ret_users, struct error *err);

/* Folds each disk's layers down to the tag into one, which is its active layer then; disks without
 * that tag stay. -EBUSY names who lies on one of them; -ENOENT: no disk has it. */
int layers_commit(const struct layers_request *request, struct error *err);

/* Makes each active layer one that stands alone. The images below stay as they are, or go by
 * layers_drop(). */
int layers_rebase(const struct layers_request *request, struct error *err);

/* Before a guest goes on that a verb may have left standing: where that and its guard were killed
 * in the middle, names follow QEMU now, so that nothing is written to an image that has another's
 * name. Nothing, and next to no time, where nothing was left, and where it is stopped; -EBUSY where
 * the verb is at it. */
int layers_settle(const struct paths *paths, const struct spec_vm *vm, struct error *err);

/* Those layers as people see them: an array, from the lowest upwards, of an object for each tag,
 * {"tag", "parent": the tag below or null, "current": whether its disk lies on it now, "disks":
 * [{"name", "path"}]}. By what was recorded alone; no image is opened. NULL: no memory. */
json_t *layers_describe(const struct spec_vm *vm);

/* The images below a machine's disks that were made of them by layers_save(), and that no other
 * machine or image needs: they have no use without it. Of its writable disks. */
int layers_find_own(const struct paths *paths, const struct lab *lab, const struct spec_vm *vm,
		    struct strv *ret_paths, struct error *err);

/* Tags of the machine's layers on top that were made for a fork or a state which is gone, so that
 * layers_commit() may fold them in: nobody else lies on them. One for each disk, once each; of
 * several that lie on each other the lowest. By what was recorded alone. */
int layers_find_unused(const struct paths *paths, const struct lab *lab, const struct spec_vm *vm,
		       struct strv *ret_tags, struct error *err);

/* A pure part, for tests: "/f/dc01.qcow2" with tag "x" is "/f/dc01@x.qcow2". NULL: no memory. */
char *layers_name(const char *path, const char *tag);

/* "/f/.dc01.qcow2.overlay": the name of a new layer until it gets the disk's. NULL: no memory. */
char *layers_overlay_name(const char *path);

#endif
