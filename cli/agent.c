/* SPDX-License-Identifier: MIT */
#include "cli/agent.h"

#include "base/base64.h"
#include "base/cleanup.h"
#include "base/clock.h"
#include "base/str.h"
#include "cli/common.h"
#include "cli/interrupt.h"
#include "qmp/sync.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <time.h>

enum {
	/* The supervisor keeps the time; it gets some more to say so. */
	ANSWER_MS = 5000,
	ASK_AGAIN_MS_MAX = 100,
	NOTICE_USEC = 1000 * 1000,
	INTERRUPTED_USEC = 3 * 1000 * 1000,
};

int cli_agent_open(struct cli *cli, const char *name, struct cli_agent *ret_agent,
		   struct error *err)
{
	const struct spec_vm *vm;
	int rc = cli_find_any_vm(cli, name, &vm);

	if (rc < 0) {
		*err = cli->err;
		return rc;
	}
	*ret_agent = (struct cli_agent){.name = vm->name};
	return cli_connect(cli, PATHS_VM, vm->name, &ret_agent->sync, err);
}

void cli_agent_close(struct cli_agent *a)
{
	a->interrupt = sd_event_source_disable_unref(a->interrupt);
	a->notice = sd_event_source_disable_unref(a->notice);
	qmp_sync_close(a->sync);
	a->sync = NULL;
}

static int on_notice(sd_event_source *source, uint64_t usec, void *userdata)
{
	struct cli_agent *a = userdata;

	(void)source;
	(void)usec;
	(void)fprintf(
		stderr,
		"hv: vm '%s': interrupted, waiting for the guest (a second time: without waiting)\n",
		a->name);
	return 0;
}

static int on_interrupt(sd_event_source *source, int fd, uint32_t events, void *userdata)
{
	struct cli_agent *a = userdata;

	(void)source;
	(void)fd;
	(void)events;
	a->interrupted = true;
	(void)sd_event_add_time_relative(qmp_sync_loop(a->sync), &a->notice, CLOCK_MONOTONIC,
					 NOTICE_USEC, 0, on_notice, a);
	return qmp_sync_wait_until(a->sync, clock_now_usec() + INTERRUPTED_USEC, NULL);
}

int cli_agent_heed_interrupt(struct cli_agent *a, struct error *err)
{
	sd_event *loop = qmp_sync_loop(a->sync);
	int fd = cli_interrupt_fd();
	int rc = fd < 0 ? -errno
			: sd_event_add_io(loop, &a->interrupt, fd, EPOLLIN, on_interrupt, a);

	if (rc >= 0)
		rc = sd_event_source_set_enabled(a->interrupt, SD_EVENT_ONESHOT);
	return rc < 0 ? error_errno(err, -rc, "event loop") : 0;
}

/* Behind an interrupt each call has its own time. */
static void begin_call(struct cli_agent *a)
{
	if (a->interrupted)
		(void)qmp_sync_wait_until(a->sync, clock_now_usec() + INTERRUPTED_USEC, NULL);
}

static uint64_t time_left_ms(const struct cli_agent *a, uint64_t timeout_ms)
{
	uint64_t now = clock_now_usec(), left_ms = 1;

	if (!a->deadline_usec)
		return timeout_ms;
	if (a->deadline_usec > now)
		left_ms = (a->deadline_usec - now) / 1000 + 1;
	return left_ms < timeout_ms ? left_ms : timeout_ms;
}

int cli_agent_call(struct cli_agent *a, const char *command, json_t *args, uint64_t timeout_ms,
		   json_t **ret_result, struct error *err)
{
	json_t *call;
	int rc;

	begin_call(a);
	timeout_ms = time_left_ms(a, timeout_ms);
	call = json_pack("{s:s s:I s:o*}", "command", command, "timeout-ms", (json_int_t)timeout_ms,
			 "arguments", args);

	rc = call ? qmp_sync_call(a->sync, "hv-agent", call, timeout_ms + ANSWER_MS, ret_result,
				  err)
		  : error_oom(err);
	return error_wrap_if(err, rc, "vm '%s'", a->name);
}

void cli_agent_ran_free(struct cli_agent_ran *ran)
{
	free(ran->out);
	free(ran->err);
	*ran = (struct cli_agent_ran){0};
}

static int nonsense(struct error *err, const char *command)
{
	return error_set(err, EPROTO, "the guest agent answers %s with nonsense", command);
}

/* The bytes of a member in base64; none where it is not there. */
static int take_bytes(json_t *object, const char *key, const char *command, char **ret_data,
		      size_t *ret_len, struct error *err)
{
	json_t *text = json_object_get(object, key);
	int rc;

	if (text && !json_is_string(text))
		return nonsense(err, command);
	rc = base64_decode(text ? json_string_value(text) : "", text ? json_string_length(text) : 0,
			   ret_data, ret_len);
	return rc == -ENOMEM ? error_oom(err) : rc < 0 ? nonsense(err, command) : 0;
}

