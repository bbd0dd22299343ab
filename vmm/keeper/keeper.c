/* SPDX-License-Identifier: MIT */
/*
 * Theory of operation
 *
 * The keeper makes the machine (vmm/resources.h) or takes over one that an earlier
 * keeper left, starts the supervisor, and then waits in one sd-event loop for the
 * pidfds of QEMU, swtpm and supervisor, for signals, and for the supervisor's
 * messages. It parses nothing else.
 *
 * A machine has one life after another (keeper_life.c): where the configuration says
 * so, one that crashed lives again after a pause, in which a supervisor without a
 * machine answers clients.
 *
 * A supervisor that dies is replaced at once and the guest never notices. When the
 * keeper dies, the supervisor ends itself, the guest runs on, and the next keeper
 * takes over. A spare, whose guest has not run, ends in both cases.
 */
#include "vmm/keeper/keeper_private.h"

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/fault.h"
#include "base/log.h"
#include "base/str.h"
#include "tpm/swtpm.h"
#include "vmm/json.h"
#include "vmm/keeper/attach.h"
#include "vmm/keeper/privilege.h"
#include "vmm/ready.h"
#include "vmm/signals.h"
#include "vmm/snapshot/saved.h"
#include "vmm/vm_status.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <systemd/sd-daemon.h>
#include <time.h>
#include <unistd.h>

enum {
	/* Between a crash and the next life: 1 s, 2 s, 4 s … 64 s. */
	USEC_PER_SECOND = 1000 * 1000,
	PAUSE_USEC = USEC_PER_SECOND,
	PAUSE_DOUBLINGS_MAX = 6,
	RAN_WELL_USEC = 60 * USEC_PER_SECOND,
};

json_t *keeper_describe(struct keeper *k)
{
	json_t *status = vm_status_running(&(struct vm_status_facts){
		.resources = &k->res,
		.supervisor = &k->supervisor,
		.state = k->state,
		.reason = vm_reason_text(k->reason),
		.started = k->started,
		.agent_open = k->agent_open,
	});

	if (status && k->failure.code)
		(void)json_object_set_new(status, "error",
					  json_string(k->failure.text) ?: json_null());
	if (status && k->spare)
		(void)json_object_set_new(status, "spare",
					  json_pack("{s:s? s:I s:s}", "state", k->res.prepared.name,
						    "memory", (json_int_t)k->memory_inode, "sum",
						    k->options->vm->sum));
	return status;
}

void keeper_write_status(struct keeper *k)
{
	cleanup_json json_t *status = keeper_describe(k);
	struct error err = ERROR_INIT;

	if (rundir_write_status(&k->run, status, &err) < 0)
		log_error("vm '%s': %s", k->options->vm->name, err.text);
}

void keeper_over(struct keeper *k)
{
	k->over = true;
	(void)sd_event_exit(k->event, 0);
}

void keeper_kill(struct keeper *k)
{
	k->killed = true;
	if (k->res.qemu.pidfd < 0) {
		(void)sd_event_exit(k->event, 0);
		return;
	}
	/* Side by side: what swtpm has written is whole, for it renames. */
	(void)child_signal(&k->res.qemu, SIGKILL, NULL);
	(void)child_signal(&k->res.swtpm, SIGKILL, NULL);
}

void keeper_fail(struct keeper *k, const struct error *why)
{
	if (!k->failure.code)
		k->failure = *why;
	if (k->res.qemu.pidfd < 0)
		(void)sd_event_exit(k->event, 0);
	else
		(void)child_signal(&k->res.qemu, SIGKILL, NULL);
}

void keeper_save_pins(struct keeper *k)
{
	struct error err = ERROR_INIT;

	if (vm_pins_save(k->res.state_dirfd, &k->res.pins, &err) < 0)
		log_error("vm '%s': its state could not be saved: %s", k->options->vm->name,
			  err.text);
}

void keeper_tell_ready(struct keeper *k, const struct error *err)
{
	if (!k->told)
		ready_tell(k->options->ready_fd, err);
	k->told = true;
}

