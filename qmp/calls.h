/* SPDX-License-Identifier: MIT */
/*
 * What a client has asked and was not answered yet: each call with its id, its deadline and
 * who is told. It does not read, write or wait; the client does, and hands answers over.
 *
 * Every call is completed once, by one of the functions here. A callback may make calls, and
 * may free the client, which fails those that are left and keeps this memory meanwhile.
 */
#ifndef HV_QMP_CALLS_H
#define HV_QMP_CALLS_H

#include "qmp/client.h"
#include "qmp/ids.h"
#include "qmp/outbox.h"

struct qmp_call;

struct qmp_calls {
	struct qmp_call *first, **end; /* in the order in which they were made */
	size_t n;
	struct qmp_ids ids;
	struct qmp_outbox outbox;
	bool in_order; /* see struct qmp_handlers */
	bool released; /* an answer came: something in the outbox may go */
	unsigned n_encoded; /* not out of band */
	unsigned n_stray_logged;
};

void qmp_calls_init(struct qmp_calls *calls, bool in_order);

/* -EBUSY: too many wait; -ENOBUFS: the peer does not read. */
int qmp_calls_add(struct qmp_calls *calls, const struct qmp_forward *what, qmp_reply_fn reply,
		  void *arg, struct error *err);

/* A "return" or an "error". -EPROTO: the peer left an answer out. */
int qmp_calls_answer(struct qmp_calls *calls, json_t *message, struct error *err);

/* The nearest deadline on CLOCK_MONOTONIC, in us; 0: none. */
uint64_t qmp_calls_deadline(const struct qmp_calls *calls);
/* Gives up those whose deadline is not after now. */
void qmp_calls_expire(struct qmp_calls *calls, uint64_t now_usec);
/* Gives up an owner's that were not sent yet (-ECANCELED). */
void qmp_calls_withdraw(struct qmp_calls *calls, unsigned owner);
/* Gives up all. */
void qmp_calls_fail(struct qmp_calls *calls, const struct error *why);

#endif
