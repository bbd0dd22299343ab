/* SPDX-License-Identifier: MIT */
/*
 * Theory of operation
 *
 * One thread, one sd-event loop. Everything that can happen is an event source:
 * the pidfds of QEMU and swtpm, the monitor, the clients, the console, signals
 * and deadlines. Sources report to supervisor_event(), which looks the next
 * state up in the table of vmm/states.c and writes status.json.
 *
 * The end has one way only: QEMU's pidfd. Whatever is to end the machine (the
 * guest, a client, a signal, a dead swtpm) makes QEMU exit, and on_qemu_gone()
 * does the rest. QEMU's monitor is read to its end before the pidfd is looked
 * at (by priority), so its last event is known by then.
 */
#include "vmm/supervisor_private.h"

#include "base/cleanup.h"
#include "base/fd.h"
#include "base/log.h"
#include "base/str.h"
#include "tpm/swtpm.h"
#include "vmm/adopt.h"
#include "vmm/json.h"
#include "vmm/names.h"
#include "vmm/ready.h"
#include "vmm/signals.h"
#include "vmm/vm_status.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <systemd/sd-daemon.h>
#include <time.h>

enum { STOP_DEFAULT_MS = 90 * 1000, SWTPM_END_MS = 2000 };

void supervisor_write_status(struct supervisor *s)
{
	cleanup_json json_t *status = vm_status_running(&(struct vm_status_facts){
		.resources = &s->res,
		.state = s->state,
		.reason = s->reason,
		.started = s->started,
		.agent_open = s->agent_open,
	});
	struct error err = ERROR_INIT;

	if (rundir_write_status(&s->run, status, &err) < 0)
		log_error("vm '%s': %s", s->options->vm->name, err.text);
}

void supervisor_event(struct supervisor *s, enum vm_event event)
{
	enum vm_state next;

	if (!vm_state_next(s->state, event, &next)) {
		log_error("vm '%s': event '%s' has no place in state '%s'", s->options->vm->name,
			  vm_event_name(event), vm_state_name(s->state));
		return;
	}
	if (next != s->state)
		log_info("vm '%s': %s", s->options->vm->name, vm_state_name(next));
	s->state = next;
	if (next != VM_STATE_PAUSED)
		s->reason = NULL;
	supervisor_write_status(s);
	(void)sd_notifyf(0, "STATUS=%s", vm_state_name(next));
}

void supervisor_kill(struct supervisor *s)
{
	s->killed = true;
	if (s->res.qemu.pidfd < 0) {
		sd_event_exit(s->event, 0);
		return;
	}
	(void)child_signal(&s->res.qemu, SIGKILL, NULL);
	(void)child_signal(&s->res.swtpm, SIGTERM, NULL);
}

void supervisor_fail(struct supervisor *s, const struct error *why)
{
	if (!s->failure.code)
		s->failure = *why;
	if (s->res.qemu.pidfd < 0)
		sd_event_exit(s->event, 0);
	else
		(void)child_signal(&s->res.qemu, SIGKILL, NULL);
}

void supervisor_save_pins(struct supervisor *s)
{
	struct error err = ERROR_INIT;

	if (vm_pins_save(s->res.state_dirfd, &s->res.pins, &err) < 0)
		log_error("vm '%s': its state could not be saved: %s", s->options->vm->name,
			  err.text);
}

void supervisor_ready(struct supervisor *s)
{
	struct vm_pins *pins = &s->res.pins;

	if (s->ready)
		return;
	s->ready = s->running_once = true;
	ready_tell(s->options->ready_fd, NULL);
	(void)sd_notifyf(0, "READY=1\nMAINPID=%d", (int)getpid());
	/* From here on the guest knows its hardware. */
	pins->tpm_used = pins->tpm_used || s->options->vm->tpm;
	pins->crashed = false;
	free(steal_ptr(&pins->last_error));
	if (s->options->vm->tpm)
		(void)tpm_state_sync(s->res.state_dirfd, NULL);
	supervisor_save_pins(s);
}

/* Why QEMU has gone, where it was not in order. */
static void explain_end(struct supervisor *s, int status)
{
	char how[64];
	const char *words = last_words_finish(&s->qemu_words);

	if (s->failure.code || s->killed)
		return;
	if (s->ends && WIFEXITED(status) && WEXITSTATUS(status) == 0)
		return;
	if (s->adopted && s->ends)
		return;
	child_describe_status(how, sizeof(how), status);
	if (s->adopted)
		(void)str_format(how, sizeof(how), "ended without a word");
	(void)error_set(&s->failure, ECONNRESET, "QEMU %s%s%s", how, *words ? ": " : "", words);
}

