/* SPDX-License-Identifier: MIT */
/*
 * The gate of one jailed program: while it is open, system calls that its profile
 * allows for the start are carried out; once it is closed, never more. A call that is
 * refused then is logged by its name.
 *
 * Where the profile is watched (enum jail_watch) the gate stays open and every call
 * that comes is counted instead.
 */
#ifndef HV_VMM_SEAL_H
#define HV_VMM_SEAL_H

#include "jail/profile.h"
#include "jail/seal.h"

#include <jansson.h>
#include <systemd/sd-event.h>

struct error;
struct seal;

struct seal_options {
	const char *owner; /* "vm 'dc01'", for the log; copied */
	const struct jail_profile *profile;
	struct jail_situation situation;
	/* Who answers until the gate is closed; none: seal_new()'s loop. Taken over. */
	struct jail_answerer answerer;
	/* The file of the guest's memory, where seal_new()'s loop answers; borrowed until the
	 * gate is closed. -1: none. */
	int memory_fd;
};

/* Takes over the listener. */
int seal_new(sd_event *event, int listener, const struct seal_options *options,
	     struct seal **ret_seal, struct error *err);

/* From now on every call for the start is refused. Accepts NULL. */
void seal_close_gate(struct seal *s);

void seal_free(struct seal *s); /* accepts NULL */

/* What was counted; NULL where nothing was watched. A new reference:
 * {"program", "rows": [{"syscall", "phase", "margin", "why", "start", "sealed"}],
 *  "beyond": [{"syscall", "arguments", "start", "sealed"}]} */
json_t *seal_describe(const struct seal *s);

#endif
