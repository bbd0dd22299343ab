/* SPDX-License-Identifier: MIT */
/*
 * A VNC client on a unix socket, by the specification of version 3.8. It says on
 * standard output what it meets:
 *
 *   screen WIDTH HEIGHT NAME
 *   picture PIXELS COLOURS     of the whole screen: pixels that are not black, and how
 *                              many colours there are, up to 256
 *   refused WORDS              in place of these
 *
 * and keeps its connection until its standard input ends; then its status is 0. It is 1
 * where it was hung up on before, and 2 where the server does not keep to the
 * specification.
 *
 * usage: vnc-client SOCKET
 */
#include <arpa/inet.h>
#include <poll.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

enum { COLOURS_MAX = 256, SIDE_MAX = 8192, WORDS_MAX = 1000 };

static int sock;

_Noreturn static void wrong(const char *what)
{
	fprintf(stderr, "vnc-client: %s\n", what);
	exit(2);
}

static char input[64 * 1024];
static size_t input_begin, input_end;

static void get(void *data, size_t len)
{
	char *at = data;

	for (; len; len--) {
		if (input_begin == input_end) {
			ssize_t n = read(sock, input, sizeof(input));

			if (n <= 0) {
				puts("hung up on");
				exit(1);
			}
			input_begin = 0;
			input_end = (size_t)n;
		}
		*at++ = input[input_begin++];
	}
}

static void put(const void *data, size_t len)
{
	if (send(sock, data, len, MSG_NOSIGNAL) != (ssize_t)len)
		wrong("the server takes nothing");
}

static unsigned get_8(void)
{
	uint8_t v;

	get(&v, sizeof(v));
	return v;
}

static unsigned get_16(void)
{
	uint16_t v;

	get(&v, sizeof(v));
	return ntohs(v);
}

static uint32_t get_32(void)
{
	uint32_t v;

	get(&v, sizeof(v));
	return ntohl(v);
}

static void get_words(char words[static WORDS_MAX + 1])
{
	uint32_t len = get_32();

	if (len > WORDS_MAX)
		wrong("a text that is too long");
	get(words, len);
	words[len] = '\0';
}

static void shake_hands(void)
{
	char version[12], words[WORDS_MAX + 1];
	unsigned n;
	bool none = false;

	get(version, sizeof(version));
	if (memcmp(version, "RFB 003.008\n", sizeof(version)) != 0)
		wrong("not version 3.8");
	/* One that refuses may have hung up already. */
	(void)send(sock, version, sizeof(version), MSG_NOSIGNAL);
	n = get_8();
	if (n == 0) {
		get_words(words);
		printf("refused %s\n", words);
		exit(1);
	}
	while (n--)
		none = get_8() == 1 || none;
	if (!none)
		wrong("it asks who we are");
	put("\1", 1);
	if (get_32() != 0)
		wrong("it does not let us in");
	/* Beside others. */
	put("\1", 1);
}

static void skip(size_t len)
{
	char chunk[256];

	for (; len; len -= len < sizeof(chunk) ? len : sizeof(chunk))
		get(chunk, len < sizeof(chunk) ? len : sizeof(chunk));
}

static uint32_t colours[COLOURS_MAX];
static unsigned n_colours;

static void count_colour(uint32_t colour)
{
	unsigned i = 0;

	while (i < n_colours && colours[i] != colour)
		i++;
	if (i == n_colours && n_colours < COLOURS_MAX)
		colours[n_colours++] = colour;
}

enum { ENCODING_RAW = 0, ENCODING_SIZE = -223 };

static unsigned width, height; /* of the screen */

static void ask_for_all(void)
{
	const uint8_t all[] = {3,
			       0,
			       0,
			       0,
			       0,
			       0,
			       (uint8_t)(width >> 8),
			       (uint8_t)width,
			       (uint8_t)(height >> 8),
			       (uint8_t)height};

	put(all, sizeof(all));
}

/* One rectangle, uncompressed; returns the pixels that are not black. A screen that
 * gets another size is asked for anew. */
static unsigned long read_rectangle(unsigned long *ret_pixels)
{
	unsigned long w, h, lit = 0;
	int32_t encoding;

	skip(4);
	w = get_16();
	h = get_16();
	encoding = (int32_t)get_32();
	if (encoding == ENCODING_SIZE) {
		width = (unsigned)w;
		height = (unsigned)h;
		*ret_pixels = 0;
		ask_for_all();
		return 0;
	}
	if (encoding != ENCODING_RAW)
		wrong("an encoding that was not asked for");
	for (unsigned long i = 0; i < w * h; i++) {
		uint32_t pixel;

		get(&pixel, sizeof(pixel));
		pixel &= 0xffffff;
		lit += pixel != 0;
		count_colour(pixel);
	}
	*ret_pixels += w * h;
	return lit;
}

static void look(void)
{
	static const uint8_t format[] = {0, 0,   0, 0,   32, 24, 0, 1, 0, 255,
					 0, 255, 0, 255, 16, 8,  0, 0, 0, 0};
	/* Raw, and the screen's size where it changes. */
	static const uint8_t encodings[] = {2, 0, 0, 2, 0, 0, 0, 0, 0xff, 0xff, 0xff, 0x21};
	unsigned long pixels = 0, lit = 0;

	put(format, sizeof(format));
	put(encodings, sizeof(encodings));
	ask_for_all();
	while (pixels < (unsigned long)width * height) {
		if (get_8() != 0)
			wrong("a message that is no picture");
		skip(1);
		for (unsigned n = get_16(); n; n--)
			lit += read_rectangle(&pixels);
	}
	printf("picture %lu %u\n", lit, n_colours);
	fflush(stdout);
}

/* Until standard input ends, or the server hangs up. */
static int stay(void)
{
	struct pollfd p[] = {{.fd = STDIN_FILENO, .events = POLLIN},
			     {.fd = sock, .events = POLLIN}};
	char chunk[4096];

	for (;;) {
		if (poll(p, 2, -1) < 0)
			wrong("poll");
		if (p[0].revents && read(STDIN_FILENO, chunk, sizeof(chunk)) <= 0)
			return 0;
		if (p[1].revents && read(sock, chunk, sizeof(chunk)) <= 0) {
			puts("hung up on");
			return 1;
		}
	}
}

int main(int argc, char **argv)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	char name[WORDS_MAX + 1];

	if (argc != 2 || strlen(argv[1]) >= sizeof(address.sun_path))
		wrong("usage: vnc-client SOCKET");
	strcpy(address.sun_path, argv[1]);
	sock = socket(AF_UNIX, SOCK_STREAM, 0);
	if (sock < 0 || connect(sock, (struct sockaddr *)&address, sizeof(address)) < 0) {
		perror("connect");
		return 1;
	}
	shake_hands();
	width = get_16();
	height = get_16();
	skip(16);
	get_words(name);
	if (!width || !height || width > SIDE_MAX || height > SIDE_MAX)
		wrong("a screen of no size");
	printf("screen %u %u %s\n", width, height, name);
	fflush(stdout);
	look();
	return stay();
}
