/* SPDX-License-Identifier: MIT */
/* SHA-256 (FIPS 180-4), to compare what arrived with what was sent. Pure. */
#ifndef HV_BASE_SHA256_H
#define HV_BASE_SHA256_H

#include <stddef.h>
#include <stdint.h>

enum { SHA256_TEXT_BYTES = 65 };

struct sha256 {
	uint32_t state[8];
	uint64_t n_bytes;
	unsigned char block[64];
};

void sha256_init(struct sha256 *h);
void sha256_add(struct sha256 *h, const void *data, size_t len);
/* 64 hexadecimal digits, as sha256sum prints them. h is used up. */
void sha256_finish(struct sha256 *h, char ret_text[static SHA256_TEXT_BYTES]);

#endif
