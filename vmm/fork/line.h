/* SPDX-License-Identifier: MIT */
/* Talking to a QEMU that migrates, or to the supervisor of one. */
#ifndef HV_VMM_LINE_H
#define HV_VMM_LINE_H

#include "base/error.h"
#include "base/paths.h"
#include "qmp/sync.h"

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>
#include <systemd/sd-event.h>

/* A QMP connection whose calls wait for their answers, and what its events told meanwhile. */
struct line {
	sd_event *event; /* borrowed */
	struct qmp_sync *sync; /* NULL: not connected */
	const char *who; /* for errors; static */
	char migration[32]; /* the last status of MIGRATION, "" before the first */
	bool stands; /* between STOP and RESUME */
	void (*on_stand)(bool stands, void *arg); /* where that changes; may be NULL */
	void *on_stand_arg;
	uint64_t stop_usec; /* since when, as QEMU's clock has it */
	uint64_t stood_usec; /* for how long it stood so far, all in all */
};

/* To a machine's supervisor. -ENOTCONN: it is not up. */
int line_open_vm(struct line *l, sd_event *event, const struct paths *paths, const char *vm,
		 struct error *err);
/* Takes over fd. */
int line_open(struct line *l, sd_event *event, const char *who, int fd, struct error *err);
void line_close(struct line *l);
/* Whether the other end has gone. */
bool line_is_closed(const struct line *l);
/* args is stolen. *ret_result (may be NULL) is the caller's. */
int line_call(struct line *l, const char *command, json_t *args, json_t **ret_result,
	      struct error *err);
/* The same with a descriptor, which stays the caller's. */
int line_call_fd(struct line *l, const char *command, json_t *args, int fd, struct error *err);
/* The next event, for at most usec (UINT64_MAX: for ever). */
int line_turn(struct line *l, uint64_t usec, struct error *err);
/* Until the migration has that status, or is over; -EIO where it failed. tick (may be NULL) is
 * called four times a second, and -ECANCELED comes where the user interrupts meanwhile. */
int line_await_migration(struct line *l, const char *status, void (*tick)(void *arg), void *arg,
			 struct error *err);
/* Whether a migration of that status goes on, or is about to begin (""). NULL: there is none. */
bool line_status_is_under_way(const char *status);
/* Returns when it is over: nothing can be set before that, and the guest may stand until then. */
int line_cancel_migration(struct line *l, struct error *err);
/* Lets the guest go on; returns when it runs. */
int line_run_on(struct line *l, struct error *err);
/* Capabilities of migration, switched on or off. */
int line_set_capabilities(struct line *l, const char *const names[], bool on, struct error *err);

#endif
