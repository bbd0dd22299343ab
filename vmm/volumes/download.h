/* SPDX-License-Identifier: MIT */
/*
 * Fetching a file by HTTP into a descriptor. What talks to the network is a process of its
 * own without any privilege: it has that descriptor, the end of a pipe to tell how far it
 * is, and nothing else of ours. What it wrote is anybody's bytes until a checksum says
 * otherwise.
 */
#ifndef HV_VMM_DOWNLOAD_H
#define HV_VMM_DOWNLOAD_H

#include "base/paths.h"

#include <signal.h>
#include <stdint.h>

struct error;

struct download {
	const struct paths *paths; /* for the uid that it runs as */
	const char *url;
	int fd; /* to be written to; what is there already is not asked for again */
	/* How far it is; total 0: not known. Both may be NULL. */
	void (*progress)(void *arg, uint64_t done, uint64_t total);
	const volatile sig_atomic_t *stop; /* set: ends it with -ECANCELED within a second */
	void *arg;
	unsigned patience_s; /* how long a server may send next to nothing; 0: half a minute */
};

/*
 * Goes on where an earlier try ended, begins anew where the server cannot do that, and
 * tries again as long as it gets further. 0 where the server says that this is all; a
 * failure leaves what came so far. -ENOSPC where it would take the last of the disk, before
 * anything is written if the server says how much it is; -EFBIG for more than 64 GiB of which it
 * does not. Blocks.
 */
int download_run(const struct download *download, struct error *err);

/* A URL as people may see it, without the password that may stand in it. The caller frees it; NULL:
 * no memory. */
char *download_show_url(const char *url);

#endif
