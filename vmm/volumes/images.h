/* SPDX-License-Identifier: MIT */
/*
 * The cache of images that volumes are made of: STATE/images/SHA256, read-only. What is
 * there has that checksum: an image is fetched or copied into .SHA256.part and gets its
 * name when it was read as a whole and found to be what it should be.
 */
#ifndef HV_VMM_IMAGES_H
#define HV_VMM_IMAGES_H

#include "base/paths.h"
#include "lab/spec.h"

#include <jansson.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>

struct error;

/* Where it lies; the caller's to free. NULL when out of memory. */
char *image_path(const struct paths *paths, const struct spec_image *image);
bool image_is_cached(const struct paths *paths, const struct spec_image *image);

/* Somebody who looks on; all may be NULL. */
struct image_watch {
	/* what: "fetching" or "checking"; total 0: not known. Bytes. */
	void (*progress)(void *arg, const char *what, uint64_t done, uint64_t total);
	const volatile sig_atomic_t *stop; /* set: ends it with -ECANCELED */
	void *arg;
};

/*
 * Sees that it is in the cache. What an earlier try fetched is not fetched again. -EBUSY
 * where somebody else fetches it now; -EBADMSG where it is not what its checksum says:
 * then nothing is kept. Blocks.
 */
int image_fetch(const struct paths *paths, const struct spec_image *image,
		const struct image_watch *watch, struct error *err);

/* Removes it from the cache, and what is there of an unfinished one. -EBUSY, and who they
 * are, where volumes lie on it. */
int image_remove(const struct paths *paths, const struct lab *lab, const struct spec_image *image,
		 struct error *err);

/*
 * {name, sha256, source, format, state, bytes} of each image of the lab, then of what is in
 * the cache and nobody's any more, whose name and source are null. state is "cached",
 * "partial" or "missing".
 */
int images_list(const struct paths *paths, const struct lab *lab, json_t **ret_list,
		struct error *err);

/*
 * Makes the volume of a disk that has an image:, which is in the cache: an overlay, or a
 * copy where it is raw. -ENOENT where it is not.
 */
int image_make_volume(const struct paths *paths, const struct spec_disk *disk, struct error *err);

#endif
