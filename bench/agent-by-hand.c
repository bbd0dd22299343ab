/* SPDX-License-Identifier: MIT */
/*
 * The guest agent's protocol and nothing else, on QEMU's socket:
 *
 *	agent-by-hand SOCKET exec PROGRAM       runs it and asks until it has ended
 *	agent-by-hand SOCKET write PATH BYTES CHUNK [PROGRAM]
 *	agent-by-hand SOCKET read PATH CHUNK [PROGRAM]
 *
 * PROGRAM is run with the path when the file is there. Answers are looked at no closer than needed.
 */
#include <err.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

static int sock;
static char *answer;
static size_t answer_size;

static void say(const char *data, size_t len)
{
	while (len) {
		ssize_t n = write(sock, data, len);

		if (n <= 0)
			err(1, "write");
		data += n;
		len -= (size_t)n;
	}
}

/* The next line, in answer. */
static void hear(void)
{
	size_t len = 0;

	do {
		ssize_t n;

		if (answer_size - len < 65536 &&
		    !(answer = realloc(answer, answer_size += 4 << 20)))
			err(1, "realloc");
		n = read(sock, answer + len, 65536);
		if (n <= 0)
			err(1, "read");
		len += (size_t)n;
	} while (answer[len - 1] != '\n');
	answer[len] = '\0';
	if (strstr(answer, "\"error\""))
		errx(1, "%s", answer);
}

static void ask(const char *line)
{
	say(line, strlen(line));
	hear();
}

static long number(const char *key)
{
	const char *at = strstr(answer, key);

	if (!at)
		errx(1, "no %s in %s", key, answer);
	return strtol(at + strlen(key), NULL, 10);
}

static void run(const char *program, const char *arg)
{
	char line[512];
	long pid;

	(void)snprintf(line, sizeof(line),
		       "{\"execute\":\"guest-exec\",\"arguments\":{\"path\":\"%s\","
		       "\"arg\":[%s%s%s],\"capture-output\":true}}\n",
		       program, arg ? "\"" : "", arg ? arg : "", arg ? "\"" : "");
	ask(line);
	pid = number("\"pid\": ");
	(void)snprintf(line, sizeof(line),
		       "{\"execute\":\"guest-exec-status\",\"arguments\":{\"pid\":%ld}}\n", pid);
	do
		ask(line);
	while (!strstr(answer, "\"exited\": true"));
}

static long open_file(const char *path, const char *mode)
{
	char line[512];

	(void)snprintf(line, sizeof(line),
		       "{\"execute\":\"guest-file-open\",\"arguments\":{\"path\":\"%s\","
		       "\"mode\":\"%s\"}}\n",
		       path, mode);
	ask(line);
	return number("\"return\": ");
}

static void write_file(const char *path, size_t bytes, size_t chunk)
{
	long handle = open_file(path, "w");
	size_t digits = (chunk + 2) / 3 * 4;
	char *line = malloc(digits + 256);
	int head = snprintf(line, 256,
			    "{\"execute\":\"guest-file-write\",\"arguments\":{\"handle\":%ld,"
			    "\"buf-b64\":\"",
			    handle);

	memset(line + head, 'A', digits);
	(void)strcpy(line + head + digits, "\"}}\n");
	for (size_t done = 0; done < bytes; done += chunk)
		ask(line);
	(void)snprintf(line, 256,
		       "{\"execute\":\"guest-file-close\",\"arguments\":{\"handle\":%ld}}\n",
		       handle);
	ask(line);
}

static void read_file(const char *path, size_t chunk)
{
	long handle = open_file(path, "r");
	char line[256];

	(void)snprintf(line, sizeof(line),
		       "{\"execute\":\"guest-file-read\",\"arguments\":{\"handle\":%ld,"
		       "\"count\":%zu}}\n",
		       handle, chunk);
	do
		ask(line);
	while (!strstr(answer, "\"eof\": true"));
	(void)snprintf(line, sizeof(line),
		       "{\"execute\":\"guest-file-close\",\"arguments\":{\"handle\":%ld}}\n",
		       handle);
	ask(line);
}

int main(int argc, char **argv)
{
	struct sockaddr_un to = {.sun_family = AF_UNIX};

	if (argc < 4 || strlen(argv[1]) >= sizeof(to.sun_path))
		errx(2, "usage: see the source");
	(void)strcpy(to.sun_path, argv[1]);
	sock = socket(AF_UNIX, SOCK_STREAM, 0);
	if (sock < 0 || connect(sock, (struct sockaddr *)&to, sizeof(to)) < 0)
		err(1, "connect to %s", argv[1]);
	ask("{\"execute\":\"guest-sync\",\"arguments\":{\"id\":1}}\n");
	if (!strcmp(argv[2], "exec"))
		run(argv[3], NULL);
	else if (!strcmp(argv[2], "write") && argc > 5)
		write_file(argv[3], strtoul(argv[4], NULL, 10), strtoul(argv[5], NULL, 10));
	else if (argc > 4)
		read_file(argv[3], strtoul(argv[4], NULL, 10));
	if (!strcmp(argv[2], "write") && argc > 6)
		run(argv[6], argv[3]);
	if (!strcmp(argv[2], "read") && argc > 5)
		run(argv[5], argv[3]);
	return 0;
}
