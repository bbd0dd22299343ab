/* SPDX-License-Identifier: MIT */
/* Small helps around jansson, and MACs as text. */
#ifndef HV_VMM_JSON_H
#define HV_VMM_JSON_H

#include "base/mac.h"

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

static inline void cleanup_json_fn(json_t **j)
{
	json_decref(*j);
}
#define cleanup_json __attribute__((cleanup(cleanup_json_fn)))

/* A MAC as hvup writes it: in lower case, and no other. */
bool json_parse_mac(const char *s, uint8_t ret_mac[static MAC_BYTES]);

/* The string at key of object, or NULL where it is not one. Borrowed. */
const char *json_get_string(json_t *object, const char *key);

#endif
