/* SPDX-License-Identifier: MIT */
/*
 * A client copies the machine's state (vmm/fork/prepare.h): QEMU migrates, and its guest goes on.
 * What has to be quick is done here, for the guest stands meanwhile: QEMU reads its monitor byte by
 * byte, and each word of the client's would come and go by one process more.
 *
 * hv-copy: whose copying it is from now on. hv-copy-begin: the migration begins, while the guest
 * stands where that is wanted, until it has begun or throughout. Where it waits before its end
 * (pause-before-switchover), a transaction is made first. hv-copy-end: answered when all is over
 * and the guest does again what it did before. One that is to stay stands until then, and may for
 * good: its machine ends.
 *
 * Should the client go in between, copying is cancelled, and the guest goes on where it stands for
 * that and for nothing else. QEMU gives disks back to a guest that goes on and to nobody else; one
 * that stood before goes on for that, and is stopped with the next word.
 */
#include "vmm/supervisor/supervisor_private.h"

#include "base/cleanup.h"
#include "base/log.h"
#include "base/str.h"
#include "vmm/json.h"
#include "vmm/names.h"
#include "vmm/supervisor/monitor_rules.h"

#include <errno.h>
#include <time.h>

enum {
	ANSWER_MS = 60 * 1000,
	/* QEMU says that a migration is over a moment before it lets a guest run. Whatever it is
	 * asked in that moment takes longer than that does by itself. */
	TRIES = 1000,
	AGAIN_USEC = 500,
};

static const char copied_already[] =
	"its state is being copied already, by another hv fork, state save, snap save or save";

void supervisor_copy_command(struct supervisor *s, struct control_call *call)
{
	if (s->copier &&
	    (s->copier != control_call_client(call) + 1 || s->copy_phase != COPY_ENDED))
		control_fail(call, "GenericError", copied_already);
	else if (s->state != VM_STATE_RUNNING && s->state != VM_STATE_PAUSED)
		control_fail(call, "GenericError",
			     "only of a machine that runs or is paused a state can be made");
	else {
		s->copier = control_call_client(call) + 1;
		s->copy_tries = TRIES;
		s->copy_phase = COPY_SAID;
		s->copy_left = s->copy_settles = false;
		s->copy_paused = s->state == VM_STATE_PAUSED;
		s->copy_failure = (struct error)ERROR_INIT;
		control_reply(call, json_pack("{s:b}", "paused", s->copy_paused));
	}
}

static void ask(struct supervisor *s, const char *command, json_t *args, qmp_reply_fn reply)
{
	if (s->qmp)
		(void)qmp_client_call(s->qmp, command, args, NULL, 0, ANSWER_MS, reply, s, NULL);
	else
		json_decref(args);
}

/* Nobody has to see to the guest any more. Whose it was may still ask how it went. */
static void end(struct supervisor *s)
{
	struct control_call *call = steal_ptr(&s->copy_call);

	json_decref(steal_ptr(&s->copy_actions));
	if (call || s->copy_left || s->copy_phase == COPY_SAID)
		s->copier = 0;
	s->copy_phase = COPY_ENDED;
	if (call && s->copy_failure.code)
		control_fail(call, "GenericError", s->copy_failure.text);
	else if (call)
		control_reply(call, NULL);
}

static void go_on(struct supervisor *s);

static int on_again(sd_event_source *source, uint64_t usec, void *userdata)
{
	struct supervisor *s = userdata;

	(void)source;
	(void)usec;
	go_on(s);
	return 0;
}

static void go_on_soon(struct supervisor *s)
{
	s->copy_tries--;
	s->copy_timer = sd_event_source_disable_unref(s->copy_timer);
	if (sd_event_add_time_relative(s->event, &s->copy_timer, CLOCK_MONOTONIC, AGAIN_USEC, 1,
				       on_again, s) < 0)
		go_on(s);
}

static void on_gone_on(json_t *result, const char *class, const struct error *err, void *arg)
{
	struct supervisor *s = arg;

	(void)result;
	(void)class;
	if (!err || err->code == ECONNRESET || err->code == ECANCELED) {
		end(s);
	} else if (s->copy_tries) {
		go_on_soon(s);
	} else {
		log_error("vm '%s': the guest stands, and does not go on: %s", s->vm->name,
			  err->text);
		s->copy_failure = *err;
		end(s);
	}
}

/* Its own stop is answered: it stands as it did. */
static void on_stopped(json_t *result, const char *class, const struct error *err, void *arg)
{
	(void)result;
	(void)class;
	(void)err;
	end(arg);
}

static void on_status(json_t *result, const char *class, const struct error *err, void *arg)
{
	const char *status = json_get_string(result, "status") ?: "";
	struct supervisor *s = arg;

	(void)class;
	if (!err && s->copy_paused && str_eq(status, "postmigrate")) {
		s->copy_settles = true;
		ask(s, "cont", NULL, NULL);
		ask(s, "stop", NULL, on_stopped);
	} else if (!err && s->copy_paused && str_eq(status, "finish-migrate") && s->copy_tries) {
		go_on_soon(s);
	} else {
		end(s);
	}
}

static void go_on(struct supervisor *s)
{
	if (!s->qmp || (s->state != VM_STATE_PAUSED && s->state != VM_STATE_RUNNING))
		end(s);
	else if (s->copy_paused)
		ask(s, "query-status", NULL, on_status);
	else
		ask(s, "cont", NULL, on_gone_on);
}

