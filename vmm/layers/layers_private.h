/* SPDX-License-Identifier: MIT */
/* What the parts of vmm/layers/layers.h share. */
#ifndef HV_VMM_LAYERS_PRIVATE_H
#define HV_VMM_LAYERS_PRIVATE_H

#include "disk/chain.h"
#include "vmm/layers/layers.h"
#include "vmm/layers/machine_images.h"

/* Of jobs. Nodes and descriptors of layers outlive the verb, and are known by their names:
 * disk0.1 is the first overlay that disk0 got since the start, disk0-1 what lay below it then. */
#define LAYERS_PREFIX "hv-layers-"
#define LAYERS_MARK "hv layer"

/* The nodes of disk i, the active one first, as its chain on the disk has them: -EPROTO where the
 * two do not agree. */
int layers_find_nodes(const struct machine_images *im, size_t i, const struct disk_chain *chain,
		      char (*ret_nodes)[IMAGES_NODE_SIZE], struct error *err);

/* Whether layer is "/f/dc01@x.qcow2" where path is "/f/dc01.qcow2"; and of such a one the "x",
 * which the caller frees, NULL: no memory. */
bool layers_is_own(const char *layer, const char *path);
char *layers_tag(const char *layer, const char *path);

/* Those below a disk's image, as they were recorded: the next one below first. */
void layers_follow(const char *disk, struct strv *layers);

/* Whether anybody but the machine itself needs an image below its disks. */
int layers_is_needed(const struct paths *paths, const struct lab *lab, const struct spec_vm *vm,
		     const char *layer, bool *ret_needed, struct error *err);

/*
 * What is inside a layer goes with it: -ENOTEMPTY names the internal snapshots that would be lost
 * where all above base are folded into it, or where a disk is to stand alone, whose own snapshots
 * need what lies below.
 */
int layers_check_commit(const char *vm, const struct disk_chain *chain, size_t base,
			struct error *err);
int layers_check_rebase(const char *vm, const struct disk_chain *chain, struct error *err);

/* The node for the next overlay of a disk. */
void layers_next_node(const struct image *active, size_t i, char ret[static IMAGES_NODE_SIZE]);

/* Removes a node with its file, its descriptors too; one that is in use stays. */
void layers_remove_node(struct machine_images *im, const char *node);

/* Until nobody is at work on the machine's images: a process that dies lets go of one thing after
 * the other. */
int layers_wait_for_turn(const struct paths *paths, const char *vm);

/* The same for each node of disk i that nothing uses. */
void layers_sweep_nodes(struct machine_images *im, size_t i);

#endif
