/* SPDX-License-Identifier: MIT */
#include "base/cleanup.h"
#include "base/clock.h"
#include "base/fd.h"
#include "base/file.h"
#include "base/str.h"
#include "cli/common.h"
#include "vmm/asciicast.h"
#include "vmm/names.h"
#include "vmm/rundir.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <termios.h>
#include <time.h>
#include <unistd.h>

enum { OPT_WATCH, OPT_RECORD, OPT_SIZE };

static const struct cli_option options[] = {
	[OPT_WATCH] = {"watch", 'w', NULL, "look only: nothing that is typed reaches the guest",
		       false},
	[OPT_RECORD] = {"record", 'r', "FILE",
			"write what is shown into a new file, in asciicast format, version 2",
			false},
	[OPT_SIZE] = {"size", 's', NULL,
		      "tell the guest's shell the size of this terminal, by typing stty", false},
	{0},
};

enum {
	KEY_LEAVE = 0x1d, /* Ctrl-] */
	KEY_INTERRUPT = 0x03, /* Ctrl-C, which leaves where nothing else can be typed */
	/* Typed and not yet taken by the guest; more is dropped. */
	TYPED_BYTES_MAX = 64 * 1024,
};

enum outcome { OUTCOME_NONE, OUTCOME_LEFT, OUTCOME_ENDED };

struct session {
	int sock;
	bool terminal, input_ended;
	struct termios before;
	struct strbuf typed;
	bool watch;
	/* The recording. */
	int record_fd; /* -1: none, or it has failed */
	uint64_t began_usec;
	struct asciicast cast;
	struct error record_failure;
};

/* The size of our terminal; what most are where it is none. */
static void find_size(unsigned *ret_columns, unsigned *ret_rows)
{
	struct winsize size;

	*ret_columns = 80;
	*ret_rows = 24;
	if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col && size.ws_row) {
		*ret_columns = size.ws_col;
		*ret_rows = size.ws_row;
	}
}

static uint64_t since_begin(const struct session *s)
{
	return clock_now_usec() - s->began_usec;
}

/* A recording that fails ends, and the console goes on. */
static void record_lines(struct session *s, const struct strbuf *lines)
{
	if (s->record_fd < 0 || (!lines->len && !lines->failed))
		return;
	if (lines->failed)
		(void)error_oom(&s->record_failure);
	else
		(void)file_write_all(s->record_fd, lines->data, lines->len, &s->record_failure);
	if (s->record_failure.code)
		close_fd(&s->record_fd);
}

static void record_output(struct session *s, const char *data, size_t len)
{
	cleanup_strbuf struct strbuf lines = {0};

	if (s->record_fd < 0)
		return;
	asciicast_output(&s->cast, &lines, since_begin(s), data, len);
	record_lines(s, &lines);
}

static void record_resize(struct session *s)
{
	cleanup_strbuf struct strbuf lines = {0};
	unsigned columns, rows;

	find_size(&columns, &rows);
	asciicast_resize(&lines, since_begin(s), columns, rows);
	record_lines(s, &lines);
}

static int record_begin(struct session *s, const char *path, const char *name, struct error *err)
{
	cleanup_strbuf struct strbuf header = {0};
	unsigned columns, rows;

	/* What a console shows may be nobody else's to see. */
	s->record_fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (s->record_fd < 0)
		return error_errno(err, errno, "record: create '%s'", path);
	s->began_usec = clock_now_usec();
	find_size(&columns, &rows);
	asciicast_header(&header, columns, rows, (uint64_t)time(NULL), name, getenv("TERM"));
	record_lines(s, &header);
	return 0;
}

static int record_end(struct session *s, const char *path, struct error *err)
{
	cleanup_strbuf struct strbuf lines = {0};

	asciicast_end(&s->cast, &lines, since_begin(s));
	record_lines(s, &lines);
	close_fd(&s->record_fd);
	if (!s->record_failure.code)
		return 0;
	*err = s->record_failure;
	return error_wrap(err, -err->code, "record '%s' (it ends there)", path);
}

/* A serial line knows no sizes, so a shell that waits there is told in its own
 * words; the blank keeps it out of most histories. */
static void type_size(struct session *s)
{
	unsigned columns, rows;

	find_size(&columns, &rows);
	strbuf_addf(&s->typed, " stty rows %u cols %u\r", rows, columns);
}

static void make_raw(struct session *s)
{
	struct termios raw;

	s->terminal = isatty(STDIN_FILENO) && tcgetattr(STDIN_FILENO, &s->before) == 0;
	if (!s->terminal)
		return;
	raw = s->before;
	cfmakeraw(&raw);
	(void)tcsetattr(STDIN_FILENO, TCSANOW, &raw);
}

static void make_sane(struct session *s)
{
	if (s->terminal)
		(void)tcsetattr(STDIN_FILENO, TCSADRAIN, &s->before);
}

static enum outcome take_input(struct session *s)
{
	char chunk[4096];
	ssize_t n = read(STDIN_FILENO, chunk, sizeof(chunk));
	const char *leave;

	if (n < 0 && (errno == EINTR || errno == EAGAIN))
		return OUTCOME_NONE;
	if (n <= 0) {
		/* A viewer without a keyboard goes on viewing. */
		s->input_ended = true;
		return s->terminal ? OUTCOME_LEFT : OUTCOME_NONE;
	}
	leave = s->terminal ? memchr(chunk, KEY_LEAVE, (size_t)n) : NULL;
	if (s->terminal && s->watch && !leave)
		leave = memchr(chunk, KEY_INTERRUPT, (size_t)n);
	if (leave)
		return OUTCOME_LEFT;
	if (!s->watch && s->typed.len < TYPED_BYTES_MAX)
		strbuf_add(&s->typed, chunk, (size_t)n);
	return OUTCOME_NONE;
}

