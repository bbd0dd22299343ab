/* SPDX-License-Identifier: MIT */
/*
 * Theory of operation
 *
 * One thread, one sd-event loop. Everything that can happen is an event source: the
 * monitor, the clients, the console, what QEMU and swtpm say on standard error,
 * deadlines, and the keeper's messages. Sources report to supervisor_event(), which
 * looks the next state up in the table of vmm/states.c and tells the keeper.
 *
 * The end comes from the keeper: QEMU has ended, with this status. What it had said
 * before is read to its end first; then the keeper hears how it ended, cleans up, and
 * says that all is gone. Clients who waited for that are answered, and the supervisor
 * ends. It also ends, without a word to anybody, when the keeper has gone: the guest
 * runs on, and the next keeper brings a supervisor of its own. A spare's QEMU it ends first.
 */
#include "vmm/supervisor/supervisor_private.h"

#include "base/channel.h"
#include "base/child.h"
#include "base/cleanup.h"
#include "base/log.h"
#include "base/str.h"
#include "vmm/json.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

enum { NOTED_MS = 2000 };

void supervisor_tell(struct supervisor *s, struct vm_message m, const char *text)
{
	(void)s;
	/* A keeper that has gone is heard of by the channel. */
	(void)vm_message_send(SUPERVISOR_FD_CHANNEL, m, text, -1, NULL);
}

json_t *supervisor_status(struct supervisor *s)
{
	json_t *status = json_copy(s->start->status);
	const char *reason = vm_reason_text(s->reason);

	if (!status)
		return NULL;
	(void)json_object_set_new(status, "state", json_string(vm_state_name(s->state)));
	(void)json_object_set_new(status, "reason", reason ? json_string(reason) : json_null());
	(void)json_object_set_new(status, "agent", json_boolean(s->agent_open));
	if (s->running_once)
		(void)json_object_set_new(status, "spare", json_null());
	return status;
}

void supervisor_event(struct supervisor *s, enum vm_event event)
{
	enum vm_state next;

	if (!vm_state_next(s->state, event, &next)) {
		log_error("vm '%s': event '%s' has no place in state '%s'", s->vm->name,
			  vm_event_name(event), vm_state_name(s->state));
		return;
	}
	s->state = next;
	if (next != VM_STATE_PAUSED)
		s->reason = VM_REASON_NONE;
	supervisor_tell_state(s);
}

void supervisor_kill(struct supervisor *s)
{
	s->killed = true;
	supervisor_tell(s, (struct vm_message){.word = KEEPER_KILL}, NULL);
}

void supervisor_fail(struct supervisor *s, const struct error *why)
{
	if (!s->failure.code)
		s->failure = *why;
	supervisor_tell(s, (struct vm_message){.word = KEEPER_FAIL}, s->failure.text);
}

/* Why QEMU has gone, where it was not in order: failure then has a code. */
static void explain_end(struct supervisor *s)
{
	const char *words = last_words_finish(&s->qemu_words);
	int status = s->qemu_status;
	bool known = s->start->status_known || status;
	char how[64];

	if (s->failure.code || s->killed)
		return;
	if (s->ends && WIFEXITED(status) && WEXITSTATUS(status) == 0)
		return;
	/* Of a process that is not the keeper's child there is none. */
	if (!known && s->ends)
		return;
	child_describe_status(how, sizeof(how), status);
	if (!known)
		(void)str_format(how, sizeof(how), "ended without a word");
	(void)error_set(&s->failure, ECONNRESET, "QEMU %s%s%s", how, *words ? ": " : "", words);
}

/* Nothing of what QEMU said is unread: its monitor, console and standard error came
 * first, by priority. */
static int on_drained(sd_event_source *source, void *userdata)
{
	struct supervisor *s = userdata;

	(void)source;
	s->drained_source = sd_event_source_disable_unref(s->drained_source);
	console_free(s->console);
	s->console = NULL;
	explain_end(s);
	supervisor_tell(s,
			(struct vm_message){.word = KEEPER_ENDED, .in_order = s->failure.code == 0},
			s->failure.text);
	return 0;
}

static void hear_qemu_ended(struct supervisor *s, const struct vm_message *m, int fd)
{
	int rc;

	(void)fd;
	s->qemu_status = (int)m->number;
	rc = sd_event_add_defer(s->event, &s->drained_source, on_drained, s);
	if (rc >= 0)
		rc = sd_event_source_set_priority(s->drained_source, SD_EVENT_PRIORITY_IDLE);
	if (rc < 0)
		(void)on_drained(NULL, s);
}

static void hear_swtpm_ended(struct supervisor *s, const struct vm_message *m, int fd)
{
	const char *words = last_words_finish(&s->swtpm_words);
	struct error err = ERROR_INIT;
	char how[64];

	(void)fd;
	/* It ends by itself when QEMU lets go of it. */
	if (s->ends || s->killed || s->state == VM_STATE_STOPPING)
		return;
	child_describe_status(how, sizeof(how), (int)m->number);
	if (!s->start->status_known && !m->number)
		(void)str_format(how, sizeof(how), "has ended");
	(void)error_set(&err, ECONNRESET, "swtpm %s%s%s; a machine does not go on without its TPM",
			how, *words ? ": " : "", words);
	supervisor_fail(s, &err);
}