static int on_qemu_gone(sd_event_source *source, int fd, uint32_t revents, void *userdata)
{
	struct supervisor *s = userdata;
	int status = 0;

	(void)source;
	(void)fd;
	(void)revents;
	s->qemu_source = sd_event_source_disable_unref(s->qemu_source);
	if (child_wait(&s->res.qemu, -1, &status, NULL) < 0)
		return 0;
	explain_end(s, status);
	sd_event_exit(s->event, 0);
	return 0;
}

static int on_swtpm_gone(sd_event_source *source, int fd, uint32_t revents, void *userdata)
{
	struct supervisor *s = userdata;
	struct error err = ERROR_INIT;
	const char *words;
	int status = 0;
	char how[64];

	(void)source;
	(void)fd;
	(void)revents;
	s->swtpm_source = sd_event_source_disable_unref(s->swtpm_source);
	if (child_wait(&s->res.swtpm, -1, &status, NULL) < 0)
		return 0;
	words = last_words_finish(&s->swtpm_words);
	/* It ends by itself when QEMU lets go of it. */
	if (s->ends || s->killed || s->state == VM_STATE_STOPPING)
		return 0;
	child_describe_status(how, sizeof(how), status);
	(void)error_set(&err, ECONNRESET, "swtpm %s%s%s; a machine does not go on without its TPM",
			how, *words ? ": " : "", words);
	supervisor_fail(s, &err);
	return 0;
}

static int on_signal(sd_event_source *source, const struct signalfd_siginfo *info, void *userdata)
{
	struct supervisor *s = userdata;

	(void)source;
	(void)info;
	if (s->state == VM_STATE_STOPPING || !s->running_once) {
		supervisor_kill(s);
		return 0;
	}
	log_info("vm '%s': asked to stop; once more ends it at once", s->options->vm->name);
	supervisor_stop(s, NULL, STOP_DEFAULT_MS, false);
	return 0;
}

static int watch_children(struct supervisor *s, struct error *err)
{
	struct resources *r = &s->res;
	int rc;

	rc = last_words_init(&s->qemu_words, s->event, "qemu", steal_fd(&r->qemu_stderr), err);
	if (rc == 0)
		rc = last_words_init(&s->swtpm_words, s->event, "swtpm", steal_fd(&r->swtpm_stderr),
				     err);
	if (rc < 0)
		return rc;
	rc = sd_event_add_io(s->event, &s->qemu_source, r->qemu.pidfd, EPOLLIN, on_qemu_gone, s);
	if (rc >= 0)
		rc = sd_event_source_set_priority(s->qemu_source, SD_EVENT_PRIORITY_IDLE);
	if (rc >= 0 && r->swtpm.pidfd >= 0)
		rc = sd_event_add_io(s->event, &s->swtpm_source, r->swtpm.pidfd, EPOLLIN,
				     on_swtpm_gone, s);
	if (rc >= 0 && s->swtpm_source)
		rc = sd_event_source_set_priority(s->swtpm_source, SD_EVENT_PRIORITY_IDLE + 1);
	return rc < 0 ? error_errno(err, -rc, "watch QEMU and swtpm") : 0;
}

static int serve_console(struct supervisor *s, struct error *err)
{
	cleanup_close int serial = -1, listening = -1;
	int rc;

	rc = fd_connect_unix(s->run.dirfd, NAME_SERIAL, &serial, err);
	if (rc == 0)
		rc = fd_listen_unix(s->run.dirfd, NAME_CONSOLE, 0600, &listening, err);
	if (rc == 0)
		rc = console_new(s->event, steal_fd(&serial), steal_fd(&listening),
				 s->res.state_dirfd, &s->console, err);
	return rc;
}

static int serve_control(struct supervisor *s, struct error *err)
{
	struct control_handlers handlers = supervisor_commands;
	int fd, rc;

	rc = fd_listen_unix(s->run.dirfd, NAME_QMP, 0600, &fd, err);
	if (rc < 0)
		return rc;
	handlers.arg = s;
	return control_server_new(s->event, fd,
				  json_pack("{s:{s:i s:i s:i} s:s}", "qemu", "micro", 0, "minor", 0,
					    "major", 0, "package", "hvup " HV_VERSION),
				  &handlers, &s->control, err);
}

