/* SPDX-License-Identifier: MIT */
/*
 * A QMP client on an sd-event loop.
 *
 * The client owns one connected stream socket. It reads the greeting, sends
 * qmp_capabilities, and from then on matches replies to calls by `id`, or by their
 * order. Every call is completed exactly once: with the reply, with QEMU's error, with
 * -ETIMEDOUT, or with the reason why the peer went (-ECONNRESET, -EPROTO,
 * -EMSGSIZE). Calls made before the handshake is over are queued, so a start
 * can be pipelined. Never blocks; never calls back from within
 * qmp_client_call().
 *
 * Bounds: a line of 8 MiB (a longer one ends the connection), 4096 pending
 * calls (-EBUSY beyond), 16 MiB of unsent output (-ENOBUFS), JSON depth as
 * jansson's parser limit.
 */
#ifndef HV_QMP_CLIENT_H
#define HV_QMP_CLIENT_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <systemd/sd-event.h>

struct error;
struct qmp_client;

/* result is borrowed and NULL on failure; err is NULL on success. For an error
 * that QEMU reported, err->code is EREMOTEIO, or ENOENT for CommandNotFound/DeviceNotFound,
 * or ENODEV for DeviceNotActive, and class is its error class (else NULL). */
typedef void (*qmp_reply_fn)(json_t *result, const char *class, const struct error *err, void *arg);

struct qmp_handlers {
	/* The handshake is over; greeting is the "QMP" object, borrowed. May be NULL. */
	void (*ready)(json_t *greeting, void *arg);
	/* An event; the whole message, borrowed. May be NULL. */
	void (*event)(const char *name, json_t *message, void *arg);
	/* The connection is over, after every pending call was completed; once.
	 * err says why (a peer that closed: ECONNRESET). May free the client. */
	void (*closed)(const struct error *err, void *arg);
	/* Out-of-band commands are asked for where the peer offers them. Then no more
	 * than seven others are at the peer at once: QEMU stops reading at the eighth. */
	bool wants_oob;
	/* The peer answers what is not out of band in the order in which it was sent, as
	 * QEMU's monitor does (docs/interop/qmp-spec, 2.3) and hvup's control socket does not.
	 * Then most calls go without an id, and a peer that leaves one out is given up
	 * (-EPROTO). */
	bool answers_in_order;
	void *arg;
};

/* Takes over fd. The handlers are copied. */
int qmp_client_new(sd_event *event, int fd, const struct qmp_handlers *handlers,
		   struct qmp_client **ret_client, struct error *err);

/* Completes nothing more: pending callbacks are dropped with -ECANCELED first. */
void qmp_client_free(struct qmp_client *c); /* accepts NULL */

/*
 * Sends a command. args (may be NULL) is stolen, also on failure. timeout_ms 0:
 * no deadline. fds (n_fds may be 0) go along by SCM_RIGHTS and stay the
 * caller's. reply may be NULL.
 */
int qmp_client_call(struct qmp_client *c, const char *command, json_t *args, const int *fds,
		    size_t n_fds, uint64_t timeout_ms, qmp_reply_fn reply, void *arg,
		    struct error *err);

/* A command as somebody else said it, with arguments as text, an object that was checked. */
struct qmp_forward {
	const char *command;
	const char *arguments; /* NULL: none */
	bool oob; /* needs qmp_client_has_oob() */
	unsigned owner; /* for qmp_client_withdraw(); 0: nobody */
	uint64_t timeout_ms; /* 0: no deadline */
	const int *fds; /* as with qmp_client_call() */
	size_t n_fds;
};

int qmp_client_forward(struct qmp_client *c, const struct qmp_forward *what, qmp_reply_fn reply,
		       void *arg, struct error *err);

/* Takes the owner's calls back that were not sent yet; they are completed with -ECANCELED. */
void qmp_client_withdraw(struct qmp_client *c, unsigned owner);

/* Whether out-of-band commands were negotiated. */
bool qmp_client_has_oob(const struct qmp_client *c);

/* Within the callback of an answer or event: the whole message as it came. NULL where there
 * is none, as when the peer has gone. */
const char *qmp_client_text(const struct qmp_client *c, size_t *ret_len);

/* Pending calls, for tests and bounds. */
size_t qmp_client_pending(const struct qmp_client *c);

#endif
