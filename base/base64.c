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

/* The value of a digit; -1: it is none. */
static int value_of(char c)
{
	if (c >= 'A' && c <= 'Z')
		return c - 'A';
	if (c >= 'a' && c <= 'z')
		return c - 'a' + 26;
	if (c >= '0' && c <= '9')
		return c - '0' + 52;
	return c == '+' ? 62 : c == '/' ? 63 : -1;
}

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
			int value = j >= len - padding ? 0 : value_of(text[j]);

			if (value < 0) {
				free(data);
				return -EINVAL;
			}
			bits = bits << 6 | (uint32_t)value;
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
