/* SPDX-License-Identifier: MIT */
/*
 * The images of the pools, as they lie in their folders. Headers are read here, so a
 * look costs no process; what a header says is shown, and not trusted.
 */
#ifndef HV_VMM_VOLUMES_H
#define HV_VMM_VOLUMES_H

#include "base/paths.h"
#include "disk/volume.h"
#include "lab/spec.h"

#include <jansson.h>

struct error;

/* One image that is named "POOL/FILE". */
struct volume {
	const struct spec_pool *pool;
	const char *file; /* in the caller's text */
	char *path; /* absolute */
	enum disk_format format; /* as a machine calls it that has it, else by its header */
};

void volume_free(struct volume *v); /* accepts a zeroed one */

static inline void cleanup_volume_fn(struct volume *v)
{
	volume_free(v);
}
#define cleanup_volume __attribute__((cleanup(cleanup_volume_fn)))

/* "POOL/FILE" with a pool of the lab; whether the file is there is not looked at, but
 * for its format, which is qcow2 where it is not. -ENOENT names the pools. */
int volume_find(const struct lab *lab, const char *name, struct volume *ret_volume,
		struct error *err);

/* For who writes to it, or has others lie on it: -EXDEV where its name is a symbolic link to a file
 * that lies in no pool and is no machine's disk either. */
int volume_check_place(const struct lab *lab, const struct volume *volume, struct error *err);

/*
 * An object for each image of a pool, by name: {name, pool, path, format, virtual, allocated,
 * backing, snapshots, in_use, read_only, users[], error}. virtual and allocated are in
 * bytes; virtual is null and error a text where the image cannot be used. backing is null
 * where there is none. A pool without a folder has none. Appends to list.
 */
int volumes_list(const struct lab *lab, const struct spec_pool *pool, json_t *list,
		 struct error *err);

/* The same for one, with clones[], what lies on it. */
int volume_describe(const struct paths *paths, const struct lab *lab, const struct volume *volume,
		    json_t **ret_volume, struct error *err);

#endif
