/* SPDX-License-Identifier: MIT */
#include "vmm/json.h"

#include "base/str.h"

#include <stdio.h>
#include <string.h>

void json_format_mac(char buf[static 18], const uint8_t mac[static 6])
{
	(void)str_format(buf, 18, "%02x:%02x:%02x:%02x:%02x:%02x", mac[0], mac[1], mac[2], mac[3],
			 mac[4], mac[5]);
}

bool json_parse_mac(const char *s, uint8_t ret_mac[static 6])
{
	static const char digits[] = "0123456789abcdef";
	uint8_t mac[6];

	if (strlen(s) != 17)
		return false;
	for (size_t i = 0; i < 6; i++) {
		const char *high = strchr(digits, s[i * 3]), *low = strchr(digits, s[i * 3 + 1]);

		if (!high || !low || (i < 5 && s[i * 3 + 2] != ':'))
			return false;
		mac[i] = (uint8_t)((high - digits) << 4 | (low - digits));
	}
	memcpy(ret_mac, mac, sizeof(mac));
	return true;
}

const char *json_get_string(json_t *object, const char *key)
{
	return json_string_value(json_object_get(object, key));
}
