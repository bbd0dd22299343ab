/* SPDX-License-Identifier: MIT */
/*
 * Events of hvup's own, in the form of QEMU's: that a machine has come, and that it has gone.
 * QEMU has none for the one, and can say nothing of the other where it was killed.
 */
#ifndef HV_VMM_LIFE_EVENTS_H
#define HV_VMM_LIFE_EVENTS_H

#include <jansson.h>
#include <stdbool.h>

struct strbuf;

#define LIFE_STARTED "HV_STARTED"
#define LIFE_ENDED "HV_ENDED"

/* A whole message with the time that it is now, which the caller drops; NULL: out of memory. */
json_t *life_event_started(void);
/* how: "in-order", say; reason may be NULL. */
json_t *life_event_ended(const char *how, const char *reason, bool restarts);

/* As entries of query-qmp-schema, with commas in front. */
void life_event_add_schema(struct strbuf *into);

#endif
