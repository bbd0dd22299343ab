/* SPDX-License-Identifier: MIT */
#include "base/leash.h"

#include "base/cleanup.h"
#include "base/fd.h"

#include <signal.h>

/* What asks all of a control group to end, as the stop of a unit does, asks it, too. Its maker may
 * have held that and go on; whether it did shows at the leash. */
static int hear_the_leash_alone(void *arg, int report_fd, const char **ret_what)
{
	static const int asking[] = {SIGINT, SIGTERM, SIGHUP};

	(void)arg;
	(void)report_fd;
	(void)ret_what;
	for (size_t i = 0; i < ARRAY_SIZE(asking); i++)
		(void)signal(asking[i], SIG_IGN);
	return 0;
}

int leash_start(struct leash *ret_leash, const char *name, int given, int (*run)(void *arg),
		void *arg, struct error *err)
{
	cleanup_close int ours = -1, theirs = -1;
	struct child process = CHILD_INIT;
	int rc = fd_socketpair(&ours, &theirs, err);
	const struct child_fd fds[] = {{theirs, LEASH_FD}, {given, LEASH_GIVEN_FD}};

	if (rc == 0)
		rc = child_spawn(
			&(struct child_spec){
				.path = name,
				.fds = fds,
				.n_fds = given < 0 ? 1 : ARRAY_SIZE(fds),
				.stdin_fd = -1,
				.stdout_fd = -1,
				.stderr_fd = -1,
				.cwd_fd = -1,
				.cgroup_fd = -1,
				.new_session = true,
				.confine = hear_the_leash_alone,
				.run = run,
				.run_arg = arg,
			},
			&process, err);
	if (rc == 0)
		*ret_leash = (struct leash){.process = process, .fd = steal_fd(&ours)};
	return rc;
}

void leash_let_go(struct leash *l)
{
	close_fd(&l->fd);
	if (l->process.pidfd >= 0)
		(void)child_wait(&l->process, -1, NULL, NULL);
}
