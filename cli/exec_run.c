/* SPDX-License-Identifier: MIT */
/*
 * Theory of operation
 *
 * The agent starts a program and tells its output when it has ended, all at once; it has
 * no way to say that there is more, and none to hand input over later. So on Linux the
 * command runs below the script of vmm/guest_script.c, and we ask how it is: at once,
 * and then less and less often, up to five times a second. One that ends within the first
 * moments costs nothing else: its output comes with the answer. One that goes on is
 * followed: the files that it writes to are opened and read as they grow, and standard
 * input is written piece by piece to another, with a word into a FIFO for each piece. Which of the
 * two it was in the end the script says itself, by the first byte of its own output; what
 * was shown before is not shown again.
 *
 * An interrupt has the command told to end, and hv goes with it to its end: GRACE_USEC at most, and
 * at most three seconds with an agent that says nothing.
 *
 * On Windows input goes along with the start, and output comes at the end.
 */
#include "cli/exec.h"

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/str.h"
#include "cli/agent.h"
#include "cli/common.h"
#include "cli/interrupt.h"

#include <errno.h>
#include <poll.h>

enum {
	END_MS = 5000,
	FOLLOW_AFTER_USEC = 100 * 1000,
	PAUSE_MS_MAX = 200,
	INPUT_BYTES = 512 * 1024, /* a piece, or all that goes along with the start */
	INPUT_WINDOWS_BYTES = 512 * 1024,
	/* For a command that was told to end. */
	GRACE_USEC = 10 * 1000 * 1000,
};

struct output {
	int fd; /* ours */
	const char *file; /* in the guest */
	json_int_t handle; /* -1: not open */
	uint64_t n_shown;
};

struct session {
	struct cli_agent agent;
	struct guest_command command;
	char base[GUEST_SCRIPT_BASE_BYTES];
	json_int_t pid;
	bool windows, followed;
	bool input_ended; /* there is no more to come from our standard input */
	bool told_to_end;
	const volatile sig_atomic_t
		*interrupted; /* the first one ends the command; the second, us */
	bool piece_waits; /* what was written last may not have been taken yet */
	uint64_t end_usec; /* it is told to end then; 0: never */
	struct strbuf input; /* read and not given to the guest yet */
	json_int_t input_handle, wake_handle;
	struct output outputs[2];
};

/* Adds what there is on standard input; -1: nothing now. */
static ssize_t read_input(struct session *s)
{
	char chunk[16 * 1024];
	ssize_t n = read(STDIN_FILENO, chunk, sizeof(chunk));

	if (n < 0 && (errno == EINTR || errno == EAGAIN))
		return -1;
	if (n <= 0)
		s->input_ended = true;
	else
		strbuf_add(&s->input, chunk, (size_t)n);
	return n < 0 ? 0 : n;
}

/* What is there already goes along with the start; more is streamed. */
static void begin_input(struct session *s)
{
	struct pollfd p = {.fd = STDIN_FILENO, .events = POLLIN};

	while (!s->input_ended && s->input.len < INPUT_BYTES && poll(&p, 1, 0) > 0)
		if (read_input(s) < 0)
			break;
	s->command.streams_input = !s->input_ended;
	if (s->input_ended) {
		s->command.input = s->input.data;
		s->command.input_len = s->input.len;
	}
}

static int exec(struct session *s, json_t *args, struct error *err)
{
	if (!args)
		return error_set(
			err, EINVAL,
			"vm '%s': an argument or a variable is not UTF-8, which an agent cannot be given",
			s->agent.name);
	return cli_agent_begin_exec(&s->agent, args, &s->pid, err);
}

static int exec_windows(struct session *s, struct error *err)
{
	json_t *args;
	int rc;

	s->windows = true;
	/* All of it goes along, so nobody could type at what the command says. */
	if (isatty(STDIN_FILENO))
		s->input_ended = true;
	while (!s->input_ended && s->input.len <= INPUT_WINDOWS_BYTES && !*s->interrupted)
		(void)read_input(s);
	if (*s->interrupted)
		return error_set(err, EINTR, "vm '%s': interrupted before it began", s->agent.name);
	if (!s->input_ended)
		return error_set(err, E2BIG,
				 "vm '%s': standard input for Windows is at most 512 KiB",
				 s->agent.name);
	s->command.input = s->input.data;
	s->command.input_len = s->input.len;
	rc = guest_windows_exec(&s->command, &args, err);
	return rc < 0 ? error_wrap(err, rc, "vm '%s'", s->agent.name) : exec(s, args, err);
}

