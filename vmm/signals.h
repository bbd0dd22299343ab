/* SPDX-License-Identifier: MIT */
/* The signals that ask a supervisor, or a verb that starts some, to end: SIGTERM,
 * SIGINT, SIGHUP; and SIGUSR1, which asks a supervisor to start anew from the program
 * that is installed now. */
#ifndef HV_VMM_SIGNALS_H
#define HV_VMM_SIGNALS_H

#include <systemd/sd-event.h>

struct error;

/* From here on they wait. To be called before anything is made that an end has to
 * undo. */
void signals_block(void);

/* Has the loop call the handler for each of those that end, also for those that
 * waited. */
int signals_watch(sd_event *event, sd_event_signal_handler_t handler, void *arg, struct error *err);
/* Has the loop take those out of the queue and remember them (base/interrupt.h), so that they end a
 * wait in it. */
int signals_note(sd_event *event, struct error *err);
/* As signals_watch(), for SIGUSR1. */
int signals_watch_reload(sd_event *event, sd_event_signal_handler_t handler, void *arg,
			 struct error *err);

#endif
