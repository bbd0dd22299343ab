/* SPDX-License-Identifier: MIT */
/*
 * A client of a machine's control socket, for hv qmp: one request at a time, and events
 * whenever they come. Blocks; SIGINT ends a wait with -EINTR where the caller catches it.
 */
#ifndef HV_CLI_QMP_SESSION_H
#define HV_CLI_QMP_SESSION_H

#include "base/str.h"

#include <signal.h>
#include <stdbool.h>
#include <stdint.h>

struct cli;
struct error;
struct qmp_session;

/* An event's line, complete and checked. name is borrowed. */
typedef void (*qmp_event_fn)(const char *name, const char *text, size_t len, void *arg);

/* Connects to the VM and negotiates. *ret_version (may be NULL) is QEMU's, "7.2.22". */
int qmp_session_open(struct cli *cli, const char *vm, struct qmp_session **ret_session);
void qmp_session_close(struct qmp_session *s); /* accepts NULL */

/* Where events go. */
void qmp_session_on_event(struct qmp_session *s, qmp_event_fn on_event, void *arg);

/* Becomes readable when there is something for qmp_session_read(). */
int qmp_session_fd(const struct qmp_session *s);
/* Takes in what is there, without waiting. */
int qmp_session_read(struct qmp_session *s, struct error *err);

/* Signals that may come while it waits. */
void qmp_session_set_signals(struct qmp_session *s, const sigset_t *waiting);

/*
 * Sends a request, a line of JSON, and waits for its answer, the whole message.
 * timeout_ms 0: for ever. -EINTR and -ETIMEDOUT: the answer is passed over when it comes.
 */
int qmp_session_ask(struct qmp_session *s, const char *request, uint64_t timeout_ms,
		    struct strbuf *ret_answer, struct error *err);

/* Waits for something to come, for at most that long: 1, 0 at the end of the time, -errno. */
int qmp_session_wait(struct qmp_session *s, int timeout_ms, struct error *err);

#endif
