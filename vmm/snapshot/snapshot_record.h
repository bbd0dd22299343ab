/* SPDX-License-Identifier: MIT */
/*
 * What is written down about a snapshot of a machine, STATE/vm/NAME/snapshots/TAG.json. It is
 * written before anything is touched and says what it is going to be, and once more when all of
 * it is there: what a crash left is told from what is whole by nothing else. Encoding and
 * decoding are pure.
 */
#ifndef HV_VMM_SNAPSHOT_RECORD_H
#define HV_VMM_SNAPSHOT_RECORD_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct error;

enum { SNAPSHOT_TAG_MAX = 63, SNAPSHOT_NOTE_MAX = 1000, SNAPSHOT_DISKS_MAX = 256 };

enum snapshot_stage {
	SNAPSHOT_PENDING, /* on its way, or given up on it */
	SNAPSHOT_COMPLETE,
	SNAPSHOT_LEAVING, /* being removed */
	SNAPSHOT_STAGE_COUNT
};

enum snapshot_guest {
	SNAPSHOT_GUEST_RUNNING,
	SNAPSHOT_GUEST_PAUSED,
	SNAPSHOT_GUEST_STOPPED, /* there is no memory */
	SNAPSHOT_GUEST_COUNT
};

/* A writable disk, or the NVRAM. */
struct snapshot_disk {
	char *node; /* in QEMU: "disk0", "vars" */
	char *name; /* as the configuration has it */
	char *path; /* NULL: plugged in while it ran, hv does not know from where */
	uint64_t bytes; /* virtual size */
};

struct snapshot_record {
	char *tag;
	char *parent, *note; /* NULL: none */
	enum snapshot_stage stage;
	enum snapshot_guest guest;
	uint64_t date; /* seconds since the epoch, and what is over in nanoseconds */
	uint32_t date_ns;
	uint64_t memory_bytes; /* of the machine's state; 0: stopped, or pending */
	bool tpm; /* of a stopped machine: its TPM's state was copied */
	struct snapshot_disk *disks;
	size_t n_disks;
	json_t *shape; /* vmm/shape.h; NULL: of a stopped machine */
};

/* The words in the file, and for people. */
const char *snapshot_stage_name(enum snapshot_stage stage);
const char *snapshot_guest_name(enum snapshot_guest guest);

/*
 * A name for a snapshot: as other names (base/str.h), and not of digits alone, which QEMU takes
 * for the number of a snapshot in an image. -EINVAL says what it may be.
 */
int snapshot_tag_check(const char *tag, struct error *err);

void snapshot_record_free(struct snapshot_record *r); /* accepts a zeroed one; zeroes it */

/* Adds a disk; the texts are copied. */
int snapshot_record_add(struct snapshot_record *r, const char *node, const char *name,
			const char *path, uint64_t bytes, struct error *err);

/* As the file has it, and `hv snap ls --json`. NULL when out of memory. */
json_t *snapshot_record_encode(const struct snapshot_record *r);

/* -EINVAL for what is not such a thing, or not that of tag. */
int snapshot_record_decode(const char *text, const char *tag, struct snapshot_record *ret_record,
			   struct error *err);

#endif
