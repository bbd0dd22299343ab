/* SPDX-License-Identifier: MIT */
#include "base/guard.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

/* In the child. One byte says that all is well. */
static int run(void *arg)
{
	struct guard *g = arg;
	char word;
	ssize_t n;

	do {
		n = read(LEASH_FD, &word, 1);
	} while (n < 0 && errno == EINTR);
	if (n <= 0)
		g->put_right(g->arg);
	return EXIT_SUCCESS;
}

int guard_start(struct guard *g, const char *name, void (*put_right)(void *arg), void *arg,
		struct error *err)
{
	*g = (struct guard){.leash = LEASH_INIT, .put_right = put_right, .arg = arg};
	return leash_start(&g->leash, name, -1, run, g, err);
}

void guard_dismiss(struct guard *g)
{
	/* One that was killed does not hear it, and does nothing either. */
	if (g->leash.fd >= 0)
		(void)send(g->leash.fd, "", 1, MSG_NOSIGNAL);
	guard_let_act(g);
}

void guard_let_act(struct guard *g)
{
	leash_let_go(&g->leash);
}
