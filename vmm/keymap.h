/* SPDX-License-Identifier: MIT */
/* Keys by QEMU's names (QKeyCode): what a US keyboard needs to type a text, and
 * combinations as people write them. Pure. */
#ifndef HV_VMM_KEYMAP_H
#define HV_VMM_KEYMAP_H

#include <jansson.h>
#include <stdbool.h>

struct error;

enum { KEYMAP_KEYS_MAX = 8 };

/* The key of a character, and whether shift is held; NULL: a US keyboard has none. Newline
 * is "ret". */
const char *keymap_of_character(unsigned char c, bool *ret_shift);

/* The names of a combination, "ctrl-alt-delete": all go down in that order and up again in
 * the other. *ret_n of them. -EINVAL names the one that is no key. */
int keymap_parse(const char *combination, const char *ret_names[static KEYMAP_KEYS_MAX],
		 size_t *ret_n, struct error *err);

/* Arguments of input-send-event that press and release keys; NULL: out of memory. */
json_t *keymap_events(const char *const *names, size_t n);

#endif
