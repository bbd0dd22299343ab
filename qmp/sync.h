/* SPDX-License-Identifier: MIT */
/*
 * One-shot QMP for verbs: connect, handshake, calls one after another. Blocks
 * at most timeout_ms for each.
 */
#ifndef HV_QMP_SYNC_H
#define HV_QMP_SYNC_H

#include <jansson.h>
#include <stddef.h>
#include <stdint.h>

struct error;
struct qmp_sync;

/* Takes over fd. The handshake is part of the first call. */
int qmp_sync_open(int fd, struct qmp_sync **ret_sync, struct error *err);
void qmp_sync_close(struct qmp_sync *s); /* accepts NULL */

/* args is stolen, also on failure. *ret_result (may be NULL) is the caller's.
 * -ETIMEDOUT, -ECONNRESET and so on as in qmp/client.h. */
int qmp_sync_call(struct qmp_sync *s, const char *command, json_t *args, uint64_t timeout_ms,
		  json_t **ret_result, struct error *err);

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