/* As a process of ours ends. Windows has 32 bits for it, and tells exceptions as signals: what
 * has no place here is a failure, whatever its last eight bits are. */
static int status_of(json_t *code, json_t *signal)
{
	json_int_t n = json_integer_value(json_is_integer(signal) ? signal : code);

	if (json_is_integer(signal))
		return n > 0 && n < 127 ? 128 + (int)n : 255;
	return n >= 0 && n <= 255 ? (int)n : 255;
}

int cli_agent_take_status(json_t *result, struct cli_agent_ran *ret_ran, struct error *err)
{
	json_t *code = json_object_get(result, "exitcode");
	json_t *signal = json_object_get(result, "signal");
	struct cli_agent_ran ran = {0};
	int rc;

	if (!json_is_boolean(json_object_get(result, "exited")))
		return nonsense(err, "guest-exec-status");
	if (!json_is_true(json_object_get(result, "exited")))
		return 0;
	ran.status = status_of(code, signal);
	ran.truncated = json_is_true(json_object_get(result, "out-truncated")) ||
			json_is_true(json_object_get(result, "err-truncated"));
	rc = take_bytes(result, "out-data", "guest-exec-status", &ran.out, &ran.out_len, err);
	if (rc == 0)
		rc = take_bytes(result, "err-data", "guest-exec-status", &ran.err, &ran.err_len,
				err);
	if (rc < 0) {
		cli_agent_ran_free(&ran);
		return rc;
	}
	*ret_ran = ran;
	return 1;
}

/* No event tells the end of a program in the guest: it is asked for, at once in the beginning
 * and then less and less often. */
static int await_end(struct cli_agent *a, json_int_t pid, uint64_t deadline_usec,
		     struct cli_agent_ran *ret_ran, struct error *err)
{
	int pause_ms = 0, rc = 0;

	while (rc == 0) {
		cleanup_json json_t *result = NULL;

		rc = cli_agent_call(a, "guest-exec-status", json_pack("{s:I}", "pid", pid),
				    CLI_AGENT_MS, &result, err);
		if (rc == 0)
			rc = error_wrap_if(err, cli_agent_take_status(result, ret_ran, err),
					   "vm '%s'", a->name);
		if (rc != 0)
			break;
		if (clock_now_usec() > deadline_usec)
			return error_set(err, ETIMEDOUT,
					 "vm '%s': time is up while a program of the guest runs",
					 a->name);
		(void)poll(NULL, 0, pause_ms);
		pause_ms = pause_ms ? pause_ms * 2 : 1;
		pause_ms = pause_ms > ASK_AGAIN_MS_MAX ? ASK_AGAIN_MS_MAX : pause_ms;
	}
	return rc < 0 ? rc : 0;
}

int cli_agent_begin_exec(struct cli_agent *a, json_t *args, json_int_t *ret_pid, struct error *err)
{
	cleanup_json json_t *result = NULL;
	json_t *pid;
	int rc = cli_agent_call(a, "guest-exec", args, CLI_AGENT_MS, &result, err);

	if (rc < 0)
		return rc;
	pid = json_object_get(result, "pid");
	if (!json_is_integer(pid))
		return error_wrap(err, nonsense(err, "guest-exec"), "vm '%s'", a->name);
	*ret_pid = json_integer_value(pid);
	return 0;
}

int cli_agent_begin_run(struct cli_agent *a, const char *const *argv, const void *input,
			size_t input_len, json_int_t *ret_pid, struct error *err)
{
	json_t *words = json_array(), *args;
	cleanup_free char *encoded = input ? base64_encode(input, input_len) : NULL;

	for (const char *const *w = argv + 1; *w; w++)
		(void)json_array_append_new(words, json_string(*w));
	args = json_pack("{s:s s:o s:b s:s*}", "path", argv[0], "arg", words, "capture-output", 1,
			 "input-data", encoded);
	return cli_agent_begin_exec(a, args, ret_pid, err);
}

int cli_agent_finish_run(struct cli_agent *a, json_int_t pid, uint64_t timeout_ms,
			 struct cli_agent_ran *ret_ran, struct error *err)
{
	return await_end(a, pid, clock_now_usec() + timeout_ms * 1000, ret_ran, err);
}

bool cli_agent_is_windows(struct cli_agent *a)
{
	cleanup_json json_t *result = NULL;
	const char *id;

	if (cli_agent_call(a, "guest-get-osinfo", NULL, CLI_AGENT_MS, &result, NULL) < 0)
		return false;
	id = json_get_string(result, "id");
	return id && str_eq(id, "mswindows");
}

