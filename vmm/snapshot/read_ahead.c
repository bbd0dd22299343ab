/* SPDX-License-Identifier: MIT */
#include "vmm/snapshot/read_ahead.h"

#include <signal.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <time.h>
#include <unistd.h>

enum { FILE_FD = 3, PIECE_BYTES = 1024 * 1024, PAUSE_NS = 2 * 1000 * 1000 };

static int run(void *arg)
{
	const struct timespec pause = {.tv_nsec = PAUSE_NS};
	const struct read_ahead *r = arg;
	char *piece = malloc(PIECE_BYTES);
	uint64_t done = 0;
	off_t at = 0;
	ssize_t n;

	/* Of no use to anybody without its maker. */
	if (!piece || prctl(PR_SET_PDEATHSIG, SIGKILL) < 0 || getppid() != r->maker)
		return EXIT_FAILURE;
	/* readahead(2) would have the other one wait for each page that is on its way. */
	while ((n = pread(FILE_FD, piece, PIECE_BYTES, at)) > 0) {
		at += n;
		/* Asked where what is known of it does not do. */
		while ((uint64_t)at > done + READ_AHEAD_MAX) {
			uint64_t now = r->done(r->arg);

			if (now == done)
				(void)nanosleep(&pause, NULL);
			done = now;
		}
	}
	free(piece);
	return EXIT_SUCCESS;
}

void read_ahead_begin(struct read_ahead *r, int fd, uint64_t (*done)(void *arg), void *arg)
{
	*r = (struct read_ahead){
		.done = done, .arg = arg, .maker = getpid(), .process = CHILD_INIT};
	(void)child_spawn(
		&(struct child_spec){
			.path = "hv-read-ahead",
			.fds = &(struct child_fd){.fd = fd, .target = FILE_FD},
			.n_fds = 1,
			.stdin_fd = -1,
			.stdout_fd = -1,
			.stderr_fd = -1,
			.cwd_fd = -1,
			.cgroup_fd = -1,
			.run = run,
			.run_arg = r,
		},
		&r->process, NULL);
}

void read_ahead_end(struct read_ahead *r)
{
	child_destroy(&r->process);
}
