/* SPDX-License-Identifier: MIT */
/* QEMU's side of the supervisor: the monitor, its events, the first commands. */
#include "vmm/supervisor/supervisor_private.h"

#include "base/cleanup.h"
#include "base/log.h"
#include "base/str.h"
#include "vmm/json.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/statvfs.h>
#include <time.h>

enum {
	/* A QEMU that says nothing for so long will not say anything. */
	FIRST_ANSWER_MS = 60 * 1000,
	RECONNECTS_MAX = 3,
	SPACE_CHECK_USEC = 5 * 1000 * 1000,
	/* Enough to go on: one of the two. */
	SPACE_NEEDED_BYTES = 64 * 1024 * 1024,
	SPACE_NEEDED_PART = 8,
};

static void on_resumed(json_t *result, const char *class, const struct error *err, void *arg)
{
	struct supervisor *s = arg;

	(void)result;
	(void)class;
	if (err)
		log_warning("vm '%s': resume: %s", s->vm->name, err->text);
}

static bool disks_have_space(const struct supervisor *s)
{
	for (int i = 0; i < SUPERVISOR_DISKS_MAX; i++) {
		struct statvfs fs;

		if (s->disk_fds[i] >= 0 && fstatvfs(s->disk_fds[i], &fs) == 0 &&
		    (uint64_t)fs.f_bavail * fs.f_frsize < SPACE_NEEDED_BYTES &&
		    fs.f_bavail < fs.f_blocks / SPACE_NEEDED_PART)
			return false;
	}
	return true;
}

/* The kernel tells nobody that a file system has space again, so while a guest
 * stands for want of it, and only then, it is looked at every few seconds. */
static int on_space_timer(sd_event_source *source, uint64_t usec, void *userdata)
{
	struct supervisor *s = userdata;

	(void)usec;
	if (s->state != VM_STATE_PAUSED || s->reason != VM_REASON_DISK_FULL || !s->qmp)
		return 0;
	if (disks_have_space(s)) {
		log_info("vm '%s': there is space again", s->vm->name);
		(void)qmp_client_call(s->qmp, "cont", NULL, NULL, 0, 0, on_resumed, s, NULL);
		return 0;
	}
	(void)sd_event_source_set_time_relative(source, SPACE_CHECK_USEC);
	(void)sd_event_source_set_enabled(source, SD_EVENT_ONESHOT);
	return 0;
}

static void wait_for_space(struct supervisor *s)
{
	log_warning("vm '%s': a disk is full; the guest stands until there is space", s->vm->name);
	s->reason = VM_REASON_DISK_FULL;
	s->space_timer = sd_event_source_disable_unref(s->space_timer);
	(void)sd_event_add_time_relative(s->event, &s->space_timer, CLOCK_MONOTONIC,
					 SPACE_CHECK_USEC, 0, on_space_timer, s);
}

/* By QEMU's event, which comes some milliseconds before the answer to cont. */
static void begin(struct supervisor *s)
{
	if (s->running_once || supervisor_spare_waits(s))
		return;
	s->running_once = true;
	supervisor_tell(s, (struct vm_message){.word = KEEPER_RUNS}, NULL);
	supervisor_say_started(s);
	supervisor_spare_answer(s, NULL);
	if (s->start->incoming)
		supervisor_came_in(s);
}

/* QEMU has answered, so its start is over: what it needed only for that is taken from
 * it before its guest runs. */
static void tell_answered(struct supervisor *s)
{
	s->answered = true;
	supervisor_tell(s, (struct vm_message){.word = KEEPER_ANSWERED}, NULL);
	/* QEMU reads it while the keeper seals. */
	if (s->start->incoming)
		supervisor_expect(s);
}

