/* SPDX-License-Identifier: MIT */
/*
 * What a backup's folder holds, as its manifest.json says: generations, each with the images of
 * all disks as they were at one moment, NVRAM, TPM state, and the machine's configuration. The
 * image of a disk is whole, or has what changed since another one in the same folder, which it
 * names as its backing file. Pure but for load and save.
 *
 * A manifest may come from anywhere: names in it are plain names of the patterns below, and
 * what an image lies on is an image of the same disk of an earlier generation.
 */
#ifndef HV_VMM_BACKUP_MANIFEST_H
#define HV_VMM_BACKUP_MANIFEST_H

#include "base/sha256.h"

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct error;

#define BACKUP_MANIFEST "manifest.json"

enum {
	BACKUP_GENERATIONS_MAX = 1024,
	BACKUP_DISKS_MAX = 64,
	BACKUP_LAYERS_MAX = 16, /* images of a disk that lie on each other; then one is whole */
	BACKUP_NAME_SIZE = 48,
};

struct backup_file {
	char name[BACKUP_NAME_SIZE]; /* "": none */
	uint64_t bytes;
	char sha256[SHA256_TEXT_BYTES];
};

struct backup_disk {
	struct backup_file file;
	char backing[BACKUP_NAME_SIZE]; /* "": it is whole */
	char bitmap[BACKUP_NAME_SIZE]; /* of the source, with what changed since; "": none */
	uint64_t virtual_bytes;
	char *name; /* what the configuration calls it */
};

struct backup_generation {
	unsigned number;
	char time[24]; /* "2026-11-21T14:51:48Z" */
	bool running, frozen; /* the machine; its file systems */
	struct backup_disk *disks;
	size_t n_disks;
	struct backup_file nvram, tpm;
	json_t *config; /* the machine's, as its part of a configuration; an object */
	json_t *pins; /* its state.json (vmm/pins.h); an object */
};

struct backup_manifest {
	char *vm;
	char uuid[37];
	struct backup_generation *generations; /* by number, from 0 on */
	size_t n;
};

void backup_manifest_free(struct backup_manifest *m); /* accepts a zeroed one; zeroes it */
void backup_generation_free(struct backup_generation *g);

/* JSON text; the caller frees it. NULL when out of memory. */
char *backup_manifest_encode(const struct backup_manifest *m);
int backup_manifest_decode(const char *text, struct backup_manifest *ret_m, struct error *err);

/* -ENOENT where there is none. */
int backup_manifest_load(int dirfd, struct backup_manifest *ret_m, struct error *err);
int backup_manifest_save(int dirfd, const struct backup_manifest *m, struct error *err);

/* Whether name is one that backups give to their files. */
bool backup_is_file_name(const char *name);

/* Takes the generation over, as the next one. */
int backup_manifest_add(struct backup_manifest *m, struct backup_generation *g, struct error *err);

/* The image of that name of a disk; NULL: there is none. */
const struct backup_disk *backup_find_disk(const struct backup_manifest *m, size_t disk,
					   const char *file);

/* How many images there are from this one down to one that is whole. */
size_t backup_chain_length(const struct backup_manifest *m, size_t disk,
			   const struct backup_disk *top);

static inline void cleanup_backup_manifest_fn(struct backup_manifest *m)
{
	backup_manifest_free(m);
}
#define cleanup_backup_manifest __attribute__((cleanup(cleanup_backup_manifest_fn)))

#endif
