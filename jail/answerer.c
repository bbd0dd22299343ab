/* SPDX-License-Identifier: MIT */
#include "jail/seal.h"

#include "base/cleanup.h"
#include "base/error.h"
#include "base/fd.h"

#include <fcntl.h>
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

static bool has_ended(int fd)
{
	struct pollfd p = {.fd = fd};

	return poll(&p, 1, 0) != 0;
}

/* A program that starts waits for each answer: so it is the next call alone that is waited for
 * here, and the end of the leash is a signal, whose default is the end. */
static bool die_by_leash(void)
{
	return fcntl(LEASH_FD, F_SETOWN, getpid()) == 0 &&
	       fcntl(LEASH_FD, F_SETFL, O_RDWR | O_ASYNC) == 0 && !has_ended(LEASH_FD);
}

static int answer_all(void *arg)
{
	int memory_fd = -1, listener, nr, rc;

	(void)arg;
	if (!drop_rights())
		return 1;
	listener = take_listener(&memory_fd);
	if (listener < 0 || !die_by_leash())
		return 1;
	/* Later kernels say so, too, where all have gone that could call. */
	do
		rc = jail_seal_answer(listener, NULL, memory_fd, &nr);
	while (rc > 0 || (rc == 0 && !has_ended(listener)));
	return 0;
}

int jail_answerer_start(struct jail_answerer *ret_answerer, struct error *err)
{
	return leash_start(&ret_answerer->leash, "answerer", answer_all, NULL, err);
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