static void hear_sealed(struct supervisor *s, const struct vm_message *m, int fd)
{
	(void)m;
	(void)fd;
	supervisor_sealed(s);
}

static void hear_socket(struct supervisor *s, const struct vm_message *m, int fd)
{
	struct error err = ERROR_INIT;

	if (m->number == VM_SOCKET_AGENT) {
		supervisor_agent_connected(s, fd, m->text);
	} else if (m->number == VM_SOCKET_MONITOR && fd >= 0 && !s->qmp) {
		if (supervisor_use_monitor(s, fd, &err) < 0)
			log_error("vm '%s': monitor: %s", s->vm->name, err.text);
		else
			supervisor_query_state(s);
	} else if (fd >= 0) {
		(void)close(fd);
	} else {
		log_error("vm '%s': %s", s->vm->name, m->text);
	}
}

static void hear_stop(struct supervisor *s, const struct vm_message *m, int fd)
{
	(void)fd;
	supervisor_stop(s, NULL, m->number, true);
}

static void hear_gone(struct supervisor *s, const struct vm_message *m, int fd)
{
	(void)fd;
	if (m->number > VM_END_NOT && m->number < VM_END_COUNT)
		supervisor_say_ended(s, m);
	(void)sd_event_exit(s->event, 0);
}

static void hear_ping(struct supervisor *s, const struct vm_message *m, int fd)
{
	(void)m;
	(void)fd;
	supervisor_tell(s, (struct vm_message){.word = KEEPER_PONG}, NULL);
}

/* Too late: nobody waits for it any more. */
static void hear_noted(struct supervisor *s, const struct vm_message *m, int fd)
{
	(void)s;
	(void)m;
	(void)fd;
}

static void hear_run(struct supervisor *s, const struct vm_message *m, int fd)
{
	(void)m;
	(void)fd;
	supervisor_may_run(s);
}

static void (*const words[SUPERVISOR_WORD_COUNT])(struct supervisor *s, const struct vm_message *m,
						  int fd) = {
	[SUPERVISOR_SEALED] = hear_sealed,
	[SUPERVISOR_SOCKET] = hear_socket,
	[SUPERVISOR_STOP] = hear_stop,
	[SUPERVISOR_SWTPM_ENDED] = hear_swtpm_ended,
	[SUPERVISOR_QEMU_ENDED] = hear_qemu_ended,
	[SUPERVISOR_GONE] = hear_gone,
	[SUPERVISOR_PING] = hear_ping,
	[SUPERVISOR_NOTED] = hear_noted,
	[SUPERVISOR_RUN] = hear_run,
};

/* Receives one message; false where there is none now. */
static bool receive(struct supervisor *s, struct vm_message *ret_m, int *ret_fd)
{
	int rc = channel_receive(SUPERVISOR_FD_CHANNEL, ret_m, sizeof(*ret_m), ret_fd, NULL);

	if (rc == -EAGAIN)
		return false;
	/* Not even last words: who waits is told nothing that is not so. */
	if (rc <= 0 || ret_m->word >= SUPERVISOR_WORD_COUNT) {
		supervisor_spare_orphaned(s);
		return false;
	}
	return true;
}

static int on_channel(sd_event_source *source, int fd, uint32_t revents, void *userdata)
{
	struct supervisor *s = userdata;
	struct vm_message m;
	int passed = -1;

	(void)source;
	(void)fd;
	(void)revents;
	if (receive(s, &m, &passed))
		words[m.word](s, &m, passed);
	return 0;
}

static int on_stash(sd_event_source *source, void *userdata)
{
	struct supervisor *s = userdata;
	size_t n = s->n_stash;

	(void)source;
	s->stash_source = sd_event_source_disable_unref(s->stash_source);
	s->n_stash = 0;
	for (size_t i = 0; i < n; i++)
		words[s->stash[i].word](s, &s->stash[i], s->stash_fds[i]);
	return 0;
}

/* The keeper answers at once, for it never waits for us. What else it says
 * meanwhile is heard afterwards, in its order. */
static void await_noted(struct supervisor *s)
{
	struct pollfd p = {.fd = SUPERVISOR_FD_CHANNEL, .events = POLLIN};

	while (!s->orphaned && s->n_stash < STASH_MAX && poll(&p, 1, NOTED_MS) > 0) {
		struct vm_message *m = &s->stash[s->n_stash];

		if (!receive(s, m, &s->stash_fds[s->n_stash]))
			continue;
		if (m->word == SUPERVISOR_NOTED)
			break;
		s->n_stash++;
	}
	if (s->n_stash && !s->stash_source)
		(void)sd_event_add_defer(s->event, &s->stash_source, on_stash, s);
}

/* When this returns, whoever reads the status file sees it: a client that is
 * answered afterwards finds what it was told. */
