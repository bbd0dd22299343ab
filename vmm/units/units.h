/* SPDX-License-Identifier: MIT */
/*
 * Supervisors as systemd's units: hv@NAME.service and hv-net@NAME.service in
 * place of processes in the background.
 */
#ifndef HV_VMM_UNITS_H
#define HV_VMM_UNITS_H

#include "base/paths.h"

#include <stdbool.h>

struct error;

/* Whether supervisors are systemd's: it is process 1, the units are installed,
 * and configuration, state and run folder are the ones that they know. */
bool units_wanted(const struct paths *paths);

struct units_start {
	const struct paths *paths;
	enum paths_kind kind;
	const char *name;
	int ready_fd;
};

/*
 * Starts a unit and waits until it is up or has failed, which it tells ready_fd
 * as the supervisor itself would (vmm/ready.h). Where the configuration says
 * something else than systemd was told, systemd reads it first. SIGTERM stops
 * the unit again. arg is a struct units_start; for a process of its own
 * (base/child.h), as whose status it returns 0 or 1.
 */
int units_start_run(void *arg);

/*
 * What is to be done when a unit's supervisor has ended, as ExecStopPost=: result
 * is systemd's $SERVICE_RESULT. A supervisor that was killed, while nobody asked
 * for the end, leaves what it had to the next one, and that of a network is
 * started again from here. In all other cases what is left is ended.
 */
int units_after_end(const struct paths *paths, enum paths_kind kind, const char *name,
		    const char *result, struct error *err);

#endif