static enum outcome send_typed(struct session *s)
{
	ssize_t n = send(s->sock, s->typed.data, s->typed.len, MSG_NOSIGNAL | MSG_DONTWAIT);

	if (n > 0)
		strbuf_consume(&s->typed, (size_t)n);
	return n < 0 && errno != EAGAIN && errno != EINTR ? OUTCOME_ENDED : OUTCOME_NONE;
}

static enum outcome show_output(struct session *s)
{
	char chunk[16384];
	ssize_t n = recv(s->sock, chunk, sizeof(chunk), MSG_DONTWAIT);

	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return OUTCOME_NONE;
	if (n <= 0)
		return OUTCOME_ENDED;
	record_output(s, chunk, (size_t)n);
	return file_write_all(STDOUT_FILENO, chunk, (size_t)n, NULL) < 0 ? OUTCOME_LEFT
									 : OUTCOME_NONE;
}

static volatile sig_atomic_t ended_by_signal, resized;

static void on_resize(int signal)
{
	(void)signal;
	resized = 1;
}

static void on_signal(int signal)
{
	(void)signal;
	ended_by_signal = 1;
}

/* The terminal is put back also where somebody ends us. Between calls of poll(). */
static void catch_signals(sigset_t *ret_waiting)
{
	static const int signals[] = {SIGTERM, SIGHUP, SIGINT};
	struct sigaction action = {.sa_handler = on_signal}, resize = {.sa_handler = on_resize};
	sigset_t set;

	sigemptyset(&set);
	for (size_t i = 0; i < ARRAY_SIZE(signals); i++) {
		sigaddset(&set, signals[i]);
		(void)sigaction(signals[i], &action, NULL);
	}
	sigaddset(&set, SIGWINCH);
	(void)sigaction(SIGWINCH, &resize, NULL);
	(void)sigprocmask(SIG_BLOCK, &set, ret_waiting);
}

static enum outcome relay(struct session *s, const sigset_t *waiting)
{
	enum outcome outcome = OUTCOME_NONE;

	while (outcome == OUTCOME_NONE) {
		struct pollfd p[] = {
			{.fd = s->sock, .events = (short)(POLLIN | (s->typed.len ? POLLOUT : 0))},
			{.fd = s->input_ended ? -1 : STDIN_FILENO, .events = POLLIN},
		};

		if (ppoll(p, 2, NULL, waiting) < 0) {
			if (errno != EINTR || ended_by_signal)
				return OUTCOME_LEFT;
			if (resized)
				record_resize(s);
			resized = 0;
			continue;
		}
		if (p[0].revents & POLLOUT)
			outcome = send_typed(s);
		if (outcome == OUTCOME_NONE && p[0].revents & (POLLIN | POLLHUP | POLLERR))
			outcome = show_output(s);
		if (outcome == OUTCOME_NONE && p[1].revents)
			outcome = take_input(s);
	}
	return outcome;
}

static int run(struct cli *cli)
{
	struct session s = {.sock = -1,
			    .record_fd = -1,
			    .watch = cli->values[OPT_WATCH] != NULL,
			    .record_failure = ERROR_INIT};
	const char *record = cli->values[OPT_RECORD];
	const struct spec_vm *vm;
	enum outcome outcome;
	sigset_t waiting;
	int rc;

	if (s.watch && cli->values[OPT_SIZE])
		return cli_usage(cli, &verb_console, "--size types, and --watch does not");
	if (record && str_eq(record, "-"))
		return cli_usage(
			cli, &verb_console,
			"--record takes a file: standard output is where the console is shown");
	rc = cli_find_any_vm(cli, cli->names[0], &vm);
	if (rc < 0)
		return rc;
	rc = rundir_connect(&cli->paths, PATHS_VM, vm->name, NAME_CONSOLE, &s.sock, &cli->err);
	if (rc == -ENOENT || rc == -ECONNREFUSED)
		return error_set(&cli->err, ENOTCONN, "vm '%s' is not up (hv up %s)", vm->name,
				 vm->name);
	if (rc < 0)
		return error_wrap(&cli->err, rc, "vm '%s': console", vm->name);
	if (record)
		rc = record_begin(&s, record, vm->name, &cli->err);
	if (rc < 0) {
		close(s.sock);
		return rc;
	}
	if (cli->values[OPT_SIZE])
		type_size(&s);
	catch_signals(&waiting);
	make_raw(&s);
	if (s.terminal)
		(void)fprintf(stderr, "[console of %s%s; Ctrl-] leaves]\r\n", vm->name,
			      s.watch ? ", to look at" : "");
	outcome = relay(&s, &waiting);
	make_sane(&s);
	if (s.terminal)
		(void)fprintf(stderr, "\n[%s %s]\n",
			      outcome == OUTCOME_ENDED ? "end of the console of"
						       : "left the console of",
			      vm->name);
	close(s.sock);
	strbuf_free(&s.typed);
	return record ? record_end(&s, record, &cli->err) : 0;
}

const struct verb verb_console = {
	.name = "console",
	.args = "NAME",
	.summary = "the serial console; Ctrl-] leaves",
	.text = "Several viewers may look at once, and each may type. What was said before is in hv "
		"logs.\nBytes of the guest go to the terminal as they are; hv logs shows them "
		"safely. A recording holds what was\nshown, not what was typed; asciinema plays it. "
		"A serial line does not know the size of a terminal:\n--size is for a shell that waits "
		"for a command.\nWhere standard input is no terminal, its end does not end the viewing.",
	.options = options,
	.min_names = 1,
	.max_names = 1,
	.names = CLI_NAMES_VM,
	.lab = CLI_LAB_OPTIONAL,
	.run = run,
};
