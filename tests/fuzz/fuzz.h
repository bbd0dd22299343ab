/* SPDX-License-Identifier: MIT */
/*
 * For libFuzzer targets. An input is the text that a peer would send, so that
 * the corpus can be read; its last byte says how it is cut into pieces: 0 and
 * line ends leave it whole, any other byte is the most that comes at once.
 *
 * fuzz_check() holds in every build: what is found is a crash.
 */
#ifndef HV_TESTS_FUZZ_H
#define HV_TESTS_FUZZ_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define fuzz_check(condition)                                                            \
	do {                                                                             \
		if (!(condition)) {                                                      \
			fprintf(stderr, "%s:%d: %s does not hold\n", __FILE__, __LINE__, \
				#condition);                                             \
			abort();                                                         \
		}                                                                        \
	} while (0)

struct fuzz_chunks {
	const uint8_t *data;
	size_t left;
	uint32_t most, state;
};

static inline struct fuzz_chunks fuzz_cut(const uint8_t *data, size_t size)
{
	uint8_t last = size ? data[size - 1] : 0;

	return (struct fuzz_chunks){
		.data = data,
		.left = size,
		.most = last == '\n' ? 0 : last,
		.state = last,
	};
}

/* The next piece, no shorter than one byte; false at the end. */
static inline bool fuzz_next(struct fuzz_chunks *c, const uint8_t **ret_data, size_t *ret_len)
{
	size_t len = c->left;

	if (!c->left)
		return false;
	if (c->most) {
		c->state = c->state * 1664525U + 1013904223U;
		len = 1 + (c->state >> 16) % c->most;
		len = len < c->left ? len : c->left;
	}
	*ret_data = c->data;
	*ret_len = len;
	c->data += len;
	c->left -= len;
	return true;
}

/* Whether a terminal would show it as it is: no control byte. */
static inline bool fuzz_is_plain(const char *text)
{
	for (; *text; text++)
		if ((unsigned char)*text < 0x20 || *text == 0x7f)
			return false;
	return true;
}

#endif
