/* SPDX-License-Identifier: MIT */
/* Private to jail/: what /proc says of a process, as texts. Pure. */
#ifndef HV_JAIL_LOOK_TEXT_H
#define HV_JAIL_LOOK_TEXT_H

#include "jail/look.h"

/* Out of /proc/PID/status. False where a field is missing or is none. */
bool look_text_status(const char *text, struct jail_facts *facts);

/* Counts the mounts of /proc/PID/mountinfo. */
void look_text_mounts(const char *text, struct jail_facts *facts);

/* Out of /proc/PID/limits. False where a limit is missing. */
bool look_text_limits(const char *text, struct jail_facts *facts);

#endif