static void on_event(const char *name, json_t *message, void *arg)
{
	struct supervisor *s = arg;
	json_t *data = json_object_get(message, "data");
	size_t len;
	const char *text = qmp_client_text(s->qmp, &len);

	control_server_broadcast(s->control, text, len);
	if (str_eq(name, "STOP")) {
		supervisor_event(s, VM_EVENT_STANDS);
		supervisor_agent_stands(s);
	} else if (str_eq(name, "RESUME")) {
		/* Somebody waits for its first word, and the keeper knows the rest by it. */
		if (s->state == VM_STATE_STARTING)
			begin(s);
		supervisor_event(s, VM_EVENT_RUNS);
		begin(s);
		supervisor_copy_runs(s);
		supervisor_agent_runs(s);
	} else if (str_eq(name, "SHUTDOWN")) {
		s->ends = true;
		supervisor_event(s, VM_EVENT_ENDS);
	} else if (str_eq(name, "BLOCK_IO_ERROR")) {
		if (json_is_true(json_object_get(data, "nospace")) &&
		    str_eq(json_string_value(json_object_get(data, "action")) ?: "", "stop"))
			wait_for_space(s);
	} else if (str_eq(name, "MIGRATION")) {
		supervisor_incoming_event(s, json_get_string(data, "status") ?: "");
		supervisor_copy_event(s, json_get_string(data, "status") ?: "");
	} else if (str_eq(name, "VSERPORT_CHANGE")) {
		const char *id = json_get_string(data, "id");

		if (id && str_eq(id, "agent0")) {
			s->agent_open = json_is_true(json_object_get(data, "open"));
			supervisor_tell_state(s);
			supervisor_agent_port(s);
			supervisor_fork_tell(s);
		}
	}
}

static void on_ready(json_t *greeting, void *arg)
{
	struct supervisor *s = arg;
	json_t *version = json_object_get(greeting, "version");

	if (version)
		control_server_set_version(s->control, json_incref(version));
	control_server_set_oob(s->control, qmp_client_has_oob(s->qmp));
	if (!s->start->adopted && !s->start->wants_machine && !s->answered)
		tell_answered(s);
}

/* QEMU listens: a monitor that was lost can be had again. Where the process is
 * gone, its pidfd tells. */
static void on_closed(const struct error *why, void *arg)
{
	struct supervisor *s = arg;

	qmp_client_free(s->qmp);
	s->qmp = NULL;
	/* The next one may be another. */
	free(steal_ptr(&s->schema));
	if (s->ends || s->killed || s->failure.code || why->code == ECONNRESET)
		return;
	if (!s->answered && !s->start->adopted) {
		supervisor_fail(s, why);
		return;
	}
	if (s->reconnects++ >= RECONNECTS_MAX) {
		log_error("vm '%s': monitor: %s; given up, the guest runs on without it",
			  s->vm->name, why->text);
		return;
	}
	log_warning("vm '%s': monitor: %s; connecting again", s->vm->name, why->text);
	supervisor_tell(s, (struct vm_message){.word = KEEPER_CONNECT, .number = VM_SOCKET_MONITOR},
			NULL);
}

int supervisor_use_monitor(struct supervisor *s, int fd, struct error *err)
{
	struct qmp_handlers handlers = {
		.ready = on_ready,
		.event = on_event,
		.closed = on_closed,
		.wants_oob = true,
		.answers_in_order = true,
		.arg = s,
	};

	return qmp_client_new(s->event, fd, &handlers, &s->qmp, err);
}

static void on_machine_type(json_t *result, const char *class, const struct error *err, void *arg)
{
	struct supervisor *s = arg;
	const char *type = json_string_value(result), *end = type ? strstr(type, "-machine") : NULL;

	if (err && !class) {
		supervisor_on_answer(result, class, err, arg);
		return;
	}
	if (err || !end || end[strlen("-machine")]) {
		log_warning("vm '%s': QEMU does not tell its machine type: it is not pinned",
			    s->vm->name);
	} else {
		cleanup_free char *name = strndup(type, (size_t)(end - type));

		supervisor_tell(s, (struct vm_message){.word = KEEPER_MACHINE}, name);
		(void)json_object_set_new(s->start->status, "machine",
					  json_string(name ? name : "") ?: json_null());
	}
	tell_answered(s);
}

static void on_running(json_t *result, const char *class, const struct error *err, void *arg)
{
	struct supervisor *s = arg;

	(void)result;
	(void)class;
	/* QEMU that died has more to say than its monitor. */
	if (err && err->code == ECONNRESET)
		return;
	if (err) {
		supervisor_fail(s, err);
		return;
	}
	begin(s);
	if (s->state == VM_STATE_STARTING || s->state == VM_STATE_SPARE)
		supervisor_event(s, VM_EVENT_RUNS);
}

