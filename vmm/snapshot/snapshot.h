/* SPDX-License-Identifier: MIT */
/*
 * Snapshots of a whole machine: writable disks, NVRAM, memory and TPM as one. Of a machine that
 * runs or is paused, QEMU makes them; of one that is stopped, qemu-img, and the TPM's state is
 * copied. Each either is there as a whole or, for all who look, not at all.
 */
#ifndef HV_VMM_SNAPSHOT_H
#define HV_VMM_SNAPSHOT_H

#include "base/paths.h"
#include "lab/spec.h"

#include <stdbool.h>
#include <stdint.h>

struct error;

/* What the caller does for it; every function may be NULL. */
struct snapshot_hooks {
	/* Some times a second: what was written or read of the memory, and how much it is
	 * expected to be. */
	void (*progress)(uint64_t done, uint64_t total, void *arg);
	/* Starts the machine, whose guest then waits, and may let interrupts end that; ends it at
	 * once. 0 or -errno. */
	int (*start)(void *arg, struct error *err);
	int (*kill)(void *arg, struct error *err);
	void *arg;
};

struct snapshot_request {
	const struct paths *paths;
	const struct spec_vm *vm;
	const char *tag;
	/* save: */
	const char *note; /* NULL: none */
	bool live; /* the guest runs while its memory is written, and is as it was at the end */
	/* load: */
	bool paused, running; /* whatever it was; both false: as it was */
	bool force; /* a running machine is ended for one without memory */
	struct snapshot_hooks hooks;
};

/* What became of it. */
struct snapshot_outcome {
	uint64_t memory_bytes;
	uint64_t stood_usec; /* save: the guest, which ran before and after */
	bool runs; /* load: the guest goes on */
	bool stopped; /* there was no machine, and is none */
};

/*
 * All of these: the caller holds interrupts (base/interrupt.h).
 *
 * -EEXIST for a tag that is there. On failure, an interrupt (-EINTR) among them, nothing of it
 * is left and the machine goes on as before.
 */
int snapshot_save(const struct snapshot_request *rq, struct snapshot_outcome *ret_outcome,
		  struct error *err);

/*
 * -ENOENT for a tag that is not there. What can be known to fail fails before anything is touched.
 * A guest that was half brought back is ended and does not start again until a load went well;
 * the error says so. -EINTR where an interrupt came before that; from then on it is brought to its
 * end.
 */
int snapshot_load(const struct snapshot_request *rq, struct snapshot_outcome *ret_outcome,
		  struct error *err);

int snapshot_remove(const struct snapshot_request *rq, struct error *err);

/* What is not as it should be with a machine's images: */
enum snapshot_fault {
	SNAPSHOT_FAULT_PARTIAL, /* a crash left it; repair removes it */
	SNAPSHOT_FAULT_DAMAGED, /* it was complete, and a part is missing */
	SNAPSHOT_FAULT_FOREIGN, /* somebody else made it in an image; it is left alone */
	SNAPSHOT_FAULT_IMAGE, /* the image itself */
	SNAPSHOT_FAULT_LOADING, /* a load was broken off */
	SNAPSHOT_FAULT_COUNT
};

typedef void (*snapshot_fault_fn)(enum snapshot_fault fault, const char *text, bool repaired,
				  void *arg);

/* Tells each fault. With repair, what can be cleared away without losing anything is. */
int snapshot_check(const struct paths *paths, const struct spec_vm *vm, bool repair,
		   snapshot_fault_fn tell, void *arg, struct error *err);

#endif
