/* SPDX-License-Identifier: MIT */
/* Numbers as qcow2 has them, at any address; qcow2_put() (disk/qcow2_write.h) writes them. */
#ifndef HV_DISK_BIG_ENDIAN_H
#define HV_DISK_BIG_ENDIAN_H

#include <stdint.h>

static inline uint32_t be16(const uint8_t *p)
{
	return (uint32_t)p[0] << 8 | p[1];
}

static inline uint32_t be32(const uint8_t *p)
{
	return be16(p) << 16 | be16(p + 2);
}

static inline uint64_t be64(const uint8_t *p)
{
	return (uint64_t)be32(p) << 32 | be32(p + 4);
}

#endif
