/* SPDX-License-Identifier: MIT */
/*
 * Events of hvup's own, in the form of QEMU's: that a machine has come, and that it has gone.
 * QEMU has none for the one, and can say nothing of the other where it was killed.
 */
#include "vmm/supervisor/supervisor_private.h"

#include "base/str.h"
#include "vmm/command.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { NSEC_PER_USEC = 1000 };

static const struct command_argument ended_members[] = {
	{"how", COMMAND_STR},
	{"reason", COMMAND_STR, .optional = true},
	{"restarts", COMMAND_BOOL},
	{0},
};

static const struct command started = {"HV_STARTED"};
static const struct command ended = {"HV_ENDED", ended_members};

void supervisor_add_event_schema(struct strbuf *into)
{
	command_add_event_schema(into, &started);
	command_add_event_schema(into, &ended);
}

/* data is stolen; NULL: none. */
static void say(struct supervisor *s, const struct command *event, json_t *data)
{
	struct timespec now;
	json_t *message;
	char *text;

	(void)clock_gettime(CLOCK_REALTIME, &now);
	message =
		json_pack("{s:{s:I s:I} s:s s:o*}", "timestamp", "seconds", (json_int_t)now.tv_sec,
			  "microseconds", (json_int_t)(now.tv_nsec / NSEC_PER_USEC), "event",
			  event->name, "data", data);
	text = json_dumps(message, 0);
	if (text)
		control_server_broadcast(s->control, text, strlen(text));
	free(text);
	json_decref(message);
}

void supervisor_say_started(struct supervisor *s)
{
	say(s, &started, NULL);
}

void supervisor_say_ended(struct supervisor *s, const struct vm_message *m)
{
	const char *reason = *m->text ? m->text : s->stop_forced.code ? s->stop_forced.text : NULL;

	say(s, &ended,
	    json_pack("{s:s s:s* s:b}", "how", vm_end_name(m->number), "reason", reason, "restarts",
		      m->reason == VM_REASON_RESTART));
}