static void on_begun(json_t *result, const char *class, const struct error *err, void *arg)
{
	struct control_call *call = arg;
	struct supervisor *s = control_call_arg(call);

	(void)result;
	if (!err) {
		control_reply(call, NULL);
		return;
	}
	control_fail(call, class ? class : "GenericError", err->text);
	s->copy_phase = COPY_SETTLES;
	go_on(s);
}

void supervisor_copy_begin_command(struct supervisor *s, struct control_call *call, json_t *args)
{
	json_t *actions = json_object_get(args, "actions");
	const char *reason = actions ? monitor_rule("transaction", args) : NULL;
	bool stand = json_is_true(json_object_get(args, "stand")) && !s->copy_paused;

	if (s->copier != control_call_client(call) + 1)
		reason = "hv-copy comes first";
	else if (s->copy_phase != COPY_SAID)
		reason = copied_already;
	else if (!s->qmp)
		reason = "QEMU's monitor is not connected";
	if (reason) {
		control_fail(call, "GenericError", reason);
		return;
	}
	s->copy_phase = COPY_MIGRATES;
	s->copy_actions = json_incref(actions);
	s->copy_lets_run = stand && !json_is_true(json_object_get(args, "throughout"));
	s->copy_stays = json_is_true(json_object_get(args, "stay"));
	if (stand)
		ask(s, "stop", NULL, NULL);
	if (qmp_client_call(s->qmp, "migrate", json_pack("{s:s}", "uri", "fd:" NAME_COPY_FD), NULL,
			    0, ANSWER_MS, on_begun, call, NULL) < 0)
		on_begun(NULL, NULL, &(struct error){ENOBUFS, "QEMU's monitor takes no more"},
			 call);
}

/* Also by somebody else than the one who copies, to wait for what is left of that one. */
void supervisor_copy_end_command(struct supervisor *s, struct control_call *call, json_t *args)
{
	bool own = s->copier == control_call_client(call) + 1;

	if (!s->copier) {
		control_reply(call, NULL);
		return;
	}
	if (s->copy_call || (!own && !s->copy_left)) {
		control_fail(call, "GenericError", "its state is being copied by somebody else");
		return;
	}
	s->copy_call = call;
	if (s->copy_phase == COPY_WAITS && !json_is_true(json_object_get(args, "stay"))) {
		s->copy_phase = COPY_SETTLES;
		go_on(s);
	} else if (s->copy_phase != COPY_MIGRATES && s->copy_phase != COPY_SETTLES) {
		end(s);
	}
}

/* In two words, as in line_cancel_migration(). */
static void cancel(struct supervisor *s)
{
	ask(s, "migrate_cancel", NULL, NULL);
	ask(s, "migrate-continue", json_pack("{s:s}", "state", "cancelling"), NULL);
}

void supervisor_copy_client_gone(struct supervisor *s, unsigned client)
{
	if (s->copier != client + 1)
		return;
	if (s->copy_phase == COPY_SAID || s->copy_phase == COPY_ENDED) {
		end(s);
		return;
	}
	if (s->copy_call)
		control_reply(steal_ptr(&s->copy_call), NULL);
	log_warning("vm '%s': who copied its state has gone; that is cancelled", s->vm->name);
	s->copy_left = true;
	if (s->copy_phase == COPY_MIGRATES) {
		cancel(s);
	} else if (s->copy_phase == COPY_WAITS) {
		s->copy_phase = COPY_SETTLES;
		go_on(s);
	}
}

static void on_changed(json_t *result, const char *class, const struct error *err, void *arg)
{
	struct supervisor *s = arg;

	(void)result;
	(void)class;
	if (!err || s->copy_failure.code)
		return;
	s->copy_failure = *err;
	(void)error_wrap(&s->copy_failure, -err->code, "transaction");
	cancel(s);
}

/* One action is shorter without a transaction around it, and the guest stands while QEMU reads. */
static bool change_one(struct supervisor *s)
{
	static const char *const commands[] = {"blockdev-snapshot",
					       "blockdev-snapshot-internal-sync"};
	json_t *action = json_array_get(s->copy_actions, 0);
	const char *type = json_get_string(action, "type") ?: "";

	for (size_t i = 0; json_array_size(s->copy_actions) == 1 && i < ARRAY_SIZE(commands); i++)
		if (str_eq(type, commands[i])) {
			ask(s, type, json_incref(json_object_get(action, "data")), on_changed);
			return true;
		}
	return false;
}

/* Both go out at once. Where the first fails, what is copied is no good, and is thrown away. */
static void change_over(struct supervisor *s)
{
	if (s->copy_actions && !change_one(s))
		ask(s, "transaction", json_pack("{s:O}", "actions", s->copy_actions), on_changed);
	ask(s, "migrate-continue", json_pack("{s:s}", "state", "pre-switchover"), NULL);
}

void supervisor_copy_event(struct supervisor *s, const char *status)
{
	if (!s->copier || s->copy_phase != COPY_MIGRATES)
		return;
	if (str_eq(status, "active") && s->copy_lets_run) {
		s->copy_lets_run = false;
		ask(s, "cont", NULL, NULL);
	} else if (str_eq(status, "pre-switchover") && !s->copy_left) {
		change_over(s);
	} else if (str_eq(status, "completed") || str_eq(status, "cancelled") ||
		   str_eq(status, "failed")) {
		s->copy_phase = COPY_SETTLES;
		if (s->copy_stays && !s->copy_left && str_eq(status, "completed"))
			s->copy_phase = COPY_WAITS;
		else
			go_on(s);
	}
}

void supervisor_copy_runs(struct supervisor *s)
{
	/* Somebody let it go on: it is not to be stopped again. */
	if (!s->copy_settles)
		s->copy_paused = false;
	s->copy_settles = false;
}
