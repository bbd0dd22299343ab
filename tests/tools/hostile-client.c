/* SPDX-License-Identifier: MIT */
/*
 * A client of a unix socket that does what no client should. It says "ready" on
 * standard output when it has done its worst, keeps its connections, and ends
 * when its standard input does.
 *
 * usage: hostile-client HOW SOCKET
 *   flood        requests without end, answers never read, until it is hung up on
 *   line         100 MB without a line end
 *   bytes        100 MB of any bytes
 *   connections  1000 of them
 *   stall        half a request, then silence
 *   half-close   requests, then no more
 *   descriptors  64 with each message
 *   hoard        16 descriptors each on many connections, ahead of requests
 *   deaf         negotiates, and never reads again
 */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

enum { CONNECTIONS = 1000, HOARDERS = 30, FLOOD_BYTES = 100 * 1000 * 1000, WAIT_MS = 200 };

static const char negotiate[] = "{\"execute\": \"qmp_capabilities\"}\n";
static const char *path;

static int connect_socket(void)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0);

	if (fd < 0 || strlen(path) >= sizeof(address.sun_path)) {
		fprintf(stderr, "socket '%s'\n", path);
		exit(1);
	}
	memcpy(address.sun_path, path, strlen(path));
	if (connect(fd, (struct sockaddr *)&address, sizeof(address)) < 0) {
		perror(path);
		exit(1);
	}
	return fd;
}

/* Sends, until all is sent, it is hung up on, or nothing goes for a while. */
static size_t push(int fd, const char *data, size_t len)
{
	size_t sent = 0;

	while (sent < len) {
		struct pollfd p = {.fd = fd, .events = POLLOUT};
		ssize_t n = send(fd, data + sent, len - sent, MSG_NOSIGNAL);

		if (n < 0 && (errno != EAGAIN || poll(&p, 1, WAIT_MS) <= 0))
			break;
		sent += n > 0 ? (size_t)n : 0;
	}
	return sent;
}

static void push_text(int fd, const char *text)
{
	(void)push(fd, text, strlen(text));
}

static void push_descriptors(int fd, const char *text, size_t n)
{
	char control[CMSG_SPACE(sizeof(int) * 64)] __attribute__((aligned(8))) = {0};
	struct iovec iov = {.iov_base = (void *)text, .iov_len = strlen(text)};
	struct msghdr msg = {
		.msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = control,
		.msg_controllen = CMSG_SPACE(sizeof(int) * n),
	};
	struct cmsghdr *c = CMSG_FIRSTHDR(&msg);

	c->cmsg_level = SOL_SOCKET;
	c->cmsg_type = SCM_RIGHTS;
	c->cmsg_len = CMSG_LEN(sizeof(int) * n);
	memset(CMSG_DATA(c), 0, sizeof(int) * n);
	(void)sendmsg(fd, &msg, MSG_NOSIGNAL);
}

static void flood(void)
{
	static const char request[] = "{\"execute\": \"query-status\", \"id\": \"flood\"}\n";
	int fd = connect_socket();

	push_text(fd, negotiate);
	for (size_t sent = 0; sent < FLOOD_BYTES; sent += sizeof(request) - 1)
		if (push(fd, request, sizeof(request) - 1) < sizeof(request) - 1)
			break;
}

static void much(const char *head, int byte)
{
	char *block = malloc(1000 * 1000);
	int fd = connect_socket();
	uint32_t state = 1;

	if (!block)
		exit(1);
	for (size_t i = 0; i < 1000 * 1000; i++) {
		state = state * 1664525U + 1013904223U;
		block[i] = byte ? (char)byte : (char)(state >> 24);
	}
	push_text(fd, negotiate);
	push_text(fd, head);
	for (size_t sent = 0; sent < FLOOD_BYTES; sent += 1000 * 1000)
		if (push(fd, block, 1000 * 1000) < 1000 * 1000)
			break;
	free(block);
}

static void connections(void)
{
	struct rlimit limit = {.rlim_cur = CONNECTIONS + 100, .rlim_max = CONNECTIONS + 100};

	(void)setrlimit(RLIMIT_NOFILE, &limit);
	for (int i = 0; i < CONNECTIONS; i++)
		push_text(connect_socket(), negotiate);
}

static void stall(void)
{
	push_text(connect_socket(), "{\"execute\": \"qmp_capa");
	push_text(connect_socket(), "");
}

static void half_close(void)
{
	for (int i = 0; i < 10; i++) {
		int fd = connect_socket();

		push_text(fd, negotiate);
		push_text(fd, "{\"execute\": \"query-status\"}\n{\"execute\": \"query");
		(void)shutdown(fd, SHUT_WR);
	}
}

static void descriptors(void)
{
	for (int i = 0; i < 10; i++) {
		int fd = connect_socket();

		push_text(fd, negotiate);
		for (int j = 0; j < 20; j++)
			push_descriptors(fd, "{\"execute\": \"query-status\"}\n", 64);
	}
}

static void hoard(void)
{
	for (int i = 0; i < HOARDERS; i++) {
		int fd = connect_socket();

		push_text(fd, negotiate);
		push_descriptors(fd, "{\"execute\": ", 16);
	}
}

static void deaf(void)
{
	for (int i = 0; i < 5; i++)
		push_text(connect_socket(), negotiate);
}

static void line(void)
{
	much("{\"execute\": \"", 'x');
}

static void bytes(void)
{
	much("", 0);
}

static const struct {
	const char *name;
	void (*run)(void);
} ways[] = {
	{"flood", flood},
	{"line", line},
	{"bytes", bytes},
	{"connections", connections},
	{"stall", stall},
	{"half-close", half_close},
	{"descriptors", descriptors},
	{"hoard", hoard},
	{"deaf", deaf},
};

int main(int argc, char **argv)
{
	char byte;

	if (argc == 3) {
		path = argv[2];
		for (size_t i = 0; i < sizeof(ways) / sizeof(ways[0]); i++) {
			if (strcmp(argv[1], ways[i].name) != 0)
				continue;
			ways[i].run();
			puts("ready");
			(void)fflush(stdout);
			while (read(STDIN_FILENO, &byte, 1) > 0)
				;
			return 0;
		}
	}
	fprintf(stderr, "usage: hostile-client HOW SOCKET\n");
	return 2;
}
