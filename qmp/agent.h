/* SPDX-License-Identifier: MIT */
/*
 * QEMU's guest agent, the host's side of its protocol. Bytes are pushed in,
 * bytes to be sent are taken out; it does no I/O and keeps no time: deadlines
 * are the caller's, who cancels what takes too long.
 *
 * The agent belongs to the guest: it may lie, stall, flood or say garbage. What
 * it can reach is the answer to the one call that is on the wire, no other.
 *
 * Bounds: a line of line_max bytes and as many values as qmp/decode.h takes, 64
 * calls that wait (-EBUSY beyond), 16 MiB of them (-ENOBUFS). Never calls back
 * from within qmp_agent_call(), qmp_agent_sync() or qmp_agent_take().
 */
#ifndef HV_QMP_AGENT_H
#define HV_QMP_AGENT_H

#include <jansson.h>
#include <stddef.h>
#include <stdint.h>

struct error;
struct qmp_agent;

enum { QMP_AGENT_LINE_BYTES = 16 * 1024 * 1024 };

/* result is borrowed and NULL on failure, and for a sync; err is NULL on success. What the
 * agent refused is EREMOTEIO, or ENOENT for CommandNotFound, what is no
 * answer EPROTO or EMSGSIZE. May make calls, and may free the agent. */
typedef void (*qmp_agent_reply_fn)(json_t *result, const struct error *err, void *arg);

/* seed is to differ from one connection to the next: syncs are numbered from it
 * on. -ENOMEM */
int qmp_agent_new(size_t line_max, uint32_t seed, struct qmp_agent **ret_agent);

/* Calls that wait are completed with -ECANCELED first. Accepts NULL. */
void qmp_agent_free(struct qmp_agent *a);

/*
 * Calls are sent one after another, each when the one before was answered.
 * Where it is not known what the agent will answer next, at the beginning and
 * after every failure, a sync goes first. args (may be NULL) is stolen, also on
 * failure; reply may be NULL. *ret_number (may be NULL) names the call.
 */
int qmp_agent_call(struct qmp_agent *a, const char *command, json_t *args, qmp_agent_reply_fn reply,
		   void *arg, uint64_t *ret_number, struct error *err);

/* The same with arguments that are JSON already, an object without line ends of len bytes. */
int qmp_agent_call_text(struct qmp_agent *a, const char *command, const char *args, size_t len,
			qmp_agent_reply_fn reply, void *arg, uint64_t *ret_number,
			struct error *err);

/* Within the callback of a result: the whole line as the agent said it. */
const char *qmp_agent_text(const struct qmp_agent *a, size_t *ret_len);

/* A sync by itself: is the agent there, and does it answer? */
int qmp_agent_sync(struct qmp_agent *a, qmp_agent_reply_fn reply, void *arg, uint64_t *ret_number,
		   struct error *err);

/* Completes a call with why. One that was on the wire may be answered yet: that
 * answer is passed over. A number that is not pending is none. */
void qmp_agent_cancel(struct qmp_agent *a, uint64_t number, const struct error *why);

/* Completes all with why: the connection has gone. */
void qmp_agent_fail(struct qmp_agent *a, const struct error *why);

/* What came from the agent. Memory that runs out fails the call on the wire. */
void qmp_agent_push(struct qmp_agent *a, const void *data, size_t len);

/* What is to be sent (valid until the next call of this file), and how much of
 * it was. */
size_t qmp_agent_take(const struct qmp_agent *a, const char **ret_data);
void qmp_agent_sent(struct qmp_agent *a, size_t len);

#endif
