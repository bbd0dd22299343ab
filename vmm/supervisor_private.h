/* SPDX-License-Identifier: MIT */
/*
 * The supervisor's own state, shared by its parts: supervisor.c (life and
 * death), supervisor_monitor.c (QEMU's side), supervisor_commands.c (the
 * clients' side), supervisor_stop.c (orderly shutdown).
 */
#ifndef HV_VMM_SUPERVISOR_PRIVATE_H
#define HV_VMM_SUPERVISOR_PRIVATE_H

#include "base/error.h"
#include "qmp/client.h"
#include "vmm/agent.h"
#include "vmm/console.h"
#include "vmm/control.h"
#include "vmm/host.h"
#include "vmm/last_words.h"
#include "vmm/resources.h"
#include "vmm/rundir.h"
#include "vmm/states.h"
#include "vmm/supervisor.h"

#include <systemd/sd-event.h>

enum { STOP_WAITERS_MAX = 64 };

struct supervisor {
	const struct supervisor_options *options;
	struct host host;
	struct rundir run;
	struct resources res;
	sd_event *event;
	enum vm_state state;
	const char *reason; /* why it is paused; NULL: somebody asked */
	bool adopted; /* QEMU is not a child of ours */
	bool running_once; /* the guest has run: no roll-back any more */
	bool ready; /* whoever started us was told */
	uint64_t started; /* seconds since the epoch */

	struct qmp_client *qmp;
	unsigned reconnects;
	bool agent_open; /* the guest's agent has its port open */
	struct control_server *control;
	struct console *console;
	struct last_words qemu_words, swtpm_words;
	sd_event_source *qemu_source, *swtpm_source, *space_timer;

	/* The end. */
	bool ends; /* QMP's SHUTDOWN was seen */
	bool killed; /* we were asked to end it at once */
	struct error failure; /* why it crashed or did not start; code 0: it did not */

	/* Orderly shutdown. */
	struct agent *agent;
	sd_event_source *stop_timer, *press_timer;
	bool stop_forces; /* kill where the time is up */
	struct control_call *stop_waiters[STOP_WAITERS_MAX]; /* down and kill */
	size_t n_stop_waiters;
};

/* supervisor.c */
void supervisor_event(struct supervisor *s, enum vm_event event);
void supervisor_kill(struct supervisor *s); /* at once; the rest follows by events */
void supervisor_fail(struct supervisor *s, const struct error *why); /* crashed: kill */
void supervisor_ready(struct supervisor *s); /* the guest runs */
void supervisor_write_status(struct supervisor *s);
void supervisor_save_pins(struct supervisor *s);

/* supervisor_monitor.c */
int supervisor_connect_monitor(struct supervisor *s, struct error *err);
void supervisor_boot(struct supervisor *s); /* asks and lets the guest run */
void supervisor_query_state(struct supervisor *s); /* what QEMU says goes */

/* supervisor_commands.c */
extern const struct control_handlers supervisor_commands;

/* supervisor_stop.c */
/* timeout_ms 0: for ever. call may be NULL; else it is answered when the VM has
 * stopped, or failed when the time is up and force is false. */
void supervisor_stop(struct supervisor *s, struct control_call *call, uint64_t timeout_ms,
		     bool force);
void supervisor_stop_answer(struct supervisor *s, const char *failure);

#endif
