/* SPDX-License-Identifier: MIT */
/*
 * QMP for whoever waits: a call returns with its answer. While one waits, and in
 * qmp_sync_turn(), an sd-event loop turns, with whatever else the caller has on it, and
 * events come to a handler.
 */
#ifndef HV_QMP_SYNC_H
#define HV_QMP_SYNC_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <systemd/sd-event.h>

struct error;
struct qmp_sync;

/* An event; the whole message, borrowed. It must neither call nor turn. */
typedef void (*qmp_sync_event_fn)(const char *name, json_t *message, void *arg);

/* Takes over fd. The handshake is part of the first call. */
int qmp_sync_open(int fd, struct qmp_sync **ret_sync, struct error *err);
/* The same on a loop of the caller's, or, where event is NULL, of its own. on_event may be NULL. */
int qmp_sync_open_on(sd_event *event, int fd, qmp_sync_event_fn on_event, void *arg,
		     struct qmp_sync **ret_sync, struct error *err);
void qmp_sync_close(struct qmp_sync *s); /* accepts NULL */

/* Its loop, borrowed. */
sd_event *qmp_sync_loop(struct qmp_sync *s);

/* Whether the connection is over; also for NULL. */
bool qmp_sync_is_closed(const struct qmp_sync *s);

/* Waits for one thing on the loop, whatever it is, for at most usec (UINT64_MAX: for ever). Where
 * the connection is over already, why it is. */
int qmp_sync_turn(struct qmp_sync *s, uint64_t usec, struct error *err);

/* Waits at most timeout_ms (0: for ever). args is stolen, also on failure. *ret_result (may be
 * NULL) is the caller's. -ETIMEDOUT, -ECONNRESET and so on as in qmp/client.h. */
int qmp_sync_call(struct qmp_sync *s, const char *command, json_t *args, uint64_t timeout_ms,
		  json_t **ret_result, struct error *err);

/* No answer is waited for beyond that time of the monotonic clock; what waits then, and all that is
 * asked later, is -ETIMEDOUT. May be called from within the loop, and again until then. */
int qmp_sync_wait_until(struct qmp_sync *s, uint64_t usec, struct error *err);

/* The same with descriptors, which stay the caller's. */
int qmp_sync_call_fds(struct qmp_sync *s, const char *command, json_t *args, const int *fds,
		      size_t n_fds, uint64_t timeout_ms, json_t **ret_result, struct error *err);

/* The same in two halves, so that something else is done while the peer is at it. What was
 * begun is finished, whatever happened meanwhile; that waits and frees it. Several at a time are
 * answered in the order of the peer and finished in any. */
struct qmp_sync_pending;
int qmp_sync_begin(struct qmp_sync *s, const char *command, json_t *args, uint64_t timeout_ms,
		   struct qmp_sync_pending **ret_pending, struct error *err);
/* args is JSON already, borrowed, and sent as it is. */
int qmp_sync_begin_text(struct qmp_sync *s, const char *command, const char *args,
			uint64_t timeout_ms, struct qmp_sync_pending **ret_pending,
			struct error *err);
int qmp_sync_finish(struct qmp_sync *s, struct qmp_sync_pending *pending, json_t **ret_result,
		    struct error *err);

#endif
