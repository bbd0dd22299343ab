/* SPDX-License-Identifier: MIT */
/*
 * A QEMU that says many events as fast as they are taken, and two clients behind the relay:
 * one reads all of them, the other none. Prints the seconds it took, the seconds of CPU time
 * that the relay used, and the most memory in KiB that it had.
 *
 * usage: qmp-events SOURCE CONTROL EVENTS PID
 */
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

static const char negotiate[] = "{\"execute\": \"qmp_capabilities\"}\n";
static char chunk[1 << 18];

static void fail(const char *what)
{
	perror(what);
	exit(1);
}

static int connect_to(const char *path)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);

	if (strlen(path) >= sizeof(address.sun_path))
		exit(2);
	memcpy(address.sun_path, path, strlen(path));
	if (fd < 0 || connect(fd, (struct sockaddr *)&address, sizeof(address)) < 0)
		fail(path);
	return fd;
}

static void say(int fd, const char *text)
{
	if (send(fd, text, strlen(text), MSG_NOSIGNAL) != (ssize_t)strlen(text))
		fail("send");
}

static void hear_until(int fd, const char *words)
{
	ssize_t n;

	do {
		n = recv(fd, chunk, sizeof(chunk) - 1, 0);
		if (n <= 0)
			fail("receive");
		chunk[n] = '\0';
	} while (!strstr(chunk, words));
}

/* How many lines came. */
static size_t hear(int fd)
{
	ssize_t n = recv(fd, chunk, sizeof(chunk), MSG_DONTWAIT);
	size_t lines = 0;

	if (n <= 0)
		fail("the reader");
	for (ssize_t i = 0; i < n; i++)
		lines += chunk[i] == '\n';
	return lines;
}

static long memory_at_most(const char *pid)
{
	char path[64], line[256];
	long kib = 0;
	FILE *f;

	snprintf(path, sizeof(path), "/proc/%s/status", pid);
	f = fopen(path, "r");
	if (!f)
		fail(path);
	while (fgets(line, sizeof(line), f))
		(void)sscanf(line, "VmHWM: %ld", &kib);
	fclose(f);
	return kib;
}

static double cpu_seconds(const char *pid)
{
	unsigned long user = 0, kernel = 0;
	char path[64];
	FILE *f;

	snprintf(path, sizeof(path), "/proc/%s/stat", pid);
	f = fopen(path, "r");
	if (!f || fscanf(f, "%*d %*s %*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %lu %lu", &user,
			 &kernel) != 2)
		fail(path);
	fclose(f);
	return (double)(user + kernel) / (double)sysconf(_SC_CLK_TCK);
}

static double pass(int source, int reader, size_t n_events)
{
	static const char event[] =
		"{\"timestamp\": {\"seconds\": 1700000000, \"microseconds\": 123456}, \"event\": "
		"\"BLOCK_IO_ERROR\", \"data\": {\"device\": \"disk0\", \"operation\": \"write\", "
		"\"action\": \"report\"}}\r\n";
	const size_t len = sizeof(event) - 1;
	size_t heard = 0, sent = 0, offset = 0;
	struct timespec from, to;

	clock_gettime(CLOCK_MONOTONIC, &from);
	while (heard < n_events) {
		struct pollfd p[] = {
			{.fd = reader, .events = POLLIN},
			{.fd = source, .events = (short)(sent < n_events ? POLLOUT : 0)},
		};
		ssize_t n;

		if (poll(p, 2, 30 * 1000) <= 0)
			fail("poll");
		if (p[0].revents)
			heard += hear(reader);
		for (int i = 0; (p[1].revents & POLLOUT) && i < 64 && sent < n_events; i++) {
			n = send(source, event + offset, len - offset, MSG_NOSIGNAL | MSG_DONTWAIT);
			if (n <= 0)
				break;
			offset += (size_t)n;
			sent += offset == len;
			offset = offset == len ? 0 : offset;
		}
	}
	clock_gettime(CLOCK_MONOTONIC, &to);
	return (double)(to.tv_sec - from.tv_sec) + (double)(to.tv_nsec - from.tv_nsec) / 1e9;
}

int main(int argc, char **argv)
{
	int source, reader, deaf;
	double seconds;

	if (argc != 5)
		return 2;
	source = connect_to(argv[1]);
	say(source, "{\"QMP\": {\"version\": {}, \"capabilities\": []}}\r\n");
	hear_until(source, "qmp_capabilities");
	say(source, "{\"return\": {}, \"id\": 0}\r\n");
	reader = connect_to(argv[2]);
	deaf = connect_to(argv[2]);
	say(deaf, negotiate);
	say(reader, negotiate);
	hear_until(reader, "return");
	seconds = pass(source, reader, strtoul(argv[3], NULL, 10));
	printf("%.3f %.3f %ld\n", seconds, cpu_seconds(argv[4]), memory_at_most(argv[4]));
	return deaf < 0;
}
