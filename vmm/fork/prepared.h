/* SPDX-License-Identifier: MIT */
/*
 * Prepared states: a machine as it was at one moment, kept for machines that begin there. Each
 * is a folder STATE/states/NAME:
 *
 *   memory      the guest's memory; every fork maps it copy-on-write, nobody writes to it
 *   device      QEMU's own stream of all the rest: devices, processors, TPM, flash
 *   state.json  of what machine it is; the state is there when this file is, and not before
 *
 * Disks that the machine could write to were layered at that moment (vmm/layers/layers.h): what lay
 * on top until then is written to by nobody any more, state.json names it, and each machine that
 * begins with the state has an overlay of its own on it.
 *
 * One whose name begins with a dot is being made, or belongs to a fork under way.
 */
#ifndef HV_VMM_PREPARED_H
#define HV_VMM_PREPARED_H

#include "base/mac.h"
#include "base/paths.h"
#include "lab/spec.h"
#include "vmm/hardware.h"

#include <jansson.h>
#include <stdbool.h>

struct error;
struct shape_facts;
struct vm_pins;

#define PREPARED_MEMORY "memory"
#define PREPARED_DEVICE "device"
#define PREPARED_STATE "state.json"

/* Room in a socket for the state of devices, so that who writes it does not wait for who reads it.
 */
enum { PREPARED_ROOM_BYTES = 4 * 1024 * 1024 };

#define PREPARED_LOCK "lock" /* held while it is being made, or used by a fork under way */

/* One that was opened. */
struct prepared {
	char *name;
	json_t *state; /* state.json */
	int memory_fd, device_fd; /* both to be read only; -1: none */
};

#define PREPARED_INIT                            \
	{                                        \
		.memory_fd = -1, .device_fd = -1 \
	}

/* STATE/states; with make it is made. -ENOENT where it is not there. */
int prepared_open_store(const struct paths *paths, bool make, int *ret_dirfd, struct error *err);
/* Between these a new folder gets its lock, and nobody takes it for one that was left. */
void prepared_hold_store(int store);
void prepared_release_store(int store);

/* Whether there is one of that name. */
bool prepared_exists(const struct paths *paths, const char *name);

/* What tells a state from another one of its name, as long as somebody has its memory open; 0:
 * there is none. */
uint64_t prepared_inode(const struct paths *paths, const char *name);

/* -ENOENT names those that there are. */
int prepared_open(const struct paths *paths, const char *name, struct prepared *ret_prepared,
		  struct error *err);
/* The same look alone. */
int prepared_check_there(const struct paths *paths, const char *name, struct error *err);
void prepared_close(struct prepared *p); /* accepts PREPARED_INIT */

/* The states by name, each as its state.json with "name" and "bytes" (of memory and device on the
 * disk). What was left half made is removed on the way. A new reference. */
int prepared_list(const struct paths *paths, json_t **ret_list, struct error *err);

/* What hangs in the air: states that a crash left half made, which go with remove, and those that
 * somebody makes just now, or forks from. 0 or -errno. */
struct prepared_unfinished {
	size_t n_left, n_under_way;
};
int prepared_sweep(const struct paths *paths, bool remove, struct prepared_unfinished *ret_found,
		   struct error *err);

/* -ENOENT as with prepared_open(). Machines that run from it go on. */
int prepared_remove(const struct paths *paths, const char *name, struct error *err);

/*
 * The state that a machine is to begin with: what was asked for by hv fork, or its
 * template-state:, where it has not begun a life of its own. NULL: none, it boots. Borrowed.
 */
const char *prepared_choose(const struct spec_vm *vm, const struct vm_pins *pins);
/* What hv fork asked for is not to be any more. */
void prepared_forget(const struct paths *paths, const char *vm);

/* Whether the machine keeps something from one life to the next: what a fork would belie. */
bool prepared_is_lasting(const struct spec_vm *vm);

/* Places of devices, machine type and CPU model as the state has them, for a machine that has
 * none of its own yet. */
int prepared_pin(const struct prepared *p, const struct spec_vm *vm, struct vm_pins *pins,
		 struct error *err);

/* The MACs of the NICs of the machine that it is of, as many as vm has; the caller frees them. */
int prepared_macs(const struct prepared *p, const struct spec_vm *vm,
		  uint8_t (**ret_macs)[MAC_BYTES], struct error *err);

/* -EINVAL where the state is of a machine of another shape, names and addresses left aside; says
 * in what. */
int prepared_check(const struct prepared *p, const struct shape_facts *facts, struct error *err);

/* The contents of state.json. layers (borrowed; NULL: none at all): for each
 * disk the path of its layer, or null. */
json_t *prepared_describe(const struct shape_facts *facts, const char *qemu_version,
			  const char *note, json_t *layers);

/* Where disk i of a machine begins that begins with the state: the path of a qcow2 image, borrowed.
 * NULL: the disk is read only, and the machine's own affair. */
const char *prepared_layer(const struct prepared *p, size_t i);

/* Whether the machine's disks can begin with the state's: each that has a layer is missing (and to
 * be made as an overlay on it), or was made so and not written to. -EEXIST where an image is in the
 * way, -ENOTSUP where it is to be raw. */
int prepared_check_disks(const struct prepared *p, const struct spec_vm *vm, struct error *err);

/* Whether the machine's next start is one with a state, which brings its disks along. */
bool prepared_brings_disks(const struct paths *paths, const struct spec_vm *vm);

/* The layers of all states, an object by the states' names; of forks that are under way, too: their
 * names begin with a dot. A new reference. */
int prepared_all_layers(const struct paths *paths, json_t **ret_layers, struct error *err);

#endif
