/* SPDX-License-Identifier: MIT */
/*
 * Messages on their way to the peer. Those of one owner go in their order, and owners in
 * turn: who says much at once waits for himself, and another's first message goes before
 * his second.
 *
 * Descriptors go with the first byte of their message, alone in one send, so
 * that a reader which takes the message apart finds them at its start. QEMU
 * keeps the descriptors that came last and gives them to the next command that
 * asks. Its thread that reads looks at them at every read, without a lock, while
 * another takes them for the command: a byte that is read meanwhile can end it by a
 * null pointer. So nothing goes behind a message with descriptors until it was
 * answered, but for what is urgent and has none: that is for a QEMU that does not answer.
 *
 * Where a window is set, no more than so many messages wait for their answer at the
 * peer, and urgent ones go ahead of those that do not fit: QEMU stops reading when its
 * queue is full, and would not see them.
 */
#ifndef HV_QMP_OUTBOX_H
#define HV_QMP_OUTBOX_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct error;
struct qmp_outgoing;

struct qmp_outbox {
	struct qmp_outgoing *head, **end;
	struct qmp_outgoing *asked, **asked_end; /* sent and not answered, in that order */
	size_t bytes; /* not yet sent */
	uint64_t turn; /* of what went last */
	bool held; /* a message with descriptors is out */
	json_int_t holder; /* its id */
	size_t window; /* 0: none */
	size_t in_flight; /* of those asked, not urgent */
};

void qmp_outbox_init(struct qmp_outbox *o);
/* Drops what is left and closes its descriptors. */
void qmp_outbox_clear(struct qmp_outbox *o);

/* Takes over text, also on failure; fds are duplicated. */
int qmp_outbox_add(struct qmp_outbox *o, json_int_t id, unsigned owner, bool urgent, char *text,
		   const int *fds, size_t n_fds, struct error *err);

/* Takes a message back; false where some of it was sent. */
bool qmp_outbox_withdraw(struct qmp_outbox *o, json_int_t id);

/* Writes what the non-blocking socket takes. Returns 1 where more waits for the
 * socket, 0 where there is nothing that could go now. */
int qmp_outbox_write(struct qmp_outbox *o, int sock, struct error *err);

/* What is not urgent, was sent and waits for its answer longest; 0: there is none. */
json_int_t qmp_outbox_oldest(const struct qmp_outbox *o);

enum qmp_asked {
	QMP_NOT_ASKED, /* nothing like that was sent, or it was answered already */
	QMP_ASKED,
	QMP_ASKED_LATER, /* another waits longer, and neither is urgent */
};

/* That was answered; what waited for it may go with the next write. */
enum qmp_asked qmp_outbox_answered(struct qmp_outbox *o, json_int_t id);

#endif