/* From nothing, or from what another supervisor left, to a QEMU that answers. */
static int start(struct supervisor *s, struct error *err)
{
	struct adopted adopted;
	int rc;

	rc = serve_control(s, err);
	if (rc < 0)
		return rc;
	rc = adopt_machine(&s->run, s->options->paths, &s->res, &adopted, err);
	if (rc < 0)
		return rc;
	s->adopted = s->running_once = rc > 0;
	if (s->adopted) {
		s->started = adopted.started;
		log_info("vm '%s': taken over, QEMU is process %d", s->options->vm->name,
			 (int)s->res.qemu.pid);
		/* As it was left; QEMU will say if it is not so. */
		supervisor_event(s, adopted.paused ? VM_EVENT_STANDS : VM_EVENT_RUNS);
		rc = 0;
	} else {
		supervisor_event(s, VM_EVENT_START);
		rc = resources_start(&s->res, err);
		supervisor_write_status(s);
	}
	if (rc == 0)
		rc = watch_children(s, err);
	if (rc == 0)
		rc = serve_console(s, err);
	if (rc == 0)
		rc = supervisor_connect_monitor(s, err);
	if (rc == 0)
		supervisor_boot(s);
	return rc;
}

/* swtpm writes as it goes; it is asked first and then ended. */
static void end_swtpm(struct supervisor *s)
{
	if (s->res.swtpm.pidfd < 0)
		return;
	s->swtpm_source = sd_event_source_disable_unref(s->swtpm_source);
	(void)child_signal(&s->res.swtpm, SIGTERM, NULL);
	if (child_wait(&s->res.swtpm, SWTPM_END_MS, NULL, NULL) < 0)
		child_destroy(&s->res.swtpm);
}

/* The last thing a state file tells: how it ended. */
static void remember_end(struct supervisor *s)
{
	struct vm_pins *pins = &s->res.pins;

	if (s->res.state_dirfd < 0 || !s->running_once)
		return;
	if (!s->failure.code)
		return;
	pins->crashed = true;
	free(pins->last_error);
	pins->last_error = strdup(s->failure.text);
	supervisor_save_pins(s);
}

static void end(struct supervisor *s)
{
	child_destroy(&s->res.qemu);
	end_swtpm(s);
	if (!s->failure.code && !s->ready)
		(void)error_set(&s->failure, ECANCELED, "stopped before its guest ran");
	remember_end(s);
	if (!s->running_once)
		resources_roll_back(&s->res);
	if (s->state != VM_STATE_STOPPED)
		supervisor_event(s, s->failure.code ? VM_EVENT_FAILED : VM_EVENT_GONE);
	console_free(s->console);
	qmp_client_free(s->qmp);
	agent_free(s->agent);
	last_words_free(&s->qemu_words);
	last_words_free(&s->swtpm_words);
	resources_free(&s->res);
	rundir_remove(&s->run, s->options->paths, PATHS_VM, s->options->vm->name);
	/* Who asked for the end hears of it when all is gone. */
	supervisor_stop_answer(s, NULL);
	control_server_free(s->control);
	sd_event_source_disable_unref(s->qemu_source);
	sd_event_source_disable_unref(s->swtpm_source);
	sd_event_source_disable_unref(s->stop_timer);
	sd_event_source_disable_unref(s->press_timer);
	sd_event_source_disable_unref(s->space_timer);
}

static int serve(struct supervisor *s, struct error *err)
{
	int rc;

	rc = sd_event_new(&s->event);
	if (rc < 0)
		return error_errno(err, -rc, "event loop");
	rc = signals_watch(s->event, on_signal, s, err);
	if (rc == 0)
		rc = start(s, &s->failure);
	if (rc == 0) {
		/* What was tried in vain on the way is no failure. */
		s->failure = (struct error)ERROR_INIT;
		rc = sd_event_loop(s->event);
	}
	/* start() has put its own words there. */
	if (rc < 0 && !s->failure.code)
		(void)error_errno(&s->failure, -rc, "event loop");
	end(s);
	sd_event_unref(s->event);
	if (s->failure.code) {
		*err = s->failure;
		return -s->failure.code;
	}
	return 0;
}

int supervisor_run(const struct supervisor_options *options, struct error *err)
{
	struct supervisor *s = calloc(1, sizeof(*s));
	int rc;

	if (!s)
		return error_oom(err);
	s->options = options;
	s->run = (struct rundir)RUNDIR_INIT;
	s->qemu_words.fd = s->swtpm_words.fd = -1;
	s->started = (uint64_t)time(NULL);
	signals_block();
	host_probe(&s->host);
	rc = rundir_acquire(options->paths, PATHS_VM, options->vm->name, &s->run, err);
	if (rc == 0) {
		resources_init(&s->res, options->paths, options->vm, &s->host, s->run.dirfd);
		rc = serve(s, err);
	}
	rc = error_wrap_if(err, rc, "vm '%s'", options->vm->name);
	if (!s->ready)
		ready_tell(options->ready_fd, err);
	host_free(&s->host);
	free(s);
	return rc;
}
