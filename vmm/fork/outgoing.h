/* SPDX-License-Identifier: MIT */
/*
 * The memory and the devices of a machine that is up, written to a descriptor: QEMU's migration,
 * but for its end, for the guest does afterwards what it did before. This process is a client of
 * the machine's supervisor, which does what is asked while the guest stands, and sees to the guest
 * should this process end in the wrong moment (vmm/supervisor/supervisor_copy.c).
 */
#ifndef HV_VMM_OUTGOING_H
#define HV_VMM_OUTGOING_H

#include "vmm/fork/line.h"

struct outgoing {
	struct line line; /* for how long the guest stood: line.stood_usec */
	const struct paths *paths; /* borrowed, as vm */
	const char *vm;
	json_t *parameters; /* of its migrations, as they were */
	bool paused; /* its guest stands, and is to. It runs for a moment at the end */
	bool emulated; /* QEMU itself runs the guest's code, not KVM */
};

struct outgoing_request {
	int fd; /* stays the caller's */
	/* The guest stands from the beginning to the end. Otherwise it stands at the end only,
	 * which comes when what it has written to in the meantime is thought to take so long. */
	bool standing;
	/* Where all went well, it stands until outgoing_end(). */
	bool stay;
	json_int_t downtime_ms;
	/* What QEMU is asked while the guest stands for the end, so that its disks are as the state
	 * has them: arguments of its transaction, stolen. NULL or an empty object: nothing. */
	json_t *transaction;
	/* Once, when the guest runs again that stood for the beginning; may be NULL. Whoever reads
	 * begins to with that, for where processors are short he takes them from a guest that
	 * stands. */
	int (*begun)(void *arg, struct error *err);
	/* Four times a second; may be NULL. */
	void (*tick)(void *arg);
	void *arg;
};

/* -ENOTCONN: the machine is not up; -EREMOTEIO: it comes or goes, or somebody copies it already. */
int outgoing_open(struct outgoing *o, sd_event *event, const struct paths *paths, const char *vm,
		  struct error *err);

/* Blocks until all is written and the guest does what it did, which it does whatever came of that.
 * -ECANCELED: the user interrupts. */
int outgoing_send(struct outgoing *o, const struct outgoing_request *rq, struct error *err);

/* After one that was to stay: the guest stands for good, for its machine ends; or it does again
 * what it did before. */
int outgoing_end(struct outgoing *o, bool stay, struct error *err);

/* How far it is, from within tick: -errno where QEMU does not say. */
int outgoing_ask(struct outgoing *o, uint64_t *ret_done_bytes, uint64_t *ret_total_bytes);

void outgoing_close(struct outgoing *o); /* accepts a zeroed one */

#endif
