/* SPDX-License-Identifier: MIT */
/* MAC addresses as text: six bytes in hexadecimal with colons between. */
#ifndef HV_BASE_MAC_H
#define HV_BASE_MAC_H

#include <stdbool.h>
#include <stdint.h>

enum { MAC_BYTES = 6, MAC_TEXT_SIZE = 18 };

/* In lower case, as the kernel and QEMU write them. */
void mac_format(char buf[static MAC_TEXT_SIZE], const uint8_t mac[static MAC_BYTES]);

/* The whole string, in either case. ret_mac is written on success only. */
bool mac_parse(const char *s, uint8_t ret_mac[static MAC_BYTES]);

#endif
