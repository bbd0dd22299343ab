/* SPDX-License-Identifier: MIT */
/*
 * The life of a VM as a table: state × event → state. Pure. A cell that is
 * absent is an error that the supervisor logs and does not act on.
 */
#ifndef HV_VMM_STATES_H
#define HV_VMM_STATES_H

#include <stdbool.h>

enum vm_state {
	VM_STATE_STOPPED, /* no process */
	VM_STATE_STARTING, /* resources, QEMU, until the guest runs */
	VM_STATE_RUNNING,
	VM_STATE_PAUSED, /* vCPUs stand still: asked for, or a disk is full */
	VM_STATE_STOPPING, /* the guest was asked to shut down, or QEMU is ending */
	VM_STATE_CRASHED, /* as stopped, but not in order */
	VM_STATE_SPARE, /* all is done but that its guest runs, which has not begun */
	VM_STATE_COUNT
};

enum vm_event {
	VM_EVENT_START, /* somebody wants it up */
	VM_EVENT_WAITS, /* a spare has come as far as it may */
	VM_EVENT_RUNS, /* vCPUs run: QMP's RESUME, or the answer to `cont` */
	VM_EVENT_STANDS, /* QMP's STOP */
	VM_EVENT_ASKED, /* orderly shutdown or kill was asked for */
	VM_EVENT_REFUSED, /* the guest did not shut down in time and goes on */
	VM_EVENT_ENDS, /* QMP's SHUTDOWN: QEMU is about to exit in order */
	VM_EVENT_GONE, /* every process is gone, in order */
	VM_EVENT_FAILED, /* gone, not in order */
	VM_EVENT_COUNT
};

const char *vm_state_name(enum vm_state state);
const char *vm_event_name(enum vm_event event);

/* The state named so, or VM_STATE_COUNT. */
enum vm_state vm_state_parse(const char *name);

/* False where the table has no such cell; *ret_next is untouched then. */
bool vm_state_next(enum vm_state state, enum vm_event event, enum vm_state *ret_next);

#endif
