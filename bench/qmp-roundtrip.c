/* SPDX-License-Identifier: MIT */
/*
 * How long a QMP server takes to answer: clients, one for each socket that is named or
 * several of one, each of which asks again as soon as it was answered. Prints the median and
 * the 99th percentile in microseconds.
 *
 * usage: qmp-roundtrip REQUESTS CLIENTS SOCKET...
 */
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

enum { CLIENTS_MAX = 64, LINE_BYTES = 65536 };

struct client {
	int fd;
	double asked;
	char line[LINE_BYTES];
	size_t len;
};

static struct client clients[CLIENTS_MAX];

static double now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec * 1e6 + (double)t.tv_nsec / 1e3;
}

static void fail(const char *what)
{
	perror(what);
	exit(1);
}

static void say(struct client *c, const char *text)
{
	if (send(c->fd, text, strlen(text), MSG_NOSIGNAL) != (ssize_t)strlen(text))
		fail("send");
}

/* Reads; 1 where an answer is complete. Events are passed over. */
static int hear(struct client *c)
{
	ssize_t n = recv(c->fd, c->line + c->len, sizeof(c->line) - 1 - c->len, 0);
	char *line = c->line, *end;
	int answered = 0;

	if (n <= 0)
		fail("receive");
	c->len += (size_t)n;
	c->line[c->len] = '\0';
	while ((end = strchr(line, '\n')) != NULL) {
		*end = '\0';
		answered |= !strstr(line, "\"event\"") && !strstr(line, "\"QMP\"");
		line = end + 1;
	}
	c->len -= (size_t)(line - c->line);
	memmove(c->line, line, c->len);
	return answered;
}

static void ask(struct client *c)
{
	c->asked = now();
	say(c, "{\"execute\": \"query-status\", \"id\": 1}\n");
}

static void client_open(struct client *c, const char *path)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};

	if (strlen(path) >= sizeof(address.sun_path))
		exit(2);
	memcpy(address.sun_path, path, strlen(path));
	c->fd = socket(AF_UNIX, SOCK_STREAM, 0);
	if (c->fd < 0 || connect(c->fd, (struct sockaddr *)&address, sizeof(address)) < 0)
		fail(path);
	say(c, "{\"execute\": \"qmp_capabilities\"}\n");
	while (!hear(c))
		;
}

static int compare(const void *a, const void *b)
{
	const double *x = a, *y = b;

	return (*x > *y) - (*x < *y);
}

int main(int argc, char **argv)
{
	size_t n_requests, n_clients, done = 0;
	struct pollfd p[CLIENTS_MAX];
	double *took;

	if (argc < 4)
		return 2;
	n_requests = strtoul(argv[1], NULL, 10);
	n_clients = strtoul(argv[2], NULL, 10);
	took = calloc(n_requests + CLIENTS_MAX, sizeof(*took));
	if (!took || n_clients > CLIENTS_MAX)
		return 2;
	for (size_t i = 0; i < n_clients; i++) {
		client_open(&clients[i], argv[3 + i % (size_t)(argc - 3)]);
		p[i] = (struct pollfd){.fd = clients[i].fd, .events = POLLIN};
	}
	for (size_t i = 0; i < n_clients; i++)
		ask(&clients[i]);
	while (done < n_requests) {
		if (poll(p, n_clients, 30 * 1000) <= 0)
			fail("poll");
		for (size_t i = 0; i < n_clients; i++) {
			if (!p[i].revents || !hear(&clients[i]))
				continue;
			took[done++] = now() - clients[i].asked;
			ask(&clients[i]);
		}
	}
	qsort(took, done, sizeof(*took), compare);
	printf("%.0f %.0f\n", took[done / 2], took[done * 99 / 100]);
	return 0;
}
