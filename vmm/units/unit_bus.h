/* SPDX-License-Identifier: MIT */
/*
 * Talking to systemd about one unit. Every call waits for its answer, so it is
 * for processes that have nothing else to do.
 */
#ifndef HV_VMM_UNIT_BUS_H
#define HV_VMM_UNIT_BUS_H

#include "base/paths.h"
#include "base/str.h"

#include <systemd/sd-bus.h>

struct error;

struct unit_bus {
	sd_bus *bus;
	char *unit; /* "hv@dc01.service" */
	char *path; /* of its object */
};

/* Connects to systemd itself, as systemctl does for root, or by the system's bus. */
int unit_bus_open(enum paths_kind kind, const char *name, struct unit_bus *ret_bus,
		  struct error *err);
void unit_bus_close(struct unit_bus *b); /* accepts a zeroed one */

/* Queues a job, "StartUnit" or "StopUnit"; its object's path is the caller's. */
int unit_bus_queue(struct unit_bus *b, const char *method, char **ret_job, struct error *err);

/* Has systemd read its units again, by way of the generators. */
int unit_bus_reload(struct unit_bus *b, struct error *err);

/* Forgets that it failed, and how often it was started. */
void unit_bus_reset(struct unit_bus *b);

/* Why it failed, in the words of the process itself where it left some: always
 * returns the negative code of err. */
int unit_bus_failure(struct unit_bus *b, const char *job_result, struct error *err);

/* The type of the job that is queued or runs for it, "stop"; NULL: none. The
 * caller's. */
char *unit_bus_job_type(struct unit_bus *b);

#endif
