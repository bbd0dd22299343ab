/* SPDX-License-Identifier: MIT */
/*
 * A client copies the machine's state (vmm/prepare.h): it has QEMU migrate and lets the guest run
 * on. Should it go in between, that is done here: copying is cancelled, and the guest goes on
 * where it stands for that and for nothing else.
 */
#include "vmm/supervisor_private.h"

#include "base/cleanup.h"
#include "base/log.h"
#include "base/str.h"

#include <errno.h>

enum {
	ANSWER_MS = 60 * 1000,
	/* QEMU says that a migration is over a moment before it lets a guest run. */
	TRIES = 1000,
};

void supervisor_copy_command(struct supervisor *s, struct control_call *call)
{
	if (s->copier)
		control_fail(call, "GenericError", "its state is being copied already");
	else if (s->state != VM_STATE_RUNNING)
		control_fail(call, "GenericError",
			     "only of a machine that runs a state can be made (hv resume)");
	else {
		s->copier = control_call_client(call) + 1;
		s->copy_tries = TRIES;
		s->copying = s->copy_stands = s->copy_left = false;
		control_reply(call, NULL);
	}
}

static void go_on(struct supervisor *s);

static void on_gone_on(json_t *result, const char *class, const struct error *err, void *arg)
{
	struct supervisor *s = arg;

	(void)result;
	(void)class;
	if (!err || err->code == ECONNRESET || err->code == ECANCELED)
		return;
	if (s->copy_tries--)
		go_on(s);
	else
		log_error("vm '%s': the guest stands, and does not go on: %s", s->vm->name,
			  err->text);
}

static void go_on(struct supervisor *s)
{
	if (s->qmp && (s->state == VM_STATE_PAUSED || s->state == VM_STATE_RUNNING))
		(void)qmp_client_call(s->qmp, "cont", NULL, NULL, 0, ANSWER_MS, on_gone_on, s,
				      NULL);
}

void supervisor_copy_client_gone(struct supervisor *s, unsigned client)
{
	if (s->copier != client + 1)
		return;
	s->copier = 0;
	if (!s->qmp)
		return;
	log_warning("vm '%s': who copied its state has gone; that is cancelled", s->vm->name);
	s->copy_left = s->copying;
	if (s->copying)
		(void)qmp_client_call(s->qmp, "migrate_cancel", NULL, NULL, 0, ANSWER_MS, NULL,
				      NULL, NULL);
	/* Also where it runs: what makes it stand may be on its way. */
	go_on(s);
}

/* Over, and the guest runs: whatever it does from here on is its own affair. */
static void look_for_end(struct supervisor *s)
{
	if (s->copy_over && !s->copy_stands)
		s->copier = 0;
}

void supervisor_copy_event(struct supervisor *s, const char *status)
{
	bool over = str_eq(status, "completed") || str_eq(status, "cancelled") ||
		    str_eq(status, "failed");

	s->copying = s->copier && !over;
	s->copy_over = over;
	look_for_end(s);
	if (over && s->copy_left) {
		s->copy_left = false;
		go_on(s);
	}
}

void supervisor_copy_stands(struct supervisor *s, bool stands)
{
	s->copy_stands = stands;
	look_for_end(s);
}
