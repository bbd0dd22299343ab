/* SPDX-License-Identifier: MIT */
#include "base/mac.h"

#include "base/str.h"

#include <ctype.h>

void mac_format(char buf[static MAC_TEXT_SIZE], const uint8_t mac[static MAC_BYTES])
{
	(void)str_format(buf, MAC_TEXT_SIZE, "%02x:%02x:%02x:%02x:%02x:%02x", mac[0], mac[1],
			 mac[2], mac[3], mac[4], mac[5]);
}

bool mac_parse(const char *s, uint8_t ret_mac[static MAC_BYTES])
{
	static const char digits[] = "0123456789abcdef";
	uint8_t mac[MAC_BYTES];

	if (strlen(s) != MAC_TEXT_SIZE - 1)
		return false;
	for (size_t i = 0; i < MAC_BYTES; i++) {
		const char *high = strchr(digits, tolower((unsigned char)s[i * 3]));
		const char *low = strchr(digits, tolower((unsigned char)s[i * 3 + 1]));

		if (!high || !low || (i + 1 < MAC_BYTES && s[i * 3 + 2] != ':'))
			return false;
		mac[i] = (uint8_t)((high - digits) << 4 | (low - digits));
	}
	memcpy(ret_mac, mac, sizeof(mac));
	return true;
}
