/* SPDX-License-Identifier: MIT */
/*
 * Many clients of one QMP server that hang up when they like. Each request is a command
 * that does not exist, under a name of its own, which QEMU's refusal repeats: so it is seen
 * whose answer comes, whatever the id says. Fails where an answer is lost, doubled, or
 * another's.
 *
 * usage: qmp-clients SOCKET CLIENTS REQUESTS
 */
#include <errno.h>
#include <poll.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

enum { CLIENTS_MAX = 100, IN_FLIGHT = 8, LINE_MAX_BYTES = 65536, WAIT_MS = 30 * 1000 };

struct client {
	int fd;
	unsigned number, generation;
	unsigned asked[IN_FLIGHT]; /* 0: free */
	bool negotiated, closing;
	char input[LINE_MAX_BYTES];
	size_t len;
};

static struct client clients[CLIENTS_MAX];
static const char *path;
static unsigned n_clients, next_request = 1, n_requests, n_answers, n_hangups, n_dropped;
static unsigned random_state = 12345;

static unsigned any(unsigned below)
{
	random_state = random_state * 1664525U + 1013904223U;
	return (random_state >> 8) % below;
}

static _Noreturn void die(const struct client *c, const char *what, const char *line)
{
	fprintf(stderr, "client %u.%u: %s: %s\n", c->number, c->generation, what, line);
	exit(1);
}

static void say(struct client *c, const char *text)
{
	size_t len = strlen(text);

	while (len) {
		ssize_t n = send(c->fd, text, len, MSG_NOSIGNAL);

		if (n < 0)
			die(c, "send", strerror(errno));
		text += n;
		len -= (size_t)n;
	}
}

static void client_open(struct client *c)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};

	c->fd = socket(AF_UNIX, SOCK_STREAM, 0);
	memcpy(address.sun_path, path, strlen(path));
	if (c->fd < 0 || connect(c->fd, (struct sockaddr *)&address, sizeof(address)) < 0)
		die(c, "connect", strerror(errno));
	memset(c->asked, 0, sizeof(c->asked));
	c->negotiated = false;
	c->len = 0;
	c->generation++;
	say(c, "{\"execute\": \"qmp_capabilities\"}\n");
}

static unsigned pending(const struct client *c)
{
	unsigned n = 0;

	for (size_t i = 0; i < IN_FLIGHT; i++)
		n += c->asked[i] != 0;
	return n;
}

static void client_ask(struct client *c)
{
	char line[256];

	for (size_t i = 0; i < IN_FLIGHT && next_request <= n_requests; i++) {
		if (c->asked[i] || any(3) == 0)
			continue;
		c->asked[i] = next_request++;
		snprintf(line, sizeof(line),
			 "{\"execute\": \"none-%u-%u-%u\", \"id\": \"%u-%u-%u\"}\n", c->number,
			 c->generation, c->asked[i], c->number, c->generation, c->asked[i]);
		say(c, line);
	}
}

static void client_take(struct client *c, const char *line)
{
	unsigned number = 0, generation = 0, request = 0;
	unsigned id_number = 0, id_generation = 0, id_request = 0;
	const char *name = strstr(line, "none-"), *id = strstr(line, "\"id\"");

	if (strstr(line, "\"QMP\"") || strstr(line, "\"event\""))
		return;
	if (!c->negotiated && strstr(line, "\"return\"")) {
		c->negotiated = true;
		return;
	}
	id = id ? strpbrk(id + 4, "0123456789") : NULL;
	if (!name || !id || sscanf(name, "none-%u-%u-%u", &number, &generation, &request) != 3 ||
	    sscanf(id, "%u-%u-%u", &id_number, &id_generation, &id_request) != 3)
		die(c, "what is this", line);
	if (number != c->number || generation != c->generation || id_number != number ||
	    id_generation != generation || id_request != request)
		die(c, "another's answer", line);
	for (size_t i = 0; i < IN_FLIGHT; i++)
		if (c->asked[i] == request) {
			c->asked[i] = 0;
			n_answers++;
			return;
		}
	die(c, "answered twice", line);
}

static void client_read(struct client *c)
{
	ssize_t n = recv(c->fd, c->input + c->len, sizeof(c->input) - 1 - c->len, 0);
	char *line = c->input, *end;

	if (n <= 0)
		die(c, "hung up on", n < 0 ? strerror(errno) : "end");
	c->len += (size_t)n;
	c->input[c->len] = '\0';
	while ((end = strchr(line, '\n')) != NULL) {
		*end = '\0';
		client_take(c, line);
		line = end + 1;
	}
	c->len -= (size_t)(line - c->input);
	memmove(c->input, line, c->len);
}

/* Hangs up in the middle of what it asked, and comes back as another. */
static void client_hang_up(struct client *c)
{
	n_hangups++;
	n_dropped += pending(c);
	close(c->fd);
	client_open(c);
}

static bool all_are_done(void)
{
	for (unsigned i = 0; i < n_clients; i++)
		if (pending(&clients[i]))
			return false;
	return next_request > n_requests;
}

int main(int argc, char **argv)
{
	struct pollfd p[CLIENTS_MAX];

	if (argc != 4 || strlen(argv[1]) >= sizeof(((struct sockaddr_un *)0)->sun_path) ||
	    strtoul(argv[2], NULL, 10) > CLIENTS_MAX) {
		fprintf(stderr, "usage: qmp-clients SOCKET CLIENTS REQUESTS\n");
		return 2;
	}
	path = argv[1];
	n_clients = (unsigned)strtoul(argv[2], NULL, 10);
	n_requests = (unsigned)strtoul(argv[3], NULL, 10);
	for (unsigned i = 0; i < n_clients; i++) {
		clients[i].number = i;
		client_open(&clients[i]);
	}
	while (!all_are_done()) {
		for (unsigned i = 0; i < n_clients; i++) {
			if (next_request <= n_requests && any(200) == 0)
				client_hang_up(&clients[i]);
			client_ask(&clients[i]);
			p[i] = (struct pollfd){.fd = clients[i].fd, .events = POLLIN};
		}
		if (poll(p, n_clients, WAIT_MS) <= 0) {
			fprintf(stderr, "answers are lost\n");
			return 1;
		}
		for (unsigned i = 0; i < n_clients; i++)
			if (p[i].revents)
				client_read(&clients[i]);
	}
	printf("%u requests: %u answers, %u taken along by %u clients that hung up\n", n_requests,
	       n_answers, n_dropped, n_hangups);
	return n_answers + n_dropped == n_requests && n_hangups ? 0 : 1;
}
