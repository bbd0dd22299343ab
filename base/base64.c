/* SPDX-License-Identifier: MIT */
#include "base/base64.h"

#include <errno.h>
#include <stdint.h>
#include <stdlib.h>

static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

char *base64_encode(const void *data, size_t len)
{
	const unsigned char *p = data;
	char *text = malloc(base64_length(len) + 1), *q = text;

	if (!text)
		return NULL;
	for (; len >= 3; len -= 3, p += 3) {
		*q++ = digits[p[0] >> 2];
		*q++ = digits[(p[0] & 3) << 4 | p[1] >> 4];
		*q++ = digits[(p[1] & 15) << 2 | p[2] >> 6];
		*q++ = digits[p[2] & 63];
	}
	if (len) {
		*q++ = digits[p[0] >> 2];
		*q++ = digits[(p[0] & 3) << 4 | (len == 2 ? p[1] >> 4 : 0)];
		*q++ = len == 2 ? digits[(p[1] & 15) << 2] : '=';
		*q++ = '=';
	}
	*q = '\0';
	return text;
}

/* The value of each digit, and one more; 0: it is none. */
static const unsigned char values[256] = {
	['A'] = 1,  ['B'] = 2,  ['C'] = 3,  ['D'] = 4,  ['E'] = 5,  ['F'] = 6,  ['G'] = 7,
	['H'] = 8,  ['I'] = 9,  ['J'] = 10, ['K'] = 11, ['L'] = 12, ['M'] = 13, ['N'] = 14,
	['O'] = 15, ['P'] = 16, ['Q'] = 17, ['R'] = 18, ['S'] = 19, ['T'] = 20, ['U'] = 21,
	['V'] = 22, ['W'] = 23, ['X'] = 24, ['Y'] = 25, ['Z'] = 26, ['a'] = 27, ['b'] = 28,
	['c'] = 29, ['d'] = 30, ['e'] = 31, ['f'] = 32, ['g'] = 33, ['h'] = 34, ['i'] = 35,
	['j'] = 36, ['k'] = 37, ['l'] = 38, ['m'] = 39, ['n'] = 40, ['o'] = 41, ['p'] = 42,
	['q'] = 43, ['r'] = 44, ['s'] = 45, ['t'] = 46, ['u'] = 47, ['v'] = 48, ['w'] = 49,
	['x'] = 50, ['y'] = 51, ['z'] = 52, ['0'] = 53, ['1'] = 54, ['2'] = 55, ['3'] = 56,
	['4'] = 57, ['5'] = 58, ['6'] = 59, ['7'] = 60, ['8'] = 61, ['9'] = 62, ['+'] = 63,
	['/'] = 64,
};

int base64_decode(const char *text, size_t len, char **ret_data, size_t *ret_len)
{
	size_t padding = 0, n;
	char *data, *q;

	if (len % 4)
		return -EINVAL;
	while (padding < 2 && padding < len && text[len - 1 - padding] == '=')
		padding++;
	n = len / 4 * 3 - padding;
	data = malloc(n + 3);
	if (!data)
		return -ENOMEM;
	q = data;
	for (size_t i = 0; i < len; i += 4) {
		uint32_t bits = 0;

		for (size_t j = i; j < i + 4; j++) {
			unsigned value = j >= len - padding ? 1 : values[(unsigned char)text[j]];

			if (!value) {
				free(data);
				return -EINVAL;
			}
			bits = bits << 6 | (value - 1);
		}
		*q++ = (char)(bits >> 16);
		*q++ = (char)(bits >> 8);
		*q++ = (char)bits;
	}
	/* Bits of the last digit that belong to no byte. */
	for (size_t i = n; i < n + padding; i++)
		if (data[i]) {
			free(data);
			return -EINVAL;
		}
	data[n] = '\0';
	*ret_data = data;
	*ret_len = n;
	return 0;
}