static int start(struct session *s, struct error *err)
{
	int rc = exec(s, guest_linux_exec(&s->command, s->base), err);

	/* Where there is no /bin/sh: that is asked only then, and costs others nothing. */
	if (rc == -EREMOTEIO && cli_agent_is_windows(&s->agent))
		rc = exec_windows(s, err);
	return rc;
}

static int open_file(struct session *s, const char *file, const char *mode, json_int_t *ret_handle)
{
	char path[GUEST_SCRIPT_BASE_BYTES + 8];

	(void)str_format(path, sizeof(path), "%s%s", s->base, file);
	return cli_agent_open_file(&s->agent, path, mode, ret_handle, NULL);
}

static void close_file(struct session *s, json_int_t *handle)
{
	if (*handle >= 0)
		(void)cli_agent_close_file(&s->agent, *handle, NULL);
	*handle = -1;
}

static void close_files(struct session *s)
{
	close_file(s, &s->outputs[0].handle);
	close_file(s, &s->outputs[1].handle);
	close_file(s, &s->input_handle);
	close_file(s, &s->wake_handle);
}

/* Opens the files, then says so. Where they are not there yet, or no more, that shows the
 * next time. */
static void follow(struct session *s)
{
	json_int_t mark = -1;
	int rc = 0;

	for (size_t i = 0; rc == 0 && i < ARRAY_SIZE(s->outputs); i++)
		rc = open_file(s, s->outputs[i].file, "r", &s->outputs[i].handle);
	if (rc == 0 && s->command.streams_input)
		rc = open_file(s, GUEST_SCRIPT_INPUT, "a", &s->input_handle);
	if (rc == 0 && s->command.streams_input)
		rc = open_file(s, GUEST_SCRIPT_WAKE, "r+", &s->wake_handle);
	if (rc == 0)
		rc = open_file(s, GUEST_SCRIPT_STREAM, "r+", &mark);
	if (rc == 0)
		rc = cli_agent_write_file(&s->agent, mark, "x", 1, true, NULL);
	close_file(s, &mark);
	s->followed = rc == 0;
	if (rc < 0)
		close_files(s);
}

/* Shows what there is of one stream: 1: something; 0: nothing. */
static int show(struct session *s, struct output *o, struct error *err)
{
	cleanup_free char *data = NULL;
	size_t len;
	int rc;

	rc = cli_agent_read_file(&s->agent, o->handle, INPUT_BYTES, &data, &len, err);
	if (rc == 0 && len)
		rc = file_write_all(o->fd, data, len, err);
	if (rc < 0)
		return rc;
	o->n_shown += len;
	return len > 0;
}

static int show_outputs(struct session *s, struct error *err)
{
	int some = 0;

	for (size_t i = 0; i < ARRAY_SIZE(s->outputs); i++) {
		int rc = show(s, &s->outputs[i], err);

		if (rc < 0)
			return rc;
		some |= rc;
	}
	return some;
}

/* Whether the command has taken the last piece: its file is empty then. */
static bool piece_was_taken(struct session *s)
{
	cleanup_json json_t *result = NULL;

	if (s->piece_waits && cli_agent_call(&s->agent, "guest-file-seek",
					     json_pack("{s:I s:i s:s}", "handle", s->input_handle,
						       "offset", 0, "whence", "end"),
					     CLI_AGENT_MS, &result, NULL) == 0)
		s->piece_waits = json_integer_value(json_object_get(result, "position")) != 0;
	return !s->piece_waits;
}

