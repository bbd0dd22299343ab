/* SPDX-License-Identifier: MIT */
#include "base/title.h"

#include <stddef.h>
#include <string.h>
#include <unistd.h>

/* Of more than a page the kernel shows nothing. */
enum { SHOWN_BYTES_MAX = 4096 };

static char *place;
static size_t place_bytes;

void title_init(int argc, char **argv)
{
	char *end = NULL;

	if (argc < 1)
		return;
	place = end = argv[0];
	for (int i = 0; i < argc && argv[i] == end; i++)
		end += strlen(end) + 1;
	for (char **entry = environ; entry && *entry == end; entry++)
		end += strlen(end) + 1;
	place_bytes = (size_t)(end - place);
}

bool title_set(char *const *argv)
{
	size_t room = place_bytes < SHOWN_BYTES_MAX ? place_bytes : SHOWN_BYTES_MAX, len = 0;
	char *to = place;

	for (char *const *word = argv; *word; word++)
		len += strlen(*word) + 1;
	if (!len || len > room)
		return false;
	memset(place, '\0', place_bytes);
	for (char *const *word = argv; *word; word++) {
		size_t n = strlen(*word);

		memcpy(to, *word, n);
		to[n] = ' ';
		to += n + 1;
	}
	to[-1] = '\0';
	return true;
}
