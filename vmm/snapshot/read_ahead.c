/* SPDX-License-Identifier: MIT */
#include "vmm/snapshot/read_ahead.h"

#include <stdbool.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

enum { PIECE_BYTES = 1024 * 1024 };

/* Waits until it may be there; false: nobody is interested any more. */
static bool may_be_at(uint64_t at, uint64_t *done)
{
	while (at > *done + READ_AHEAD_MAX)
		if (recv(LEASH_FD, done, sizeof(*done), MSG_WAITALL) != sizeof(*done))
			return false;
	return true;
}

static int run(void *arg)
{
	char *piece = malloc(PIECE_BYTES);
	ssize_t n = piece ? PIECE_BYTES : -1;
	uint64_t done = 0;

	(void)arg;
	/* readahead(2) would have the other one wait for each page that is on its way. */
	for (off_t at = 0; n > 0 && may_be_at((uint64_t)at, &done); at += n)
		n = pread(LEASH_GIVEN_FD, piece, PIECE_BYTES, at);
	free(piece);
	return n < 0 ? EXIT_FAILURE : EXIT_SUCCESS;
}

void read_ahead_begin(struct read_ahead *r, int fd)
{
	*r = (struct read_ahead)READ_AHEAD_INIT;
	(void)leash_start(&r->leash, "hv-read-ahead", fd, run, NULL, NULL);
}

void read_ahead_tell(const struct read_ahead *r, uint64_t done)
{
	/* One that is far behind hears of it later. */
	if (r->leash.fd >= 0)
		(void)send(r->leash.fd, &done, sizeof(done), MSG_DONTWAIT | MSG_NOSIGNAL);
}

void read_ahead_end(struct read_ahead *r)
{
	child_destroy(&r->leash.process);
	leash_let_go(&r->leash);
}
