/* SPDX-License-Identifier: MIT */
#include "firmware/variables.h"

#include "base/cleanup.h"

#include <stdbool.h>
#include <string.h>

enum { GUID_BYTES = 16 };

/* A firmware volume's header, and that of the store behind it. */
enum {
	VOLUME_AT_SIGNATURE = 40,
	VOLUME_AT_HEADER_BYTES = 48,
	VOLUME_BYTES_MIN = 56,
	STORE_AT_BYTES = 16,
	STORE_BYTES = 28,
};

/* A variable's header; behind it stand its name and its data. */
enum {
	VARIABLE_START = 0x55aa,
	VARIABLE_AT_STATE = 2,
	VARIABLE_AT_NAME_BYTES = 36,
	VARIABLE_AT_DATA_BYTES = 40,
	VARIABLE_AT_GUID = 44,
	VARIABLE_BYTES = 60,
	STATE_ADDED = 0x3f, /* bits are cleared, as flash does it */
	STATE_NOT_DELETED = 0x02,
};

/* aaf32c78-947b-439a-a180-2e144ec37792: a store with authenticated variables. */
static const uint8_t authenticated[GUID_BYTES] = {0x78, 0x2c, 0xf3, 0xaa, 0x7b, 0x94, 0x9a, 0x43,
						  0xa1, 0x80, 0x2e, 0x14, 0x4e, 0xc3, 0x77, 0x92};

static const struct identity {
	const char *name;
	uint8_t guid[GUID_BYTES];
} identities[] = {
	/* systemd-boot: what keeps copies of one random seed apart. It makes a new one. */
	{"LoaderSystemToken",
	 {0x82, 0xb0, 0x67, 0x4a, 0x4c, 0x0a, 0xcf, 0x41, 0xb6, 0xc7, 0x44, 0x0b, 0x29, 0xbb, 0x8c,
	  0x4f}},
	/* DHCPv6's DUID. */
	{"ClientId",
	 {0xa1, 0xa8, 0xb9, 0x9f, 0x4a, 0x2f, 0xa6, 0x43, 0x88, 0x9c, 0xd0, 0xf7, 0xb6, 0xc4, 0x7a,
	  0xd5}},
	/* The iSCSI initiator's name. */
	{"I_NAME",
	 {0x45, 0x49, 0x32, 0x59, 0x44, 0xec, 0x0d, 0x4c, 0xb1, 0xcd, 0x9d, 0xb1, 0x39, 0xdf, 0x07,
	  0x0c}},
};

static uint32_t le32(const uint8_t *p)
{
	return p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24;
}

static uint32_t le16(const uint8_t *p)
{
	return p[0] | (uint32_t)p[1] << 8;
}

/* In UTF-16, with its end. */
static bool is_name(const uint8_t *utf16, size_t bytes, const char *name)
{
	if (bytes != 2 * (strlen(name) + 1))
		return false;
	for (size_t i = 0; i < bytes / 2; i++)
		if (utf16[2 * i] != (uint8_t)name[i] || utf16[2 * i + 1])
			return false;
	return true;
}

static bool tells_apart(const uint8_t *variable, size_t name_bytes)
{
	for (size_t i = 0; i < ARRAY_SIZE(identities); i++)
		if (memcmp(variable + VARIABLE_AT_GUID, identities[i].guid, GUID_BYTES) == 0 &&
		    is_name(variable + VARIABLE_BYTES, name_bytes, identities[i].name))
			return true;
	return false;
}

/* The variables, from their first one to the store's end. */
static bool find_variables(const uint8_t *store, size_t len, size_t *ret_at, size_t *ret_end)
{
	size_t at, bytes;

	if (len < VOLUME_BYTES_MIN || memcmp(store + VOLUME_AT_SIGNATURE, "_FVH", 4) != 0)
		return false;
	at = le16(store + VOLUME_AT_HEADER_BYTES);
	if (at > len || len - at < STORE_BYTES ||
	    memcmp(store + at, authenticated, GUID_BYTES) != 0)
		return false;
	bytes = le32(store + at + STORE_AT_BYTES);
	if (bytes < STORE_BYTES || bytes > len - at)
		return false;
	*ret_at = at + STORE_BYTES;
	*ret_end = at + bytes;
	return true;
}

size_t firmware_variables_forget(uint8_t *store, size_t len)
{
	size_t at, end, n = 0;

	if (!find_variables(store, len, &at, &end))
		return 0;
	while (end - at >= VARIABLE_BYTES && le16(store + at) == VARIABLE_START) {
		uint8_t *variable = store + at;
		uint64_t name = le32(variable + VARIABLE_AT_NAME_BYTES);
		uint64_t data = le32(variable + VARIABLE_AT_DATA_BYTES);
		uint64_t bytes = VARIABLE_BYTES + name + data;

		if (bytes > end - at)
			break;
		if (tells_apart(variable, name)) {
			n += variable[VARIABLE_AT_STATE] == STATE_ADDED;
			variable[VARIABLE_AT_STATE] &= (uint8_t)~STATE_NOT_DELETED;
			memset(variable + VARIABLE_BYTES + name, 0, data);
		}
		bytes = (bytes + 3) & ~(uint64_t)3;
		at = bytes > end - at ? end : at + bytes;
	}
	return n;
}
