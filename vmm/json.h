/* SPDX-License-Identifier: MIT */
/* Small helps around jansson, and MACs as text. */
#ifndef HV_VMM_JSON_H
#define HV_VMM_JSON_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

static inline void cleanup_json_fn(json_t **j)
{
	json_decref(*j);
}
#define cleanup_json __attribute__((cleanup(cleanup_json_fn)))

/* "52:54:00:12:34:56" */
void json_format_mac(char buf[static 18], const uint8_t mac[static 6]);
bool json_parse_mac(const char *s, uint8_t ret_mac[static 6]);

/* The string at key of object, or NULL where it is not one. Borrowed. */
const char *json_get_string(json_t *object, const char *key);

#endif