int cli_agent_run(struct cli_agent *a, const char *const *argv, const void *input, size_t input_len,
		  uint64_t timeout_ms, struct cli_agent_ran *ret_ran, struct error *err)
{
	json_int_t pid;
	int rc = cli_agent_begin_run(a, argv, input, input_len, &pid, err);

	return rc < 0 ? rc : cli_agent_finish_run(a, pid, timeout_ms, ret_ran, err);
}

int cli_agent_open_file(struct cli_agent *a, const char *path, const char *mode,
			json_int_t *ret_handle, struct error *err)
{
	cleanup_json json_t *result = NULL;
	int rc = cli_agent_call(a, "guest-file-open",
				json_pack("{s:s s:s}", "path", path, "mode", mode), CLI_AGENT_MS,
				&result, err);

	if (rc < 0)
		return rc;
	if (!json_is_integer(result))
		return error_wrap(err, nonsense(err, "guest-file-open"), "vm '%s'", a->name);
	*ret_handle = json_integer_value(result);
	return 0;
}

int cli_agent_close_file(struct cli_agent *a, json_int_t handle, struct error *err)
{
	return cli_agent_call(a, "guest-file-close", json_pack("{s:I}", "handle", handle),
			      CLI_AGENT_MS, NULL, err);
}

int cli_agent_begin_read(struct cli_agent *a, json_int_t handle, size_t most,
			 struct qmp_sync_pending **ret_pending, struct error *err)
{
	json_t *call =
		json_pack("{s:s s:i s:{s:I s:I}}", "command", "guest-file-read", "timeout-ms",
			  CLI_AGENT_MS, "arguments", "handle", handle, "count", (json_int_t)most);

	begin_call(a);
	return call ? qmp_sync_begin(a->sync, "hv-agent", call, CLI_AGENT_MS + ANSWER_MS,
				     ret_pending, err)
		    : error_oom(err);
}

int cli_agent_finish_read(struct cli_agent *a, struct qmp_sync_pending *pending, size_t most,
			  char **ret_data, size_t *ret_len, struct error *err)
{
	cleanup_json json_t *result = NULL;
	int rc = qmp_sync_finish(a->sync, pending, &result, err);

	if (rc == 0)
		rc = take_bytes(result, "buf-b64", "guest-file-read", ret_data, ret_len, err);
	if (rc == 0 && *ret_len > most) {
		free(steal_ptr(ret_data));
		rc = nonsense(err, "guest-file-read");
	}
	return error_wrap_if(err, rc, "vm '%s'", a->name);
}

int cli_agent_read_file(struct cli_agent *a, json_int_t handle, size_t most, char **ret_data,
			size_t *ret_len, struct error *err)
{
	struct qmp_sync_pending *pending;
	int rc = cli_agent_begin_read(a, handle, most, &pending, err);

	return rc < 0 ? error_wrap(err, rc, "vm '%s'", a->name)
		      : cli_agent_finish_read(a, pending, most, ret_data, ret_len, err);
}

int cli_agent_begin_write(struct cli_agent *a, json_int_t handle, const void *data, size_t len,
			  struct qmp_sync_pending **ret_pending, struct error *err)
{
	cleanup_free char *encoded = base64_encode(data, len), *args = NULL;

	begin_call(a);
	if (encoded)
		args = str_printf("{\"command\":\"guest-file-write\",\"timeout-ms\":%d,"
				  "\"arguments\":{\"handle\":%" JSON_INTEGER_FORMAT
				  ",\"buf-b64\":\"%s\"}}",
				  CLI_AGENT_MS, handle, encoded);
	return args ? qmp_sync_begin_text(a->sync, "hv-agent", args, CLI_AGENT_MS + ANSWER_MS,
					  ret_pending, err)
		    : error_oom(err);
}

int cli_agent_finish_write(struct cli_agent *a, struct qmp_sync_pending *pending, size_t len,
			   struct error *err)
{
	cleanup_json json_t *result = NULL;
	int rc = qmp_sync_finish(a->sync, pending, &result, err);

	if (rc == 0 && json_integer_value(json_object_get(result, "count")) != (json_int_t)len)
		rc = error_set(err, ENOSPC, "the guest wrote less than it was given");
	return error_wrap_if(err, rc, "vm '%s'", a->name);
}

int cli_agent_write_file(struct cli_agent *a, json_int_t handle, const void *data, size_t len,
			 bool flush, struct error *err)
{
	struct qmp_sync_pending *pending;
	int rc = cli_agent_begin_write(a, handle, data, len, &pending, err);

	rc = rc < 0 ? error_wrap(err, rc, "vm '%s'", a->name)
		    : cli_agent_finish_write(a, pending, len, err);
	if (rc == 0 && flush)
		rc = cli_agent_call(a, "guest-file-flush", json_pack("{s:I}", "handle", handle),
				    CLI_AGENT_MS, NULL, err);
	return rc;
}
