/* SPDX-License-Identifier: MIT */
/*
 * A client of a running machine's control socket for work that takes its time: commands one
 * after another, and QEMU's jobs to their end. Whoever has one holds the signals that ask it to end
 * (base/interrupt.h): it cannot be interrupted half-way, and hears of them where it waits.
 *
 * A supervisor that is replaced meanwhile is connected to again; the job goes on in QEMU.
 */
#ifndef HV_VMM_ERRAND_H
#define HV_VMM_ERRAND_H

#include "base/paths.h"

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <systemd/sd-event.h>

struct error;
struct errand;

struct errand_watch {
	/* Called some times a second while a wait lasts. May be NULL. */
	void (*tick)(void *arg);
	void *arg;
};

/* Connects. -ENOTCONN where the machine is not up. */
int errand_open(const struct paths *paths, const char *vm, const struct errand_watch *watch,
		struct errand **ret_errand, struct error *err);
void errand_close(struct errand *e); /* accepts NULL */

/* What its waits turn, for whoever waits for something else meanwhile. Borrowed. */
sd_event *errand_event(struct errand *e);

/* As qmp_sync_call(). args is stolen. A connection that breaks is made again, but the command is
 * not said twice: -ECONNRESET. */
int errand_call(struct errand *e, const char *command, json_t *args, uint64_t timeout_ms,
		json_t **ret_result, struct error *err);

/* The same with a descriptor, which stays the caller's. */
int errand_call_fd(struct errand *e, const char *command, json_t *args, int fd, json_t **ret_result,
		   struct error *err);

/*
 * Starts a job by a command that takes a job-id, waits for its end however long that takes, and
 * dismisses it. args, without the id, is stolen. -EREMOTEIO with QEMU's reason where the job
 * failed, -ECONNRESET where QEMU has gone. An interrupt asks QEMU to cancel the job, once; what
 * became of it, the result says all the same.
 */
int errand_job(struct errand *e, const char *command, json_t *args, struct error *err);

#endif
