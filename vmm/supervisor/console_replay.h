/* SPDX-License-Identifier: MIT */
/* What a new viewer of a console sees of the guest's last words. Pure. */
#ifndef HV_VMM_SUPERVISOR_CONSOLE_REPLAY_H
#define HV_VMM_SUPERVISOR_CONSOLE_REPLAY_H

#include <stddef.h>

struct strbuf;

/*
 * Adds them without what a terminal would answer: where is the cursor, what are you, which
 * colours. Whoever asked that has had his answer or does without it, and another one
 * would be typed into whatever reads now. Nor does an old title or clipboard come back.
 * A sequence that is not at its end yet stays.
 */
void console_add_replay(struct strbuf *into, const char *words, size_t len);

#endif
