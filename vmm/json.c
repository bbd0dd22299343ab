/* SPDX-License-Identifier: MIT */
#include "vmm/json.h"

#include "base/str.h"

#include <stdio.h>
#include <string.h>

bool json_parse_mac(const char *s, uint8_t ret_mac[static MAC_BYTES])
{
	char again[MAC_TEXT_SIZE];
	uint8_t mac[MAC_BYTES];

	if (!mac_parse(s, mac))
		return false;
	mac_format(again, mac);
	if (!str_eq(s, again))
		return false;
	memcpy(ret_mac, mac, sizeof(mac));
	return true;
}

const char *json_get_string(json_t *object, const char *key)
{
	return json_string_value(json_object_get(object, key));
}
