/* SPDX-License-Identifier: MIT */
/* What this host can do, and how to mend what it cannot. Looks and changes
 * nothing. */
#ifndef HV_VMM_DOCTOR_H
#define HV_VMM_DOCTOR_H

#include "base/paths.h"

#include <jansson.h>

struct error;

/*
 * An array of {name, state, detail, remedy}: state is "ok", "missing" (some or
 * all machines cannot run) or "note" (they run, but not as well); remedy is
 * a command or null.
 */
int doctor_examine(const struct paths *paths, json_t **ret_list, struct error *err);

#endif
