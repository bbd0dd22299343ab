/* SPDX-License-Identifier: MIT */
/*
 * A fork: QEMU has the other guest's memory mapped, and has taken in the rest of its state.
 * The guest goes on as if it were the other one, with that one's addresses. So its links are
 * down before it runs, and come up when its agent has had it take its own. A guest that nobody
 * can tell keeps them down: two machines with one address would disturb a third. Whoever made the
 * fork may have said that they are to be up all the same.
 */
#include "vmm/supervisor/supervisor_private.h"

#include "base/cleanup.h"
#include "base/log.h"
#include "base/str.h"
#include "vmm/json.h"
#include "vmm/supervisor/guest_fork.h"

#include <errno.h>
#include <time.h>

enum {
	ANSWER_MS = 60 * 1000,
	TELL_MS = 30 * 1000,
	/* The agent tells of the end of what it started when it is asked. */
	ASK_USEC = 50 * 1000,
	ASKS_MAX = TELL_MS * 1000 / ASK_USEC,
};

static void set_links(struct supervisor *s, bool up)
{
	struct error err = ERROR_INIT;

	for (size_t i = 0; i < s->vm->n_nics; i++) {
		char nic[16];

		(void)str_format(nic, sizeof(nic), "nic%zu", i);
		if (!s->qmp ||
		    qmp_client_call(s->qmp, "set_link",
				    json_pack("{s:s s:b}", "name", nic, "up", up), NULL, 0,
				    ANSWER_MS, up ? NULL : supervisor_on_answer, s, &err) < 0)
			log_error("vm '%s': its links stay %s", s->vm->name, up ? "down" : "up");
	}
}

void supervisor_fork_arrived(struct supervisor *s)
{
	if (!s->start->links_up)
		set_links(s, false);
	if (supervisor_spare_waits(s))
		supervisor_event(s, VM_EVENT_WAITS);
	else
		supervisor_fork_run(s);
}

void supervisor_fork_run(struct supervisor *s)
{
	s->fork.is_untold = true;
	supervisor_run(s);
	/* Of a port that the guest opened in its other life there is no event. */
	if (s->vm->agent)
		supervisor_query_agent(s);
	else if (!s->start->links_up)
		log_warning("vm '%s': it begins with the state of another machine and has no "
			    "agent (agent: false) that could tell it so: its links are down (hv "
			    "fork --links up leaves them up)",
			    s->vm->name);
}

static void give_up(struct supervisor *s, const char *why)
{
	log_warning("vm '%s': the guest could not be told that it is another machine now: %s; its "
		    "links %s",
		    s->vm->name, why,
		    s->start->links_up ? "are up"
				       : "stay down (hv fork --links up leaves them up)");
	s->fork.timer = sd_event_source_disable_unref(s->fork.timer);
}

static void on_told(struct supervisor *s, json_t *result, const struct error *err)
{
	if (err) {
		give_up(s, err->text);
		return;
	}
	if (json_is_true(json_object_get(result, "exited"))) {
		log_info("vm '%s': the guest knows that it is another machine now", s->vm->name);
		s->fork.timer = sd_event_source_disable_unref(s->fork.timer);
		set_links(s, true);
	} else if (++s->fork.asks == ASKS_MAX) {
		give_up(s, "it takes too long");
	} else {
		(void)sd_event_source_set_time_relative(s->fork.timer, ASK_USEC);
		(void)sd_event_source_set_enabled(s->fork.timer, SD_EVENT_ONESHOT);
	}
}

static int on_ask(sd_event_source *source, uint64_t usec, void *userdata)
{
	struct supervisor *s = userdata;

	(void)source;
	(void)usec;
	supervisor_agent_ask(s, "guest-exec-status", json_pack("{s:I}", "pid", s->fork.pid),
			     TELL_MS, on_told);
	return 0;
}

static void on_started(struct supervisor *s, json_t *result, const struct error *err)
{
	if (err) {
		give_up(s, err->text);
		return;
	}
	s->fork.pid = json_integer_value(json_object_get(result, "pid"));
	if (sd_event_add_time_relative(s->event, &s->fork.timer, CLOCK_MONOTONIC, ASK_USEC, 0,
				       on_ask, s) < 0)
		give_up(s, "out of memory");
}

void supervisor_fork_tell(struct supervisor *s)
{
	if (!s->fork.is_untold || !s->agent_open)
		return;
	s->fork.is_untold = false;
	supervisor_agent_ask(s, "guest-exec", guest_fork_exec(s->vm, s->start->hw), TELL_MS,
			     on_started);
}
