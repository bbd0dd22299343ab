/* SPDX-License-Identifier: MIT */
/*
 * Orderly shutdown: the guest is asked, by its agent where one has its port
 * open and answers, else by the power button. The button is pressed again while
 * nothing happens, whatever the agent said: it may lie. The guest has until the
 * deadline; then it is ended where the caller said so, and left running where not.
 * What was done is told then.
 */
#include "vmm/supervisor/supervisor_private.h"

#include "base/cleanup.h"
#include "base/log.h"
#include "base/str.h"

#include <errno.h>
#include <inttypes.h>
#include <time.h>

enum { PRESS_AGAIN_USEC = 10 * 1000 * 1000 };

void supervisor_stop_answer(struct supervisor *s, const char *failure)
{
	for (size_t i = 0; i < s->n_stop_waiters; i++) {
		if (failure)
			control_fail(s->stop_waiters[i], "GenericError", failure);
		else
			control_reply(s->stop_waiters[i],
				      s->stop_forced.code
					      ? json_pack("{s:s}", "forced", s->stop_forced.text)
					      : NULL);
	}
	s->n_stop_waiters = 0;
}

/* That it did not, and what was tried. */
static void tell_deeds(const struct supervisor *s, struct error *ret_text)
{
	const struct error *why = &s->stop_agent_failed;
	char times[32] = "";

	if (s->stop_presses > 1)
		(void)str_format(times, sizeof(times), " %u times", s->stop_presses);
	(void)error_set(ret_text, ETIMEDOUT, "the guest did not shut down in time: %s%s%s%s%s%s%s",
			s->stop_asked_agent ? "its agent was asked" : "", why->code ? " (" : "",
			why->code ? why->text : "", why->code ? ")" : "",
			s->stop_asked_agent && s->stop_presses ? ", " : "",
			s->stop_presses ? "the power button was pressed" : "", times);
}

static int on_deadline(sd_event_source *source, uint64_t usec, void *userdata)
{
	struct supervisor *s = userdata;
	struct error text = ERROR_INIT, answer = ERROR_INIT;

	(void)source;
	(void)usec;
	s->stop_timer = sd_event_source_disable_unref(s->stop_timer);
	tell_deeds(s, &text);
	if (s->stop_forces) {
		log_warning("vm '%s': %s; it is ended", s->vm->name, text.text);
		s->stop_forced = text;
		supervisor_kill(s);
		return 0;
	}
	/* It may be on its way by now. */
	if (s->ends)
		return 0;
	log_warning("vm '%s': %s", s->vm->name, text.text);
	s->press_timer = sd_event_source_disable_unref(s->press_timer);
	supervisor_event(s, VM_EVENT_REFUSED);
	supervisor_agent_goes_on(s);
	/* It may stand meanwhile. */
	supervisor_query_state(s);
	(void)error_set(&answer, text.code, "%s; it still runs (--force ends it)", text.text);
	supervisor_stop_answer(s, answer.text);
	return 0;
}

static void press_power_button(struct supervisor *s)
{
	struct error err = ERROR_INIT;

	s->stop_presses++;
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
	s->stop_agent_failed = *why;
	press_power_button(s);
}

void supervisor_stop(struct supervisor *s, struct control_call *call, uint64_t timeout_ms,
		     bool force)
{
	bool paused = s->state == VM_STATE_PAUSED;
	uint64_t press_usec = PRESS_AGAIN_USEC;

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
	s->stop_asked_agent = s->agent_open;
	s->stop_agent_failed = (struct error)ERROR_INIT;
	s->stop_presses = 0;
	if (s->agent_open)
		supervisor_agent_shutdown(s, on_agent_failed);
	else
		press_power_button(s);
	/* Where there is less time, an agent that did nothing is not all that was tried. */
	if (timeout_ms && timeout_ms * 1000 / 2 < press_usec)
		press_usec = timeout_ms * 1000 / 2;
	s->press_timer = sd_event_source_disable_unref(s->press_timer);
	(void)sd_event_add_time_relative(s->event, &s->press_timer, CLOCK_MONOTONIC, press_usec, 0,
					 on_press_again, s);
}
