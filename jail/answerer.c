/* SPDX-License-Identifier: MIT */
#include "jail/seal.h"

#include "base/cleanup.h"
#include "base/error.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <poll.h>
#include <sys/resource.h>
#include <unistd.h>

enum { LISTENER = 3, LEASH = 4, NOBODY = 65534 };

/* It needs no right to answer, so it has none. */
static bool drop_rights(void)
{
	return setgroups(0, NULL) == 0 && setresgid(NOBODY, NOBODY, NOBODY) == 0 &&
	       setresuid(NOBODY, NOBODY, NOBODY) == 0;
}

static int answer_all(void *arg)
{
	struct pollfd p[] = {
		{.fd = LISTENER, .events = POLLIN},
		{.fd = LEASH, .events = POLLIN},
	};

	(void)arg;
	if (!drop_rights())
		return 1;
	for (;;) {
		int nr;

		if (poll(p, ARRAY_SIZE(p), -1) < 0 && errno != EINTR)
			return 1;
		if (p[1].revents)
			return 0;
		if (p[0].revents &&
		    (!(p[0].revents & POLLIN) || jail_seal_answer(LISTENER, false, &nr) < 0))
			return 0;
		p[0].revents = p[1].revents = 0;
	}
}

int jail_answerer_start(int listener, struct jail_answerer *ret_answerer, struct error *err)
{
	struct jail_answerer a = JAIL_ANSWERER_INIT;
	cleanup_close int theirs = -1;
	int ends[2], rc;

	if (pipe2(ends, O_CLOEXEC) < 0)
		return error_errno(err, errno, "pipe");
	theirs = ends[0];
	a.leash = ends[1];
	rc = child_spawn(
		&(struct child_spec){
			.path = "answerer",
			.fds = (struct child_fd[]){{listener, LISTENER}, {theirs, LEASH}},
			.n_fds = 2,
			.stdin_fd = -1,
			.stdout_fd = -1,
			.stderr_fd = -1,
			.cwd_fd = -1,
			.cgroup_fd = -1,
			.new_session = true,
			.run = answer_all,
		},
		&a.process, err);
	if (rc < 0)
		close_fd(&a.leash);
	else
		*ret_answerer = a;
	return rc;
}

void jail_answerer_stop(struct jail_answerer *a)
{
	close_fd(&a->leash);
	if (a->process.pidfd >= 0)
		(void)child_wait(&a->process, -1, NULL, NULL);
}
