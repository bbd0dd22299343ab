/* SPDX-License-Identifier: MIT */
/*
 * The state that a guest goes on from, a fork's or a suspended one's, goes to QEMU by a socket, for
 * which it has the system calls after its seal; so it reads what a guest may have had a hand in
 * where nothing can be opened any more. The keeper passes bytes on and looks at none.
 */
#include "vmm/keeper/keeper_private.h"

#include "base/cleanup.h"

#include <errno.h>
#include <sys/sendfile.h>
#include <sys/stat.h>

void keeper_unfeed(struct keeper *k)
{
	k->feed_source = sd_event_source_disable_unref(k->feed_source);
	close_fd(&k->res.feed_fd);
	close_fd(&k->res.source_fd);
}

/* As much as there is room for. 1: all of it has gone; 0: more to come; or -errno. */
static int feed(struct keeper *k)
{
	struct resources *r = &k->res;
	struct stat st;

	if (fstat(r->source_fd, &st) < 0)
		return -errno;
	for (;;) {
		ssize_t n = sendfile(r->feed_fd, r->source_fd, NULL, (size_t)st.st_size);

		if (n == 0)
			return 1;
		if (n < 0 && errno != EINTR)
			return errno == EAGAIN ? 0 : -errno;
	}
}

static int on_room(sd_event_source *source, int fd, uint32_t revents, void *userdata)
{
	(void)source;
	(void)fd;
	(void)revents;
	/* A QEMU that has gone, or wants no more, says why by itself. */
	if (feed(userdata) != 0)
		keeper_unfeed(userdata);
	return 0;
}

int keeper_feed(struct keeper *k, struct error *err)
{
	int rc;

	if (k->res.feed_fd < 0)
		return 0;
	rc = sd_event_add_io(k->event, &k->feed_source, k->res.feed_fd, EPOLLOUT, on_room, k);
	return rc < 0 ? error_errno(err, -rc, "feed its state to QEMU") : 0;
}
