/* SPDX-License-Identifier: MIT */
/* Runs a command without its output and prints how many microseconds it took from
 * exec to its end. Exits as the command did. */
#include <err.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static long now_usec(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * 1000000L + ts.tv_nsec / 1000;
}

int main(int argc, char **argv)
{
	int null = open("/dev/null", O_WRONLY | O_CLOEXEC), status;
	long begin;
	pid_t pid;

	if (argc < 2)
		errx(2, "usage: stopwatch COMMAND [ARGUMENT...]");
	begin = now_usec();
	pid = vfork();
	if (pid == 0) {
		if (dup2(null, 1) >= 0)
			execvp(argv[1], argv + 1);
		_exit(127);
	}
	if (pid < 0 || waitpid(pid, &status, 0) < 0)
		err(1, "%s", argv[1]);
	printf("%ld\n", now_usec() - begin);
	return WIFEXITED(status) ? WEXITSTATUS(status) : 1;
}
