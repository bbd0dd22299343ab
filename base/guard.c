/* SPDX-License-Identifier: MIT */
#include "base/guard.h"

#include "base/cleanup.h"
#include "base/error.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

enum { LEASH = 3 };

/* In the child. One byte says that all is well. */
static int run(void *arg)
{
	struct guard *g = arg;
	char word;
	ssize_t n;

	do {
		n = read(LEASH, &word, 1);
	} while (n < 0 && errno == EINTR);
	if (n <= 0)
		g->put_right(g->arg);
	return EXIT_SUCCESS;
}

int guard_start(struct guard *g, const char *name, void (*put_right)(void *arg), void *arg,
		struct error *err)
{
	cleanup_close int theirs = -1, ours = -1;
	int fds[2], rc;

	if (pipe2(fds, O_CLOEXEC) < 0)
		return error_errno(err, errno, "pipe");
	theirs = fds[0];
	ours = fds[1];
	*g = (struct guard){.child = CHILD_INIT, .leash = -1, .put_right = put_right, .arg = arg};
	rc = child_spawn(
		&(struct child_spec){
			.path = name,
			.fds = &(struct child_fd){.fd = theirs, .target = LEASH},
			.n_fds = 1,
			.stdin_fd = -1,
			.stdout_fd = -1,
			.stderr_fd = -1,
			.cwd_fd = -1,
			.cgroup_fd = -1,
			/* What ends us by the terminal does not end it. */
			.new_session = true,
			.run = run,
			.run_arg = g,
		},
		&g->child, err);
	if (rc == 0)
		g->leash = steal_fd(&ours);
	return rc;
}

void guard_dismiss(struct guard *g)
{
	if (g->leash >= 0 && write(g->leash, "", 1) < 0)
		return;
	guard_let_act(g);
}

void guard_let_act(struct guard *g)
{
	close_fd(&g->leash);
	if (g->child.pidfd >= 0)
		(void)child_wait(&g->child, -1, NULL, NULL);
}