/* Gives the guest what was read, and tells it. */
static int feed(struct session *s, struct error *err)
{
	const char *word = s->input_ended ? "q\n" : "d\n";
	int rc = 0;

	if (s->wake_handle < 0 || (!s->input.len && !s->input_ended))
		return 0;
	if (s->input.failed)
		return error_oom(err);
	if (!piece_was_taken(s))
		return 0;
	s->piece_waits = s->input.len;
	if (s->input.len)
		rc = cli_agent_write_file(&s->agent, s->input_handle, s->input.data, s->input.len,
					  true, err);
	if (rc == 0)
		rc = cli_agent_write_file(&s->agent, s->wake_handle, word, strlen(word), true, err);
	strbuf_consume(&s->input, s->input.len);
	if (rc == 0 && s->input_ended) {
		close_file(s, &s->input_handle);
		close_file(s, &s->wake_handle);
	}
	return rc < 0 ? rc : 1;
}

/* Until it is worth asking again: our input, a signal, or the pause. */
static int wait_and_feed(struct session *s, int pause_ms, struct error *err)
{
	bool reads =
		s->followed && s->wake_handle >= 0 && !s->input_ended && s->input.len < INPUT_BYTES;
	struct pollfd p = {.fd = reads ? STDIN_FILENO : -1, .events = POLLIN};

	if (poll(&p, 1, pause_ms) <= 0)
		return s->followed ? feed(s, err) : 0;
	while (!s->input_ended && s->input.len < INPUT_BYTES && poll(&p, 1, 0) > 0)
		if (read_input(s) < 0)
			break;
	return feed(s, err);
}

static void tell_to_end(struct session *s)
{
	cleanup_free char *command = str_printf("kill -TERM %lld", (long long)s->pid);
	const char *const argv[] = {"/bin/sh", "-c", command, NULL};
	cleanup_ran struct cli_agent_ran ran = {0};

	s->told_to_end = true;
	s->end_usec = clock_now_usec() + GRACE_USEC;
	s->agent.deadline_usec = s->end_usec;
	if (command && !s->windows)
		(void)cli_agent_run(&s->agent, argv, NULL, 0, END_MS, &ran, NULL);
}

/* -ETIMEDOUT where the command does not end although it was told to. */
static int keep_time(struct session *s, struct error *err)
{
	bool over = s->end_usec && clock_now_usec() >= s->end_usec;

	if (s->told_to_end && over)
		return error_set(err, ETIMEDOUT, "vm '%s': %s", s->agent.name,
				 s->windows ? "time is up"
					    : "it was told to end and did not in time");
	/* Its status alone does not say that this was our doing. */
	if (over && !*s->interrupted && !s->windows)
		(void)fprintf(stderr, "hv: vm '%s': time is up, the command is told to end\n",
			      s->agent.name);
	if ((*s->interrupted || over) && !s->told_to_end)
		tell_to_end(s);
	return 0;
}

/* Goes with the command to its end. */
static int accompany(struct session *s, struct cli_agent_ran *ret_ran, struct error *err)
{
	uint64_t follow_usec = clock_now_usec() + FOLLOW_AFTER_USEC;
	int pause_ms = 0, rc = 0;

	while (rc == 0) {
		cleanup_json json_t *result = NULL;
		int moved = 0;

		rc = cli_agent_call(&s->agent, "guest-exec-status",
				    json_pack("{s:I}", "pid", s->pid), CLI_AGENT_MS, &result, err);
		if (rc == 0)
			rc = error_wrap_if(err, cli_agent_take_status(result, ret_ran, err),
					   "vm '%s'", s->agent.name);
		if (rc != 0)
			break;
		if (!s->windows && !s->followed &&
		    (s->command.streams_input || clock_now_usec() >= follow_usec))
			follow(s);
		if (s->followed)
			moved = show_outputs(s, err);
		if (moved >= 0)
			rc = keep_time(s, err);
		if (moved >= 0 && rc == 0)
			moved |= wait_and_feed(s, moved ? 0 : pause_ms, err);
		if (moved < 0)
			return moved;
		pause_ms = moved ? 1 : pause_ms ? pause_ms * 2 : 1;
		pause_ms = pause_ms > PAUSE_MS_MAX ? PAUSE_MS_MAX : pause_ms;
	}
	return rc < 0 ? rc : 0;
}

