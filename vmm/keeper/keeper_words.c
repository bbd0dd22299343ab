/* SPDX-License-Identifier: MIT */
/*
 * What the supervisor says, one function for each word. It may have gone over to the
 * guest: a word is heard only where the machine is at a point at which it has a
 * meaning, and it can move nothing but its own machine.
 */
#include "vmm/keeper/keeper_private.h"

#include "base/cleanup.h"
#include "base/fd.h"
#include "base/log.h"
#include "base/str.h"
#include "vmm/snapshot/restore.h"
#include "vmm/snapshot/saved.h"
#include "vmm/supervisor/console_log.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <systemd/sd-daemon.h>
#include <time.h>

void keeper_tell(struct keeper *k, struct vm_message m, const char *text, int fd)
{
	struct error err = ERROR_INIT;

	if (k->channel < 0)
		return;
	/* One that has gone is heard of by its pidfd. */
	if (vm_message_send(k->channel, m, text, fd, &err) < 0 && err.code != EPIPE)
		log_error("vm '%s': supervisor: %s", k->options->vm->name, err.text);
}

static int hear_state(struct keeper *k, const struct vm_message *m, struct error *err)
{
	enum vm_state state = m->number;

	if (state == VM_STATE_STOPPED || state == VM_STATE_CRASHED)
		return error_set(err, EPROTO, "it says '%s' of a machine that lives",
				 vm_state_name(state));
	if (!k->sealed && (state == VM_STATE_RUNNING || state == VM_STATE_PAUSED))
		return error_set(err, EPROTO, "it says '%s' of a machine that is not sealed",
				 vm_state_name(state));
	if (state == VM_STATE_SPARE && (!k->sealed || !k->spare || k->running_once))
		return error_set(err, EPROTO, "it says 'spare' of a machine that is none");
	/* From here on it is up, as people see it. */
	if (k->state == VM_STATE_SPARE && state == VM_STATE_RUNNING)
		k->started = (uint64_t)time(NULL);
	if (state != k->state) {
		log_info("vm '%s': %s", k->options->vm->name, vm_state_name(state));
		(void)sd_notifyf(0, "STATUS=%s", vm_state_name(state));
	}
	/* However it came to run: what was saved of it is not true any more. */
	if (state == VM_STATE_RUNNING && k->state != state)
		saved_forget(k->res.state_dirfd);
	k->state = state;
	k->reason = m->reason;
	k->agent_open = m->agent_open;
	keeper_write_status(k);
	if (state == VM_STATE_SPARE)
		keeper_tell_ready(k, NULL);
	keeper_tell(k, (struct vm_message){.word = SUPERVISOR_NOTED}, NULL, -1);
	return 0;
}

/* Pinned once, before the guest has seen it. */
static int hear_machine(struct keeper *k, const struct vm_message *m, struct error *err)
{
	struct vm_pins *pins = &k->res.pins;

	if (k->running_once || pins->machine || k->options->vm->machine)
		return 0;
	pins->machine = strdup(m->text);
	if (!pins->machine)
		return error_oom(err);
	k->res.hw.machine = pins->machine;
	return restore_note_shape(&k->res, err);
}

static int hear_answered(struct keeper *k, const struct vm_message *m, struct error *err)
{
	(void)m;
	(void)err;
	keeper_seal(k);
	keeper_tell(k, (struct vm_message){.word = SUPERVISOR_SEALED}, NULL, -1);
	return 0;
}

static int hear_runs(struct keeper *k, const struct vm_message *m, struct error *err)
{
	(void)m;
	if (!k->sealed)
		return error_set(err, EPROTO, "it says that a guest runs that is not sealed");
	keeper_ready(k);
	return 0;
}

static int hear_kill(struct keeper *k, const struct vm_message *m, struct error *err)
{
	(void)m;
	(void)err;
	keeper_kill(k);
	return 0;
}

static int hear_fail(struct keeper *k, const struct vm_message *m, struct error *err)
{
	struct error why = ERROR_INIT;

	(void)err;
	(void)error_set(&why, ECONNRESET, "%s", m->text);
	keeper_fail(k, &why);
	return 0;
}

static int hear_ended(struct keeper *k, const struct vm_message *m, struct error *err)
{
	if (k->res.qemu.pidfd >= 0)
		return error_set(err, EPROTO, "it says that a machine has ended that lives");
	if (!m->in_order && !k->failure.code && !k->killed)
		(void)error_set(&k->failure, ECONNRESET, "%s",
				*m->text ? m->text : "QEMU ended without a word");
	keeper_over(k);
	return 0;
}

static int hear_connect(struct keeper *k, const struct vm_message *m, struct error *err)
{
	cleanup_close int fd = -1;
	struct error why = ERROR_INIT;

	(void)err;
	(void)fd_connect_unix(k->run.dirfd, vm_socket_name(m->number), &fd, &why);
	keeper_tell(k, (struct vm_message){.word = SUPERVISOR_SOCKET, .number = m->number},
		    why.text, fd);
	return 0;
}

static int hear_log_full(struct keeper *k, const struct vm_message *m, struct error *err)
{
	(void)m;
	(void)err;
	console_log_bound(k->res.state_dirfd);
	return 0;
}

static int hear_reload(struct keeper *k, const struct vm_message *m, struct error *err)
{
	(void)m;
	(void)err;
	keeper_reload(k);
	return 0;
}

/* From here on the guest may have run, and its disks with it. */
static int hear_resumed(struct keeper *k, const struct vm_message *m, struct error *err)
{
	(void)m;
	if (!k->sealed || !k->res.resumes || k->running_once)
		return error_set(err, EPROTO, "it says that it resumed what was not saved");
	if (!k->taken) {
		struct error why = ERROR_INIT;

		if (saved_take(k->res.state_dirfd, &why) < 0) {
			keeper_fail(k, &why);
			return 0;
		}
		k->taken = true;
	}
	keeper_tell(k, (struct vm_message){.word = SUPERVISOR_RUN}, NULL, -1);
	return 0;
}

static int hear_pong(struct keeper *k, const struct vm_message *m, struct error *err)
{
	(void)m;
	(void)err;
	if (k->pinged)
		(void)sd_notify(0, "WATCHDOG=1");
	k->pinged = false;
	return 0;
}

static const struct {
	int (*hear)(struct keeper *k, const struct vm_message *m, struct error *err);
	bool without_machine; /* also in the pause between two lives */
} words[] = {
	[KEEPER_STATE] = {hear_state, false},       [KEEPER_MACHINE] = {hear_machine, false},
	[KEEPER_ANSWERED] = {hear_answered, false}, [KEEPER_RUNS] = {hear_runs, false},
	[KEEPER_KILL] = {hear_kill, true},          [KEEPER_FAIL] = {hear_fail, false},
	[KEEPER_ENDED] = {hear_ended, false},       [KEEPER_CONNECT] = {hear_connect, false},
	[KEEPER_LOG_FULL] = {hear_log_full, false}, [KEEPER_RELOAD] = {hear_reload, false},
	[KEEPER_PONG] = {hear_pong, true},          [KEEPER_RESUMED] = {hear_resumed, false},
};
static_assert(ARRAY_SIZE(words) == KEEPER_WORD_COUNT, "a function each");

int keeper_hear(struct keeper *k, const struct vm_message *m, struct error *err)
{
	int rc = vm_message_check(m, err);

	if (rc < 0)
		return rc;
	if (k->state == VM_STATE_CRASHED && !words[m->word].without_machine)
		return error_set(err, EPROTO, "it says '%s' where there is no machine",
				 keeper_word_name(m->word));
	return words[m->word].hear(k, m, err);
}
