/* SPDX-License-Identifier: MIT */
/*
 * What a start costs without hvup: opens the same TAPs, sockets and images, starts
 * the same swtpm and the same QEMU command line, waits for the first QMP answer,
 * then ends both and waits until they are reaped. Prints two numbers, in
 * microseconds: start and end.
 *
 *   by-hand FOLDER DISK CODE VARS BRIDGE BRIDGE -- QEMU-ARGUMENTS…
 *
 * The arguments are those of a machine that hvup started, so descriptors have to
 * stand where hvup puts them: 3 monitor, 4 serial, 5 its log, 6 agent, 7 TPM,
 * 8 firmware, 9 NVRAM, 10 disk, 11 and 12 TAPs.
 */
#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/if_tun.h>
#include <linux/sockios.h>
#include <net/if.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { FIRST_FD = 3, LAST_FD = 12, HIGH_FD = 100 };

static long now_usec(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * 1000000L + ts.tv_nsec / 1000;
}

static struct sockaddr_un address_of(const char *folder, const char *name)
{
	struct sockaddr_un a = {.sun_family = AF_UNIX};

	if (snprintf(a.sun_path, sizeof(a.sun_path), "%s/%s", folder, name) >=
	    (int)sizeof(a.sun_path))
		errx(1, "'%s' is too long for a socket", folder);
	return a;
}

static int listen_at(const char *folder, const char *name)
{
	struct sockaddr_un a = address_of(folder, name);
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	unlink(a.sun_path);
	if (fd < 0 || bind(fd, (struct sockaddr *)&a, sizeof(a)) < 0 || listen(fd, 8) < 0)
		err(1, "listen at %s", a.sun_path);
	return fd;
}

static int open_tap(const char *bridge)
{
	struct ifreq r = {.ifr_flags = IFF_TAP | IFF_NO_PI | IFF_VNET_HDR}, b = {0};
	int fd = open("/dev/net/tun", O_RDWR | O_CLOEXEC), sock = socket(AF_INET, SOCK_DGRAM, 0);

	if (fd < 0 || ioctl(fd, TUNSETIFF, &r) < 0)
		err(1, "/dev/net/tun");
	snprintf(b.ifr_name, IFNAMSIZ, "%s", bridge);
	b.ifr_ifindex = (int)if_nametoindex(r.ifr_name);
	if (ioctl(sock, SIOCBRADDIF, &b) < 0)
		err(1, "put a TAP on %s", bridge);
	r.ifr_flags = IFF_UP;
	if (ioctl(sock, SIOCSIFFLAGS, &r) < 0)
		err(1, "set a TAP up");
	close(sock);
	return fd;
}

static int open_file(const char *path, int flags)
{
	int fd = open(path, flags | O_CLOEXEC, 0600);

	if (fd < 0)
		err(1, "%s", path);
	return fd;
}

/* Starts a program with the descriptors at FIRST_FD and up; log: its stderr. */
static pid_t spawn(char *const *argv, const int *fds, int n, const char *folder)
{
	pid_t pid = vfork();

	if (pid < 0)
		err(1, "vfork");
	if (pid)
		return pid;
	if (folder && chdir(folder) < 0)
		_exit(126);
	/* Out of the way first: a number that is wanted may be taken. */
	for (int i = 0; i < n; i++)
		if (dup3(fds[i], HIGH_FD + i, O_CLOEXEC) < 0)
			_exit(126);
	for (int i = 0; i < n; i++)
		if (dup2(HIGH_FD + i, FIRST_FD + i) < 0)
			_exit(126);
	execv(argv[0], argv);
	_exit(127);
}

/* Reads until a line with "return" has come twice: capabilities and one more. */
static void wait_for_answer(const char *folder)
{
	static const char hello[] = "{\"execute\":\"qmp_capabilities\"}{\"execute\":\"cont\"}\n";
	struct sockaddr_un a = address_of(folder, "monitor");
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0), n_returns = 0;
	char buf[65536];
	size_t len = 0;

	if (connect(fd, (struct sockaddr *)&a, sizeof(a)) < 0 ||
	    write(fd, hello, sizeof(hello) - 1) < 0)
		err(1, "monitor");
	while (n_returns < 2) {
		ssize_t n = read(fd, buf + len, sizeof(buf) - 1 - len);

		if (n <= 0)
			errx(1, "QEMU hung up");
		len += (size_t)n;
		buf[len] = '\0';
		n_returns = 0;
		for (const char *p = buf; (p = strstr(p, "\"return\"")); p++)
			n_returns++;
	}
	close(fd);
}

int main(int argc, char **argv)
{
	long begin = now_usec(), up, gone;
	char tpm_folder[256], log[256];
	char *swtpm[] = {(char *)"/usr/bin/swtpm",
			 (char *)"socket",
			 (char *)"--tpm2",
			 (char *)"--tpmstate",
			 (char *)"dir=.",
			 (char *)"--ctrl",
			 (char *)"type=unixio,clientfd=3",
			 (char *)"--flags",
			 (char *)"startup-clear",
			 NULL};
	int fds[LAST_FD - FIRST_FD + 1], pair[2];
	pid_t qemu, tpm;

	if (argc < 10 || strcmp(argv[7], "--") != 0)
		errx(2, "usage: by-hand FOLDER DISK CODE VARS BRIDGE BRIDGE -- QEMU-ARGUMENTS");
	snprintf(tpm_folder, sizeof(tpm_folder), "%s/tpm", argv[1]);
	snprintf(log, sizeof(log), "%s/console.log", argv[1]);
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) < 0)
		err(1, "socketpair");
	tpm = spawn(swtpm, &pair[1], 1, tpm_folder);
	close(pair[1]);
	fds[0] = listen_at(argv[1], "monitor");
	fds[1] = listen_at(argv[1], "serial");
	fds[2] = open_file(log, O_WRONLY | O_CREAT | O_APPEND);
	fds[3] = listen_at(argv[1], "agent");
	fds[4] = pair[0];
	fds[5] = open_file(argv[3], O_RDONLY);
	fds[6] = open_file(argv[4], O_RDWR);
	fds[7] = open_file(argv[2], O_RDWR);
	fds[8] = open_tap(argv[5]);
	fds[9] = open_tap(argv[6]);
	qemu = spawn(argv + 8, fds, LAST_FD - FIRST_FD + 1, NULL);
	for (int i = 0; i <= LAST_FD - FIRST_FD; i++)
		close(fds[i]);
	wait_for_answer(argv[1]);
	up = now_usec();
	kill(qemu, SIGKILL);
	kill(tpm, SIGTERM);
	waitpid(qemu, NULL, 0);
	waitpid(tpm, NULL, 0);
	gone = now_usec();
	printf("%ld %ld\n", up - begin, gone - up);
	return 0;
}