/* Shows what came with the answer, but not what was shown before. */
static int show_captured(struct output *o, const char *data, size_t len, struct error *err)
{
	size_t skip = o->n_shown < len ? (size_t)o->n_shown : len;

	return file_write_all(o->fd, data + skip, len - skip, err);
}

static void remove_left(struct session *s)
{
	cleanup_free char *command = str_printf("rm -f %s.?", s->base);
	const char *const argv[] = {"/bin/sh", "-c", command, NULL};
	cleanup_ran struct cli_agent_ran ran = {0};

	if (command)
		(void)cli_agent_run(&s->agent, argv, NULL, 0, CLI_AGENT_MS, &ran, NULL);
}

static int finish(struct session *s, const struct cli_agent_ran *ran, struct error *err)
{
	char end = s->windows ? GUEST_SCRIPT_CAPTURED : *ran->out;
	size_t own = s->windows ? 0 : 1;
	int rc = 0;

	if (end == GUEST_SCRIPT_CAPTURED) {
		rc = show_captured(&s->outputs[0], ran->out + own, ran->out_len - own, err);
		if (rc == 0)
			rc = show_captured(&s->outputs[1], ran->err, ran->err_len, err);
		if (rc == 0 && ran->truncated)
			rc = error_set(err, EREMOTEIO,
				       "vm '%s': the agent kept the beginning of its output only",
				       s->agent.name);
		return rc;
	}
	if (end == GUEST_SCRIPT_LEFT && !s->followed)
		follow(s);
	if ((end == GUEST_SCRIPT_STREAMED || end == GUEST_SCRIPT_LEFT) && s->followed)
		do
			rc = show_outputs(s, err);
		while (rc > 0);
	else
		rc = error_set(err, EREMOTEIO, "vm '%s': the command was not run to its end%s%s",
			       s->agent.name, *ran->err ? ": " : "", ran->err);
	if (end == GUEST_SCRIPT_LEFT)
		remove_left(s);
	return rc;
}

/* What is left where the agent does not answer. */
static int tell_left(const struct session *s, int rc, struct error *err)
{
	const struct error said = *err;

	if (s->pid)
		return error_set(err, -rc, "%s; the command may run on there (process %lld)",
				 said.text, (long long)s->pid);
	return rc == -ETIMEDOUT ? error_set(err, -rc, "%s; the command may have begun", said.text)
				: rc;
}

static int run(struct session *s, struct cli_agent_ran *ret_ran, struct error *err)
{
	int rc = start(s, err);

	if (rc == 0)
		rc = accompany(s, ret_ran, err);
	if (rc == -ENODEV || rc == -ETIMEDOUT)
		return tell_left(s, rc, err);
	return rc == 0 ? finish(s, ret_ran, err) : rc;
}

int exec_run(struct cli *cli, const char *name, const struct exec_options *options, int *ret_status,
	     struct error *err)
{
	struct session s = {
		.command = options->command,
		.input_ended = options->no_input,
		.end_usec = options->timeout_ms ? clock_now_usec() + options->timeout_ms * 1000 : 0,
		.input_handle = -1,
		.wake_handle = -1,
		.outputs = {{STDOUT_FILENO, GUEST_SCRIPT_STDOUT, -1, 0},
			    {STDERR_FILENO, GUEST_SCRIPT_STDERR, -1, 0}},
	};
	cleanup_ran struct cli_agent_ran ran = {0};
	int rc;

	s.interrupted = cli_interrupted_once();
	guest_script_make_base(s.base);
	begin_input(&s);
	rc = cli_agent_open(cli, name, &s.agent, err);
	/* An agent that does not answer holds nobody for longer. */
	if (s.end_usec)
		s.agent.deadline_usec = s.end_usec + GRACE_USEC;
	if (rc == 0)
		rc = cli_agent_heed_interrupt(&s.agent, err);
	if (rc == 0)
		rc = run(&s, &ran, err);
	/* A reader of ours that has gone, or a guest that has no space: nobody goes on with it. */
	if (rc < 0 && s.pid && !ran.out && !s.told_to_end)
		tell_to_end(&s);
	close_files(&s);
	if (rc == 0)
		*ret_status = ran.status;
	cli_agent_close(&s.agent);
	strbuf_free(&s.input);
	return rc;
}
