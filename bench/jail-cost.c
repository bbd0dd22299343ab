/* SPDX-License-Identifier: MIT */
/*
 * What a jail costs: starts QEMU with all layers and its sealed profile, and with none of
 * them, in turn, until its monitor has answered the first command. Prints a line for each
 * pair: microseconds with, microseconds without, and how many calls waited for an answer.
 *
 *   jail-cost QEMU ROUNDS
 */
#include "base/child.h"
#include "base/cleanup.h"
#include "base/error.h"
#include "base/fd.h"
#include "jail/program.h"
#include "jail/seal.h"
#include "jail/spawn.h"

#include <err.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

static long now_usec(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * 1000000L + ts.tv_nsec / 1000;
}

/* Answers calls until the monitor has said so much. */
static unsigned await(int monitor, int listener, const char *words)
{
	struct pollfd p[2] = {{.fd = monitor, .events = POLLIN},
			      {.fd = listener, .events = POLLIN}};
	unsigned n_calls = 0;
	char text[8192];
	size_t len = 0;

	for (;;) {
		int nr;

		if (poll(p, 2, 30000) <= 0)
			errx(1, "QEMU says nothing");
		if (p[1].revents & POLLIN && jail_seal_answer(listener, NULL, -1, &nr) > 0)
			n_calls++;
		if (p[0].revents & (POLLIN | POLLHUP)) {
			ssize_t n = read(monitor, text + len, sizeof(text) - 1 - len);

			if (n <= 0)
				errx(1, "QEMU has gone");
			len += (size_t)n;
			text[len] = '\0';
			if (strstr(text, words))
				return n_calls;
		}
	}
}

/* ret_calls: NULL where the jail's own answerer is to answer, as it does for a keeper;
 * else they are answered and counted here. */
static long start(char *qemu, unsigned without, unsigned *ret_calls)
{
	static const char *const data[] = {"share/qemu", "share/seabios", "share/qemu-kvm",
					   "share/ipxe", NULL};
	static const char hello[] = "{\"execute\": \"qmp_capabilities\"}\n";
	char *argv[] = {qemu,
			(char *)"-nodefaults",
			(char *)"-machine",
			(char *)"q35,accel=tcg",
			(char *)"-m",
			(char *)"64",
			(char *)"-display",
			(char *)"none",
			(char *)"-S",
			(char *)"-chardev",
			(char *)"socket,id=m,fd=3",
			(char *)"-mon",
			(char *)"chardev=m,mode=control",
			NULL};
	cleanup_jail_binds struct jail_binds binds = {.n = 0};
	struct jailed jailed = JAILED_INIT;
	struct error error = ERROR_INIT;
	long begin = now_usec(), usec;
	unsigned n_calls;
	int ours, theirs;

	if (fd_socketpair(&ours, &theirs, &error) < 0 ||
	    jail_binds_add_program(&binds, qemu, data, &error) < 0)
		errx(1, "%s", error.text);
	jail_binds_add(&binds, &(struct jail_bind){
				       .source = "/dev/null", .device = true, .writable = true});
	if (jail_spawn(
		    &(struct jail_spec){
			    .program = qemu,
			    .argv = argv,
			    .owner = "bench",
			    .uid = JAIL_UID_FIRST,
			    .gid = JAIL_UID_FIRST,
			    .binds = binds.v,
			    .n_binds = binds.n,
			    .profile = &jail_profile_qemu,
			    .without = without,
			    .fds = &(struct child_fd){.fd = theirs, .target = 3},
			    .n_fds = 1,
			    .stderr_fd = STDERR_FILENO,
			    .cgroup_fd = -1,
		    },
		    &jailed, &error) < 0)
		errx(1, "%s", error.text);
	close(theirs);
	if (write(ours, hello, strlen(hello)) < 0)
		err(1, "monitor");
	if (ret_calls)
		jail_answerer_stop(&jailed.answerer);
	n_calls = await(ours, ret_calls ? jailed.listener : -1, "\"return\"");
	if (ret_calls)
		*ret_calls = n_calls;
	usec = now_usec() - begin;
	/* Held, as a keeper does: the end of a network namespace keeps others from
	 * beginning, and would be counted as the next one's. */
	(void)steal_fd(&jailed.net_ns);
	jailed_destroy(&jailed);
	close(ours);
	return usec;
}

int main(int argc, char **argv)
{
	const unsigned all = (1U << JAIL_LAYER_COUNT) - 1;

	unsigned calls;

	if (argc != 3)
		errx(2, "usage: jail-cost QEMU ROUNDS");
	(void)start(argv[1], 0, &calls);
	for (int i = atoi(argv[2]); i > 0; i--) {
		long with = start(argv[1], 0, NULL), without = start(argv[1], all, NULL);

		printf("%ld %ld %u\n", with, without, calls);
	}
	return 0;
}
