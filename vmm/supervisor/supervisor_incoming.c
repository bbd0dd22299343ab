/* SPDX-License-Identifier: MIT */
/*
 * A guest that does not boot, but goes on: from what was suspended to disk, or from the state
 * of another one. QEMU is sealed by then, for a QEMU wrote that state whose guest may have
 * taken it over; what it is told before that comes from us. QEMU reads by a socket that it
 * holds already, while the keeper writes, and says by an event when all is in.
 */
#include "vmm/supervisor/supervisor_private.h"

#include "base/log.h"
#include "base/str.h"

#include <errno.h>

enum { ANSWER_MS = 60 * 1000 };

void supervisor_on_answer(json_t *result, const char *class, const struct error *err, void *arg)
{
	struct supervisor *s = arg;

	(void)result;
	(void)class;
	/* QEMU that died has more to say than its monitor. */
	if (err && err->code != ECONNRESET)
		supervisor_fail(s, err);
}

static void call(struct supervisor *s, const char *command, json_t *args)
{
	struct error err = ERROR_INIT;

	if (!s->qmp)
		json_decref(args);
	else if (qmp_client_call(s->qmp, command, args, NULL, 0, ANSWER_MS, supervisor_on_answer, s,
				 &err) < 0)
		supervisor_fail(s, &err);
}

static void set_memory_is_mapped(struct supervisor *s, bool is)
{
	call(s, "migrate-set-capabilities",
	     json_pack("{s:[{s:s s:b}]}", "capabilities", "capability", "x-ignore-shared", "state",
		       is));
}

void supervisor_expect(struct supervisor *s)
{
	/* The memory that a fork has mapped is not in the stream. */
	if (!s->start->resumes)
		set_memory_is_mapped(s, true);
}

void supervisor_take_in(struct supervisor *s)
{
	char uri[24];

	s->comes_in = true;
	(void)str_format(uri, sizeof(uri), "fd:%d", s->start->incoming);
	call(s, "migrate-incoming", json_pack("{s:s}", "uri", uri));
}

void supervisor_incoming_event(struct supervisor *s, const char *status)
{
	struct error err = ERROR_INIT;

	if (!s->comes_in)
		return;
	if (str_eq(status, "failed")) {
		(void)error_set(&err, EIO, "QEMU could not take in what the guest goes on from");
		supervisor_fail(s, &err);
	}
	if (!str_eq(status, "completed"))
		return;
	s->comes_in = false;
	if (s->start->resumes) {
		s->resumed = true;
		supervisor_tell(s, (struct vm_message){.word = KEEPER_RESUMED}, NULL);
	} else {
		supervisor_fork_arrived(s);
	}
}

void supervisor_came_in(struct supervisor *s)
{
	/* QEMU writes this one into all that it saves from here on, and reads such only where it is
	 * set as well. The guest does not wait for that. */
	if (!s->start->resumes)
		set_memory_is_mapped(s, false);
}

void supervisor_may_run(struct supervisor *s)
{
	if (!s->resumed || s->running_once)
		return;
	log_info("vm '%s': goes on where it was suspended", s->vm->name);
	supervisor_run(s);
}