void keeper_ready(struct keeper *k)
{
	struct vm_pins *pins = &k->res.pins;

	k->ready = k->running_once = true;
	k->spare = false;
	if (k->state == VM_STATE_STARTING) {
		k->state = VM_STATE_RUNNING;
		log_info("vm '%s': %s", k->options->vm->name, vm_state_name(k->state));
	}
	if (k->taken)
		saved_forget(k->res.state_dirfd);
	k->taken = false;
	keeper_write_status(k);
	fault_point("the guest runs");
	keeper_tell_ready(k, NULL);
	(void)sd_notifyf(0, "READY=1\nMAINPID=%d\nSTATUS=running", (int)getpid());
	/* From here on the guest knows its hardware. */
	if (!pins->cpu)
		pins->cpu = strdup(k->res.hw.cpu);
	pins->tpm_used = pins->tpm_used || k->options->vm->tpm;
	pins->crashed = false;
	pins->begun = pins->begun || k->res.prepared.name;
	free(steal_ptr(&pins->next_state));
	pins->next_links_up = false;
	free(steal_ptr(&pins->last_error));
	if (k->options->vm->tpm)
		(void)tpm_state_sync(k->res.state_dirfd, NULL);
	keeper_save_pins(k);
	fault_point("pins saved");
}

void keeper_reload(struct keeper *k)
{
	/* A machine that is being made or ends cannot be taken over. */
	k->reload = k->running_once && k->res.qemu.pidfd >= 0 && !k->stopping && !k->killed;
	if (k->reload)
		(void)sd_event_exit(k->event, 0);
}

static int on_reload(sd_event_source *source, const struct signalfd_siginfo *info, void *userdata)
{
	(void)source;
	(void)info;
	keeper_reload(userdata);
	return 0;
}

static int on_signal(sd_event_source *source, const struct signalfd_siginfo *info, void *userdata)
{
	struct keeper *k = userdata;

	(void)source;
	(void)info;
	if (k->stopping || !k->running_once || k->res.qemu.pidfd < 0) {
		k->stopping = true;
		keeper_kill(k);
		return 0;
	}
	k->stopping = true;
	log_info("vm '%s': asked to stop; once more ends it at once", k->options->vm->name);
	keeper_end(k);
	return 0;
}

static void unwatch(struct keeper *k)
{
	k->qemu_source = sd_event_source_disable_unref(k->qemu_source);
	k->swtpm_source = sd_event_source_disable_unref(k->swtpm_source);
	k->end_timer = sd_event_source_disable_unref(k->end_timer);
	k->saver_source = sd_event_source_disable_unref(k->saver_source);
	child_destroy(&k->saver);
	keeper_unfeed(k);
}

static int loop(struct keeper *k, int (*first)(struct keeper *k, struct error *err))
{
	struct error err = ERROR_INIT;
	int rc = sd_event_new(&k->event);

	if (rc < 0)
		return error_errno(&k->failure, -rc, "event loop");
	rc = signals_watch(k->event, on_signal, k, &err);
	if (rc == 0)
		rc = signals_watch_reload(k->event, on_reload, k, &err);
	if (rc == 0)
		rc = first(k, &err);
	if (rc == 0) {
		rc = sd_event_loop(k->event);
		if (rc < 0)
			(void)error_errno(&err, -rc, "event loop");
	}
	if (rc < 0 && !k->failure.code)
		k->failure = err;
	unwatch(k);
	keeper_unwatch(k);
	keeper_free_gates(k);
	k->event = sd_event_unref(k->event);
	return rc;
}

/* One life of the machine. */
static void live(struct keeper *k)
{
	resources_init(&k->res, k->options->paths, k->options->vm, &k->host, k->run.dirfd);
	k->res.watch = k->options->watch;
	k->failure = (struct error)ERROR_INIT;
	k->life_usec = clock_now_usec();
	k->over = k->vanished = k->taken = false;
	k->reason = VM_REASON_NONE;
	k->agent_open = false;
	(void)loop(k, keeper_begin);
	if (k->reload)
		resources_let_go(&k->res);
	else
		keeper_finish(k);
}

/* A machine that crashes again and again gets ever longer pauses; one that ran for
 * a while begins with the first again. */
static uint64_t pause_usec(struct keeper *k)
{
	unsigned doublings;

	if (clock_now_usec() - k->life_usec > RAN_WELL_USEC)
		k->failures = 0;
	doublings = k->failures++ < PAUSE_DOUBLINGS_MAX ? k->failures - 1 : PAUSE_DOUBLINGS_MAX;
	return PAUSE_USEC << doublings;
}

