/* SPDX-License-Identifier: MIT */
#include "vmm/states.h"

#include "base/cleanup.h"
#include "base/str.h"

#include <assert.h>

static const char *const state_names[] = {
	[VM_STATE_STOPPED] = "stopped",   [VM_STATE_STARTING] = "starting",
	[VM_STATE_RUNNING] = "running",   [VM_STATE_PAUSED] = "paused",
	[VM_STATE_STOPPING] = "stopping", [VM_STATE_CRASHED] = "crashed",
	[VM_STATE_SPARE] = "spare",
};
static_assert(ARRAY_SIZE(state_names) == VM_STATE_COUNT, "a name for each state");

static const char *const event_names[] = {
	[VM_EVENT_START] = "start", [VM_EVENT_RUNS] = "runs",       [VM_EVENT_STANDS] = "stands",
	[VM_EVENT_ASKED] = "asked", [VM_EVENT_REFUSED] = "refused", [VM_EVENT_ENDS] = "ends",
	[VM_EVENT_GONE] = "gone",   [VM_EVENT_FAILED] = "failed",   [VM_EVENT_WAITS] = "waits",
};
static_assert(ARRAY_SIZE(event_names) == VM_EVENT_COUNT, "a name for each event");

/* A cell holds the next state + 1, so that an absent one is 0. */
#define TO(state) (VM_STATE_##state + 1)

static const unsigned char table[VM_STATE_COUNT][VM_EVENT_COUNT] = {
	[VM_STATE_STOPPED] =
		{
			[VM_EVENT_START] = TO(STARTING),
			/* taken over from another supervisor */
			[VM_EVENT_RUNS] = TO(RUNNING),
			[VM_EVENT_STANDS] = TO(PAUSED),
		},
	[VM_STATE_CRASHED] =
		{
			[VM_EVENT_START] = TO(STARTING),
		},
	[VM_STATE_SPARE] =
		{
			[VM_EVENT_RUNS] = TO(RUNNING),
			[VM_EVENT_ASKED] = TO(STOPPING),
			[VM_EVENT_ENDS] = TO(STOPPING),
			[VM_EVENT_GONE] = TO(STOPPED),
			[VM_EVENT_FAILED] = TO(CRASHED),
		},
	[VM_STATE_STARTING] =
		{
			[VM_EVENT_WAITS] = TO(SPARE),
			[VM_EVENT_RUNS] = TO(RUNNING),
			[VM_EVENT_STANDS] = TO(PAUSED),
			[VM_EVENT_ASKED] = TO(STOPPING),
			[VM_EVENT_ENDS] = TO(STOPPING),
			[VM_EVENT_GONE] = TO(STOPPED),
			[VM_EVENT_FAILED] = TO(CRASHED),
		},
	[VM_STATE_RUNNING] =
		{
			[VM_EVENT_RUNS] = TO(RUNNING),
			[VM_EVENT_STANDS] = TO(PAUSED),
			[VM_EVENT_ASKED] = TO(STOPPING),
			[VM_EVENT_ENDS] = TO(STOPPING),
			[VM_EVENT_GONE] = TO(STOPPED),
			[VM_EVENT_FAILED] = TO(CRASHED),
		},
	[VM_STATE_PAUSED] =
		{
			[VM_EVENT_RUNS] = TO(RUNNING),
			[VM_EVENT_STANDS] = TO(PAUSED),
			[VM_EVENT_ASKED] = TO(STOPPING),
			[VM_EVENT_ENDS] = TO(STOPPING),
			[VM_EVENT_GONE] = TO(STOPPED),
			[VM_EVENT_FAILED] = TO(CRASHED),
		},
	[VM_STATE_STOPPING] =
		{
			/* vCPUs stop once more on the way out. */
			[VM_EVENT_RUNS] = TO(STOPPING),
			[VM_EVENT_STANDS] = TO(STOPPING),
			[VM_EVENT_ASKED] = TO(STOPPING),
			[VM_EVENT_REFUSED] = TO(RUNNING),
			[VM_EVENT_ENDS] = TO(STOPPING),
			[VM_EVENT_GONE] = TO(STOPPED),
			[VM_EVENT_FAILED] = TO(CRASHED),
		},
};

const char *vm_state_name(enum vm_state state)
{
	return state_names[state];
}

const char *vm_event_name(enum vm_event event)
{
	return event_names[event];
}

enum vm_state vm_state_parse(const char *name)
{
	enum vm_state state = 0;

	while (state < VM_STATE_COUNT && !str_eq(name, state_names[state]))
		state++;
	return state;
}

bool vm_state_next(enum vm_state state, enum vm_event event, enum vm_state *ret_next)
{
	if (!table[state][event])
		return false;
	*ret_next = table[state][event] - 1;
	return true;
}
