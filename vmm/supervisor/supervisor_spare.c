/* SPDX-License-Identifier: MIT */
/*
 * A spare: QEMU is jailed and sealed, and has taken in the prepared state that its guest goes on
 * from. The guest does not run before somebody says hv-begin, and that is all that is left to do. A
 * spare has no guest that could be lost: where its keeper has gone, it goes, too.
 */
#include "vmm/supervisor/supervisor_private.h"

#include "base/log.h"
#include "base/str.h"

#include <unistd.h>

/* For a QEMU that has nothing to end. */
enum { QUIT_MS = 2000 };

bool supervisor_spare_waits(const struct supervisor *s)
{
	return s->start->spare && !s->begun;
}

void supervisor_spare_command(struct supervisor *s, struct control_call *call)
{
	if (s->running_once) {
		control_reply(call, NULL);
		return;
	}
	if (!s->start->spare || (s->state != VM_STATE_SPARE && s->state != VM_STATE_STARTING)) {
		control_fail(call, "GenericError", "it is no spare that waits");
		return;
	}
	if (s->n_begin_waiters == BEGIN_WAITERS_MAX) {
		control_fail(call, "GenericError", "too many wait for its start already");
		return;
	}
	s->begin_waiters[s->n_begin_waiters++] = call;
	/* One that has not come so far yet does not stop there. */
	if (!s->begun && s->state == VM_STATE_SPARE)
		supervisor_fork_run(s);
	s->begun = true;
}

void supervisor_spare_answer(struct supervisor *s, const char *failure)
{
	for (size_t i = 0; i < s->n_begin_waiters; i++) {
		if (failure)
			control_fail(s->begin_waiters[i], "GenericError", failure);
		else
			control_reply(s->begin_waiters[i], NULL);
	}
	s->n_begin_waiters = 0;
}

static _Noreturn void on_quit(json_t *result, const char *class, const struct error *err, void *arg)
{
	(void)result;
	(void)class;
	(void)err;
	(void)arg;
	_exit(1);
}

void supervisor_spare_orphaned(struct supervisor *s)
{
	if (!s->start->spare || s->running_once || !s->qmp ||
	    qmp_client_call(s->qmp, "quit", NULL, NULL, 0, QUIT_MS, on_quit, s, NULL) < 0)
		_exit(1);
	s->orphaned = true;
	s->channel_source = sd_event_source_disable_unref(s->channel_source);
}
