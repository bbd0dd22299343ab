/* SPDX-License-Identifier: MIT */
#include "jail/seal.h"

#include "base/cleanup.h"
#include "base/error.h"
#include "base/fd.h"

#include <errno.h>
#include <grp.h>
#include <poll.h>
#include <unistd.h>

enum { NOBODY = 65534 };

/* It needs no right to answer, so it has none. */
static bool drop_rights(void)
{
	return setgroups(0, NULL) == 0 && setresgid(NOBODY, NOBODY, NOBODY) == 0 &&
	       setresuid(NOBODY, NOBODY, NOBODY) == 0;
}

/* What it is to answer comes by the leash, once it is there. */
static int take_listener(int *ret_memory_fd)
{
	size_t n_fds = 0;
	int fds[FD_PASS_MAX];
	char byte;

	if (fd_receive(LEASH_FD, &byte, 1, fds, &n_fds, NULL) != 1 || n_fds < 1 || n_fds > 2)
		return -1;
	*ret_memory_fd = n_fds == 2 ? fds[1] : -1;
	return fds[0];
}

static int answer_all(void *arg)
{
	struct pollfd p[] = {
		{.fd = LEASH_FD, .events = POLLIN},
		{.events = POLLIN},
	};
	int memory_fd = -1;

	(void)arg;
	if (!drop_rights())
		return 1;
	p[1].fd = take_listener(&memory_fd);
	if (p[1].fd < 0)
		return 1;
	for (;;) {
		int nr;

		if (poll(p, ARRAY_SIZE(p), -1) < 0 && errno != EINTR)
			return 1;
		if (p[0].revents)
			return 0;
		if (p[1].revents && (!(p[1].revents & POLLIN) ||
				     jail_seal_answer(p[1].fd, NULL, memory_fd, &nr) < 0))
			return 0;
		p[0].revents = p[1].revents = 0;
	}
}

int jail_answerer_start(struct jail_answerer *ret_answerer, struct error *err)
{
	return leash_start(&ret_answerer->leash, "answerer", -1, answer_all, NULL, err);
}

int jail_answerer_give(const struct jail_answerer *a, int listener, int memory_fd,
		       struct error *err)
{
	const int fds[] = {listener, memory_fd};

	return fd_send(a->leash.fd, "l", 1, fds, memory_fd >= 0 ? 2 : 1, err);
}

void jail_answerer_stop(struct jail_answerer *a)
{
	leash_let_go(&a->leash);
}