void supervisor_tell_state(struct supervisor *s)
{
	supervisor_tell(s,
			(struct vm_message){.word = KEEPER_STATE,
					    .number = s->state,
					    .reason = s->reason,
					    .agent_open = s->agent_open},
			NULL);
	await_noted(s);
}

static void on_log_full(void *arg)
{
	supervisor_tell(arg, (struct vm_message){.word = KEEPER_LOG_FULL}, NULL);
}

static struct qmp_client *monitor_now(void *arg)
{
	const struct supervisor *s = arg;

	return s->qmp;
}

static int serve_machine(struct supervisor *s, struct error *err)
{
	const struct console_handlers handlers = {
		.log_full = on_log_full,
		.arg = s,
		.group = s->start->group,
	};
	struct screen_handlers screen = {
		.monitor = monitor_now,
		.arg = s,
		.group = s->start->group,
		.tcp_asks = s->vm->vnc.password.name,
	};
	int rc;

	memcpy(screen.fds, s->screen_fds, sizeof(screen.fds));
	rc = last_words_init(&s->qemu_words, s->event, "qemu", s->stderr_fds[0], err);
	if (rc == 0)
		rc = last_words_init(&s->swtpm_words, s->event, "swtpm", s->stderr_fds[1], err);
	if (rc == 0)
		rc = console_new(s->event, SUPERVISOR_FD_SERIAL, SUPERVISOR_FD_CONSOLE,
				 s->start->log_bytes, &handlers, &s->console, err);
	if (rc == 0 && screen.fds[SCREEN_VNC] >= 0)
		rc = screen_new(s->event, &screen, &s->screen, err);
	if (rc == 0)
		rc = supervisor_use_monitor(s, SUPERVISOR_FD_MONITOR, err);
	if (rc == 0)
		supervisor_boot(s);
	return rc;
}

static int serve(struct supervisor *s, struct error *err)
{
	struct control_handlers handlers = supervisor_commands;
	int rc = sd_event_new(&s->event);

	if (rc >= 0)
		rc = sd_event_add_io(s->event, &s->channel_source, SUPERVISOR_FD_CHANNEL, EPOLLIN,
				     on_channel, s);
	if (rc < 0)
		return error_errno(err, -rc, "event loop");
	handlers.arg = s;
	rc = control_server_new(s->event, SUPERVISOR_FD_CONTROL,
				json_pack("{s:{s:i s:i s:i} s:s}", "qemu", "micro", 0, "minor", 0,
					  "major", 0, "package", "hvup " HV_VERSION),
				&handlers, &s->control, err);
	if (rc == 0)
		control_server_allow(s->control, s->start->group);
	if (rc == 0 && s->state != VM_STATE_CRASHED)
		rc = serve_machine(s, err);
	if (rc == 0) {
		rc = sd_event_loop(s->event);
		if (rc < 0)
			(void)error_errno(err, -rc, "event loop");
	}
	return rc;
}

/* -1 for what this machine does not have. */
static int given(int fd)
{
	return fcntl(fd, F_GETFD) < 0 ? -1 : fd;
}

/* Before anything is opened that might take a number that is free. */
static void take_stock(struct supervisor *s)
{
	s->stderr_fds[0] = given(SUPERVISOR_FD_QEMU_STDERR);
	s->stderr_fds[1] = given(SUPERVISOR_FD_SWTPM_STDERR);
	for (int i = 0; i < SCREEN_DOOR_COUNT; i++)
		s->screen_fds[i] = given(SUPERVISOR_FD_SCREEN + i);
	for (int i = 0; i < SUPERVISOR_DISKS_MAX; i++)
		s->disk_fds[i] = given(SUPERVISOR_FD_DISKS + i);
}

int supervisor_main(void *arg)
{
	static const int ignored[] = {SIGTERM, SIGINT, SIGHUP, SIGUSR1};
	struct supervisor_start *start = arg;
	struct error err = ERROR_INIT;
	struct supervisor s = {
		.start = start,
		.vm = start->vm,
		.state = start->state,
		.running_once = start->adopted,
		.agent = supervisor_agent_new(),
		.qemu_words = {.fd = -1},
		.swtpm_words = {.fd = -1},
	};

	(void)prctl(PR_SET_NAME, "hv-supervisor");
	/* The end of a unit, or of a session, is the keeper's to hear. */
	for (size_t i = 0; i < ARRAY_SIZE(ignored); i++)
		(void)signal(ignored[i], SIG_IGN);
	take_stock(&s);
	/* Its own copy, which it has no use for, and hears strangers. */
	spec_credentials_wipe(s.vm);
	if (!s.agent || serve(&s, &err) < 0) {
		log_error("vm '%s': supervisor: %s", s.vm->name, err.text);
		return 1;
	}
	console_free(s.console);
	qmp_client_free(s.qmp);
	free(s.schema);
	/* Calls that were under way are over now. */
	screen_free(s.screen);
	supervisor_agent_free(s.agent);
	supervisor_spare_answer(&s, *s.failure.text ? s.failure.text
						    : "it was ended before its guest ran");
	supervisor_stop_answer(&s, NULL);
	control_server_free(s.control);
	return 0;
}
