/* SPDX-License-Identifier: MIT */
/*
 * How long after SIGKILL of some processes something else has happened, in microseconds.
 *
 *   after-kill PID... -- gone PID          another process has ended
 *   after-kill PID... -- answer SOCKET     hv-status is answered there
 *   after-kill PID... -- run COMMAND...    a command that is started at once has ended well
 */
#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static long now_usec(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * 1000000L + ts.tv_nsec / 1000;
}

static void await_end(int pidfd)
{
	struct pollfd p = {.fd = pidfd, .events = POLLIN};

	if (poll(&p, 1, 30000) != 1)
		errx(1, "it did not end");
}

/* One try: the connection may end with the supervisor that took it. */
static int is_answered(const char *path)
{
	static const char words[] = "{\"execute\": \"qmp_capabilities\"}\n"
				    "{\"execute\": \"hv-status\"}\n";
	struct sockaddr_un a = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	char text[65536];
	size_t len = 0;
	ssize_t n;

	strncpy(a.sun_path, path, sizeof(a.sun_path) - 1);
	if (fd < 0 || connect(fd, (struct sockaddr *)&a, sizeof(a)) < 0 ||
	    write(fd, words, strlen(words)) < 0) {
		close(fd);
		return 0;
	}
	while (len + 1 < sizeof(text) && (n = read(fd, text + len, sizeof(text) - 1 - len)) > 0) {
		len += (size_t)n;
		text[len] = '\0';
		if (strstr(text, "\"state\"")) {
			close(fd);
			return 1;
		}
	}
	close(fd);
	return 0;
}

static void run(char **argv)
{
	int null = open("/dev/null", O_WRONLY | O_CLOEXEC), status;
	pid_t pid = vfork();

	if (pid == 0) {
		if (dup2(null, 1) >= 0)
			execvp(argv[0], argv);
		_exit(127);
	}
	if (pid < 0 || waitpid(pid, &status, 0) < 0 || status)
		errx(1, "%s failed", argv[0]);
}

int main(int argc, char **argv)
{
	int split = 1, pidfd = -1;
	long begin;

	while (split < argc && strcmp(argv[split], "--") != 0)
		split++;
	if (split + 2 >= argc)
		errx(2, "usage: after-kill PID... -- gone PID | answer SOCKET | run COMMAND...");
	if (strcmp(argv[split + 1], "gone") == 0)
		pidfd = (int)syscall(SYS_pidfd_open, atoi(argv[split + 2]), 0);
	begin = now_usec();
	for (int i = 1; i < split; i++)
		if (kill(atoi(argv[i]), SIGKILL) < 0 && errno != ESRCH)
			err(1, "kill %s", argv[i]);
	if (pidfd >= 0)
		await_end(pidfd);
	else if (strcmp(argv[split + 1], "answer") != 0)
		run(argv + split + 2);
	else
		while (!is_answered(argv[split + 2]))
			if (now_usec() - begin > 30 * 1000000L)
				errx(1, "no answer");
	printf("%ld\n", now_usec() - begin);
	return 0;
}
