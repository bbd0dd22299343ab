/* SPDX-License-Identifier: MIT */
/*
 * A DHCP client that asks for a lease under any host name: the bytes of
 * standard input, given in as many options of at most 255 bytes as it takes, so
 * that they may be far more than a name can be.
 *
 * usage: hostile-dhcp INTERFACE LAST-BYTE-OF-MAC
 */
#include <arpa/inet.h>
#include <net/if.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

enum {
	DISCOVER = 1,
	OFFER,
	REQUEST,
	ACK = 5,
	OPTIONS_AT = 236,
	PACKET_MAX = 65000,
	TRIES = 5,
	OPTION_NAME = 12,
	OPTION_ADDRESS = 50,
	OPTION_KIND = 53,
	OPTION_SERVER = 54,
	OPTION_END = 255,
};

static const uint8_t cookie[4] = {99, 130, 83, 99};
static uint8_t name[60000];
static size_t name_len;
static uint8_t mac[6] = {0x52, 0x54, 0, 0xbb, 0};

static size_t build(uint8_t *packet, uint8_t kind, const uint8_t address[4],
		    const uint8_t server[4])
{
	uint8_t *p = packet + OPTIONS_AT;

	memset(packet, 0, PACKET_MAX);
	packet[0] = packet[1] = 1;
	packet[2] = 6;
	memcpy(packet + 4, mac + 2, 4);
	packet[10] = 0x80; /* the answer as a broadcast */
	memcpy(packet + 28, mac, 6);
	memcpy(p, cookie, 4);
	p += 4;
	*p++ = OPTION_KIND, *p++ = 1, *p++ = kind;
	if (kind == REQUEST) {
		*p++ = OPTION_ADDRESS, *p++ = 4;
		memcpy(p, address, 4);
		p += 4;
		*p++ = OPTION_SERVER, *p++ = 4;
		memcpy(p, server, 4);
		p += 4;
	}
	for (size_t at = 0; at < name_len;) {
		size_t n = name_len - at < 255 ? name_len - at : 255;

		*p++ = OPTION_NAME, *p++ = (uint8_t)n;
		memcpy(p, name + at, n);
		p += n;
		at += n;
	}
	*p++ = OPTION_END;
	return (size_t)(p - packet);
}

/* An option of an answer, NULL where it has none of that length. */
static const uint8_t *find(const uint8_t *packet, size_t len, uint8_t kind, uint8_t bytes)
{
	for (size_t at = OPTIONS_AT + 4; at + 2 <= len && packet[at] != OPTION_END;) {
		if (!packet[at]) {
			at++;
			continue;
		}
		if (packet[at] == kind && packet[at + 1] == bytes && at + 2 + bytes <= len)
			return packet + at + 2;
		at += 2U + packet[at + 1];
	}
	return NULL;
}

static uint8_t packet[PACKET_MAX], answer[2048];

/* Asks until that kind of answer comes; its length, 0 where none does. */
static size_t ask(int fd, size_t len, uint8_t kind)
{
	struct sockaddr_in to = {
		.sin_family = AF_INET,
		.sin_port = htons(67),
		.sin_addr.s_addr = INADDR_BROADCAST,
	};

	for (int i = 0; i < TRIES; i++) {
		ssize_t n;

		if (sendto(fd, packet, len, 0, (struct sockaddr *)&to, sizeof(to)) < 0)
			perror("send");
		while ((n = recv(fd, answer, sizeof(answer), 0)) > OPTIONS_AT + 4) {
			const uint8_t *is = find(answer, (size_t)n, OPTION_KIND, 1);

			if (is && *is == kind && memcmp(answer + 28, mac, 6) == 0)
				return (size_t)n;
		}
	}
	return 0;
}

int main(int argc, char **argv)
{
	struct sockaddr_in here = {.sin_family = AF_INET, .sin_port = htons(68)};
	struct timeval second = {.tv_sec = 1};
	int fd = socket(AF_INET, SOCK_DGRAM, 0), on = 1;
	uint8_t address[4] = {0}, server[4] = {0};
	const uint8_t *found;
	size_t len;

	if (argc != 3)
		return 2;
	mac[5] = (uint8_t)strtoul(argv[2], NULL, 0);
	name_len = fread(name, 1, sizeof(name), stdin);
	if (setsockopt(fd, SOL_SOCKET, SO_BINDTODEVICE, argv[1], (socklen_t)strlen(argv[1])) < 0 ||
	    setsockopt(fd, SOL_SOCKET, SO_BROADCAST, &on, sizeof(on)) < 0 ||
	    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &second, sizeof(second)) < 0 ||
	    bind(fd, (struct sockaddr *)&here, sizeof(here)) < 0) {
		perror(argv[1]);
		return 1;
	}
	len = ask(fd, build(packet, DISCOVER, address, server), OFFER);
	found = len ? find(answer, len, OPTION_SERVER, 4) : NULL;
	if (!found) {
		fprintf(stderr, "no offer\n");
		return 1;
	}
	memcpy(server, found, 4);
	memcpy(address, answer + 16, 4);
	if (!ask(fd, build(packet, REQUEST, address, server), ACK)) {
		fprintf(stderr, "not granted\n");
		return 1;
	}
	printf("%u.%u.%u.%u\n", address[0], address[1], address[2], address[3]);
	return 0;
}