static int on_pause_over(sd_event_source *source, uint64_t usec, void *userdata)
{
	struct keeper *k = userdata;

	(void)source;
	(void)usec;
	return sd_event_exit(k->event, 0);
}

/* Nothing runs, but clients are answered: a supervisor without a machine. */
static int begin_pause(struct keeper *k, struct error *err)
{
	uint64_t usec = pause_usec(k);
	struct error why = ERROR_INIT;
	int rc;

	log_info("vm '%s': starts again in %u s", k->options->vm->name,
		 (unsigned)(usec / USEC_PER_SECOND));
	(void)sd_notifyf(0, "STATUS=crashed, starts again in %u s: %s",
			 (unsigned)(usec / USEC_PER_SECOND), k->failure.text);
	rc = sd_event_add_time_relative(k->event, &k->end_timer, CLOCK_MONOTONIC, usec, 0,
					on_pause_over, k);
	if (rc < 0)
		return error_errno(err, -rc, "event loop");
	/* Without one, clients wait until the next life. */
	if (keeper_spawn(k, &why) < 0)
		log_error("vm '%s': supervisor: %s", k->options->vm->name, why.text);
	keeper_write_status(k);
	fault_point("pause begun");
	return 0;
}

static void pause_life(struct keeper *k)
{
	resources_init(&k->res, k->options->paths, k->options->vm, &k->host, k->run.dirfd);
	k->running_once = false;
	k->reason = VM_REASON_RESTART;
	(void)loop(k, begin_pause);
	fault_point("pause over");
	/* Who ended the pause hears of it when all is gone. */
	if (!k->killed && !k->stopping)
		keeper_dismiss(k, VM_END_NOT);
}

static void close_sockets(struct keeper *k)
{
	close_fd(&k->control_fd);
	close_fd(&k->console_fd);
	for (int i = 0; i < SCREEN_DOOR_COUNT; i++)
		close_fd(&k->screen_fds[i]);
}

static enum vm_end how_it_ended(const struct keeper *k)
{
	if (k->killed)
		return VM_END_KILLED;
	return k->failure.code ? VM_END_CRASHED : VM_END_IN_ORDER;
}

static int keep(struct keeper *k, struct error *err)
{
	for (;;) {
		live(k);
		if (k->reload) {
			child_destroy(&k->supervisor);
			keeper_dismiss(k, VM_END_NOT);
			close_sockets(k);
			rundir_release(&k->run);
			return KEEPER_AGAIN;
		}
		if (k->vanished)
			continue;
		if (!keeper_lives_again(k))
			break;
		keeper_dismiss(k, VM_END_CRASHED);
		pause_life(k);
		if (k->killed || k->stopping)
			break;
	}
	attachments_free(k->held);
	close_sockets(k);
	fault_point("sockets closed");
	rundir_remove(&k->run, k->options->paths, PATHS_VM, k->options->vm->name);
	fault_point("run folder gone");
	/* Who asked for the end hears of it when all is gone. */
	keeper_dismiss(k, how_it_ended(k));
	if (!k->failure.code)
		return 0;
	*err = k->failure;
	return -k->failure.code;
}

int keeper_run(const struct keeper_options *options, struct error *err)
{
	struct keeper *k = calloc(1, sizeof(*k));
	int rc;

	if (!k)
		return error_oom(err);
	*k = (struct keeper){
		.options = options,
		.run = RUNDIR_INIT,
		.control_fd = -1,
		.console_fd = -1,
		.screen_fds = {-1, -1, -1},
		.supervisor = CHILD_INIT,
		.saver = CHILD_INIT,
		.supervisor_net_ns = -1,
		.net_ns = {-1, -1},
		.channel = -1,
		.spare = options->spare,
	};
	privilege_narrow(PATHS_VM);
	signals_block();
	host_probe(&k->host);
	rc = rundir_acquire(options->paths, PATHS_VM, options->vm->name, &k->run, err);
	fault_point("run folder made");
	if (rc == 0)
		rc = keep(k, err);
	rc = error_wrap_if(err, rc, "vm '%s'", options->vm->name);
	keeper_tell_ready(k, err);
	host_free(&k->host);
	free(k);
	return rc;
}
