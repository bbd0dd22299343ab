/* SPDX-License-Identifier: MIT */
/*
 * Orderly shutdown: the guest is asked, by its agent where one has its port
 * open and answers, else by the power button. It has until the deadline; then
 * it is ended where the caller said so, and left running where not.
 */
#include "vmm/supervisor/supervisor_private.h"

#include "base/cleanup.h"
#include "base/log.h"
#include "base/str.h"

#include <inttypes.h>
#include <time.h>

enum { PRESS_AGAIN_USEC = 10 * 1000 * 1000 };

void supervisor_stop_answer(struct supervisor *s, const char *failure)
{
	for (size_t i = 0; i < s->n_stop_waiters; i++) {
		if (failure)
			control_fail(s->stop_waiters[i], "GenericError", failure);
		else
			control_reply(s->stop_waiters[i], NULL);
	}
	s->n_stop_waiters = 0;
}

static int on_deadline(sd_event_source *source, uint64_t usec, void *userdata)
{
	struct supervisor *s = userdata;

	(void)source;
	(void)usec;
	s->stop_timer = sd_event_source_disable_unref(s->stop_timer);
	if (s->stop_forces) {
		log_warning("vm '%s': the guest did not shut down in time; it is ended",
			    s->vm->name);
		supervisor_kill(s);
		return 0;
	}
	/* It may be on its way by now. */
	if (s->ends)
		return 0;
	log_warning("vm '%s': the guest did not shut down in time", s->vm->name);
	s->press_timer = sd_event_source_disable_unref(s->press_timer);
	supervisor_event(s, VM_EVENT_REFUSED);
	/* It may stand meanwhile. */
	supervisor_query_state(s);
	supervisor_stop_answer(s, "the guest did not shut down in time and still runs (--force "
				  "ends it)");
	return 0;
}

static void press_power_button(struct supervisor *s)
{
	struct error err = ERROR_INIT;

	if (!s->qmp ||
	    qmp_client_call(s->qmp, "system_powerdown", NULL, NULL, 0, 0, NULL, NULL, &err) < 0)
		log_warning("vm '%s': power button: %s", s->vm->name,
			    s->qmp ? err.text : "no monitor");
}

/* A guest that was still booting has not seen the button, and an agent may hang. */
static int on_press_again(sd_event_source *source, uint64_t usec, void *userdata)
{
	struct supervisor *s = userdata;

	(void)usec;
	if (s->state != VM_STATE_STOPPING || s->ends)
		return 0;
	press_power_button(s);
	(void)sd_event_source_set_time_relative(source, PRESS_AGAIN_USEC);
	(void)sd_event_source_set_enabled(source, SD_EVENT_ONESHOT);
	return 0;
}

static void on_agent_failed(const struct error *why, void *arg)
{
	struct supervisor *s = arg;

	if (s->state != VM_STATE_STOPPING || s->ends)
		return;
	log_warning("vm '%s': guest agent: %s; the power button is pressed instead", s->vm->name,
		    why->text);
	press_power_button(s);
}

void supervisor_stop(struct supervisor *s, struct control_call *call, uint64_t timeout_ms,
		     bool force)
{
	bool paused = s->state == VM_STATE_PAUSED;

	if (call && s->n_stop_waiters == STOP_WAITERS_MAX) {
		control_fail(call, "GenericError", "too many wait for its end already");
		return;
	}
	if (call)
		s->stop_waiters[s->n_stop_waiters++] = call;
	supervisor_event(s, VM_EVENT_ASKED);
	s->stop_forces = force;
	s->stop_timer = sd_event_source_disable_unref(s->stop_timer);
	if (timeout_ms)
		(void)sd_event_add_time_relative(s->event, &s->stop_timer, CLOCK_MONOTONIC,
						 timeout_ms * 1000, 0, on_deadline, s);
	/* One that stands still cannot shut down. */
	if (paused && s->qmp)
		(void)qmp_client_call(s->qmp, "cont", NULL, NULL, 0, 0, NULL, NULL, NULL);
	if (s->agent_open)
		supervisor_agent_shutdown(s, on_agent_failed);
	else
		press_power_button(s);
	s->press_timer = sd_event_source_disable_unref(s->press_timer);
	(void)sd_event_add_time_relative(s->event, &s->press_timer, CLOCK_MONOTONIC,
					 PRESS_AGAIN_USEC, 0, on_press_again, s);
}