/* Whoever loads a snapshot into it lets it run afterwards. */
static void let_wait(struct supervisor *s)
{
	s->running_once = true;
	supervisor_event(s, VM_EVENT_STANDS);
	supervisor_tell(s, (struct vm_message){.word = KEEPER_RUNS}, NULL);
	supervisor_say_started(s);
}

void supervisor_run(struct supervisor *s)
{
	struct error err = ERROR_INIT;

	if (s->qmp)
		supervisor_set_vnc_password(s);
	if (s->qmp && qmp_client_call(s->qmp, "cont", NULL, NULL, 0, FIRST_ANSWER_MS, on_running, s,
				      &err) < 0)
		supervisor_fail(s, &err);
}

void supervisor_sealed(struct supervisor *s)
{
	if (s->start->incoming)
		supervisor_take_in(s);
	else if (s->start->waits)
		let_wait(s);
	else
		supervisor_run(s);
}

static void on_password_set(json_t *result, const char *class, const struct error *err, void *arg)
{
	struct supervisor *s = arg;

	(void)result;
	(void)class;
	if (err)
		log_warning("vm '%s': vnc: the password cannot be set: %s; nobody is let in by TCP",
			    s->vm->name, err->text);
	else if (s->screen)
		screen_open_tcp(s->screen);
}

void supervisor_set_vnc_password(struct supervisor *s)
{
	char *password = s->start->vnc_password;

	if (*password)
		(void)qmp_client_call(
			s->qmp, "set_password",
			json_pack("{s:s s:s}", "protocol", "vnc", "password", password), NULL, 0,
			FIRST_ANSWER_MS, on_password_set, s, NULL);
	explicit_bzero(password, SUPERVISOR_VNC_PASSWORD_BYTES);
}

/* Whether the agent's port is open: its event was told to somebody else. */
static void on_chardevs(json_t *result, const char *class, const struct error *err, void *arg)
{
	struct supervisor *s = arg;
	json_t *chardev;
	size_t i;

	(void)class;
	(void)err;
	json_array_foreach (result, i, chardev) {
		const char *label = json_get_string(chardev, "label");

		if (label && str_eq(label, "agent"))
			s->agent_open = json_is_true(json_object_get(chardev, "frontend-open"));
	}
	supervisor_tell_state(s);
	supervisor_fork_tell(s);
}

void supervisor_query_agent(struct supervisor *s)
{
	if (s->qmp)
		(void)qmp_client_call(s->qmp, "query-chardev", NULL, NULL, 0, FIRST_ANSWER_MS,
				      on_chardevs, s, NULL);
}

static void on_state(json_t *result, const char *class, const struct error *err, void *arg)
{
	struct supervisor *s = arg;
	const char *status = json_get_string(result, "status");

	(void)class;
	if (err || !status) {
		log_warning("vm '%s': query-status: %s", s->vm->name,
			    err ? err->text : "no status");
		return;
	}
	if (str_eq(status, "shutdown"))
		return;
	supervisor_event(s, json_is_true(json_object_get(result, "running")) ? VM_EVENT_RUNS
									     : VM_EVENT_STANDS);
	if (str_eq(status, "io-error")) {
		wait_for_space(s);
		supervisor_tell_state(s);
	}
}

void supervisor_query_state(struct supervisor *s)
{
	struct error err = ERROR_INIT;

	if (s->qmp && qmp_client_call(s->qmp, "query-status", NULL, NULL, 0, FIRST_ANSWER_MS,
				      on_state, s, &err) < 0)
		log_warning("vm '%s': query-status: %s", s->vm->name, err.text);
}

/* What its last supervisor knew and we do not. */
static void ask_adopted(struct supervisor *s)
{
	supervisor_query_agent(s);
	supervisor_set_vnc_password(s);
	supervisor_query_state(s);
	/* Nobody waits for a QEMU that may be slow, or hang: its guest is up. */
	supervisor_tell(s, (struct vm_message){.word = KEEPER_RUNS}, NULL);
}

void supervisor_boot(struct supervisor *s)
{
	struct error err = ERROR_INIT;

	if (s->start->adopted)
		ask_adopted(s);
	else if (s->start->wants_machine &&
		 qmp_client_call(s->qmp, "qom-get",
				 json_pack("{s:s s:s}", "path", "/machine", "property", "type"),
				 NULL, 0, FIRST_ANSWER_MS, on_machine_type, s, &err) < 0)
		supervisor_fail(s, &err);
}
