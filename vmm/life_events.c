/* SPDX-License-Identifier: MIT */
#include "vmm/life_events.h"

#include "vmm/command.h"

#include <time.h>

enum { NSEC_PER_USEC = 1000 };

static const struct command_argument ended_members[] = {
	{"how", COMMAND_STR},
	{"reason", COMMAND_STR, .optional = true},
	{"restarts", COMMAND_BOOL},
	{0},
};

static const struct command started = {LIFE_STARTED};
static const struct command ended = {LIFE_ENDED, ended_members};

/* data is stolen; NULL: none. */
static json_t *make(const struct command *event, json_t *data)
{
	struct timespec now;

	(void)clock_gettime(CLOCK_REALTIME, &now);
	return json_pack("{s:{s:I s:I} s:s s:o*}", "timestamp", "seconds", (json_int_t)now.tv_sec,
			 "microseconds", (json_int_t)(now.tv_nsec / NSEC_PER_USEC), "event",
			 event->name, "data", data);
}

json_t *life_event_started(void)
{
	return make(&started, NULL);
}

json_t *life_event_ended(const char *how, const char *reason, bool restarts)
{
	return make(&ended, json_pack("{s:s s:s* s:b}", "how", how, "reason", reason, "restarts",
				      (int)restarts));
}

void life_event_add_schema(struct strbuf *into)
{
	command_add_event_schema(into, &started);
	command_add_event_schema(into, &ended);
}
