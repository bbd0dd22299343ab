/* SPDX-License-Identifier: MIT */
/* What hvup itself tells of a machine (vmm/life_events.h), to all clients. */
#include "vmm/supervisor/supervisor_private.h"

#include "vmm/life_events.h"

#include <stdlib.h>
#include <string.h>

/* The message is stolen. */
static void say(struct supervisor *s, json_t *message)
{
	char *text = json_dumps(message, 0);

	if (text)
		control_server_broadcast(s->control, text, strlen(text));
	free(text);
	json_decref(message);
}

void supervisor_say_started(struct supervisor *s)
{
	say(s, life_event_started());
}

void supervisor_say_ended(struct supervisor *s, const struct vm_message *m)
{
	const char *reason = *m->text ? m->text : s->stop_forced.code ? s->stop_forced.text : NULL;

	say(s, life_event_ended(vm_end_name(m->number), reason, m->reason == VM_REASON_RESTART));
}
