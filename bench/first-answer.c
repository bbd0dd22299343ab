/* SPDX-License-Identifier: MIT */
/*
 * Microseconds from the exec of a QEMU to its first answer by QMP, which it then is told to end by.
 *
 * usage: first-answer PROGRAM ARGUMENT…
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static long long now_usec(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1000000LL + t.tv_nsec / 1000;
}

/* Reads until text has come that often. */
static int await(int fd, const char *text, int times)
{
	char buf[65536];
	size_t len = 0;

	while (len < sizeof(buf) - 1) {
		ssize_t n = read(fd, buf + len, sizeof(buf) - 1 - len);
		const char *at = buf;
		int found = 0;

		if (n <= 0)
			return -1;
		len += (size_t)n;
		buf[len] = '\0';
		while ((at = strstr(at, text))) {
			found++;
			at++;
		}
		if (found >= times)
			return 0;
	}
	return -1;
}

int main(int argc, char **argv)
{
	static const char ask[] =
		"{\"execute\":\"qmp_capabilities\"}{\"execute\":\"query-status\"}";
	static const char quit[] = "{\"execute\":\"quit\"}";
	char **args = calloc((size_t)argc + 5, sizeof(*args)), chardev[64];
	int pair[2], status;
	long long begin;
	pid_t pid;

	if (argc < 2 || !args || socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) < 0)
		return 2;
	snprintf(chardev, sizeof(chardev), "socket,id=monitor,fd=%d", pair[1]);
	memcpy(args, argv + 1, (size_t)(argc - 1) * sizeof(*args));
	args[argc - 1] = (char *)"-chardev";
	args[argc] = chardev;
	args[argc + 1] = (char *)"-mon";
	args[argc + 2] = (char *)"chardev=monitor,mode=control";
	begin = now_usec();
	pid = fork();
	if (pid == 0) {
		fcntl(pair[1], F_SETFD, 0);
		execv(args[0], args);
		_exit(127);
	}
	close(pair[1]);
	if (write(pair[0], ask, strlen(ask)) < 0 || await(pair[0], "\"return\"", 2) < 0)
		return 1;
	printf("%lld\n", now_usec() - begin);
	if (write(pair[0], quit, strlen(quit)) < 0 || waitpid(pid, &status, 0) < 0)
		return 1;
	return 0;
}
