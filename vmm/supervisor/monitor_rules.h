/* SPDX-License-Identifier: MIT */
/*
 * QEMU's commands that a client of the control socket does not get, because they would
 * take from hvup what it lives by or end QEMU in its jail. One table, with the reason that
 * the client is told. Pure.
 *
 * `quit` is none of them: QEMU ends in order, and hvup sees it end.
 */
#ifndef HV_VMM_MONITOR_RULES_H
#define HV_VMM_MONITOR_RULES_H

#include <jansson.h>

/* The reason why a command is refused; NULL: it is not. args may be NULL. */
const char *monitor_rule(const char *command, json_t *args);

#endif
