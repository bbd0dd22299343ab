/* SPDX-License-Identifier: MIT */
/*
 * An image with all that lies below it. Each layer is opened and examined once, here: QEMU gets
 * the descriptors and is told the order, and follows no header.
 */
#ifndef HV_DISK_CHAIN_H
#define HV_DISK_CHAIN_H

#include "disk/volume.h"

#include <stddef.h>

enum { DISK_LAYERS_MAX = 16 };

struct disk_layer {
	int fd;
	enum disk_format format;
	char *path; /* absolute */
};

struct disk_chain {
	struct disk_layer v[DISK_LAYERS_MAX]; /* the active one first; those below are read only */
	size_t n; /* 0: not open */
	bool direct; /* whoever opened it set O_DIRECT on the first (disk/cache.h) */
};

/*
 * Opens path, as disk_open() does, and every image below it for reading. Which those are says the
 * record (disk/record.h), and the header has to agree: -EINVAL where it names another one or one
 * that is not recorded, where a layer is there twice, or where there are more than
 * DISK_LAYERS_MAX. An image whose header names none has none, whatever was recorded. ret_info
 * (may be NULL) is of the active layer. The caller closes the chain.
 */
int disk_chain_open(const char *path, enum disk_format format, bool read_only,
		    struct disk_chain *ret_chain, struct disk_info *ret_info, struct error *err);

/* Accepts one that is not open. */
void disk_chain_close(struct disk_chain *chain);

/* Looks at path and all below it without keeping them. -ENOENT where path itself is missing; one
 * below that is missing is -EINVAL. */
int disk_chain_examine(const char *path, enum disk_format format, struct disk_info *ret_info,
		       struct error *err);

#endif
