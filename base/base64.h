/* SPDX-License-Identifier: MIT */
/* Base64 as RFC 4648 has it, with padding and in one line. Pure. */
#ifndef HV_BASE_BASE64_H
#define HV_BASE_BASE64_H

#include <stddef.h>

/* Characters for that many bytes. */
static inline size_t base64_length(size_t bytes)
{
	return (bytes + 2) / 3 * 4;
}

/* A new string, or NULL when out of memory; the caller frees it. */
char *base64_encode(const void *data, size_t len);

/* The bytes of text, with a NUL behind them, which the caller frees. -EINVAL where it is
 * anything else than canonical base64: no white space, nothing behind the padding, no bits
 * that stand for nothing. */
int base64_decode(const char *text, size_t len, char **ret_data, size_t *ret_len);

#endif
