/* SPDX-License-Identifier: MIT */
#include "base/cleanup.h"
#include "base/fd.h"
#include "base/file.h"
#include "base/str.h"
#include "cli/common.h"
#include "vmm/names.h"
#include "vmm/rundir.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <sys/socket.h>
#include <termios.h>
#include <unistd.h>

enum {
	KEY_LEAVE = 0x1d, /* Ctrl-] */
	/* Typed and not yet taken by the guest; more is dropped. */
	TYPED_BYTES_MAX = 64 * 1024,
};

enum outcome { OUTCOME_NONE, OUTCOME_LEFT, OUTCOME_ENDED };

struct session {
	int sock;
	bool terminal, input_ended;
	struct termios before;
	struct strbuf typed;
};

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
	if (leave)
		return OUTCOME_LEFT;
	if (s->typed.len < TYPED_BYTES_MAX)
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
	return file_write_all(STDOUT_FILENO, chunk, (size_t)n, NULL) < 0 ? OUTCOME_LEFT
									 : OUTCOME_NONE;
}

static volatile sig_atomic_t ended_by_signal;

static void on_signal(int signal)
{
	(void)signal;
	ended_by_signal = 1;
}

/* The terminal is put back also where somebody ends us. Between calls of poll(). */
static void catch_signals(sigset_t *ret_waiting)
{
	static const int signals[] = {SIGTERM, SIGHUP, SIGINT};
	struct sigaction action = {.sa_handler = on_signal};
	sigset_t set;

	sigemptyset(&set);
	for (size_t i = 0; i < ARRAY_SIZE(signals); i++) {
		sigaddset(&set, signals[i]);
		(void)sigaction(signals[i], &action, NULL);
	}
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
	struct session s = {.sock = -1};
	const struct spec_vm *vm;
	enum outcome outcome;
	sigset_t waiting;
	int rc;

	rc = cli_find_any_vm(cli, cli->names[0], &vm);
	if (rc < 0)
		return rc;
	rc = rundir_connect(&cli->paths, PATHS_VM, vm->name, NAME_CONSOLE, &s.sock, &cli->err);
	if (rc == -ENOENT || rc == -ECONNREFUSED)
		return error_set(&cli->err, ENOTCONN, "vm '%s' is not up (hv up %s)", vm->name,
				 vm->name);
	if (rc < 0)
		return error_wrap(&cli->err, rc, "vm '%s': console", vm->name);
	catch_signals(&waiting);
	make_raw(&s);
	if (s.terminal)
		(void)fprintf(stderr, "[console of %s; Ctrl-] leaves]\r\n", vm->name);
	outcome = relay(&s, &waiting);
	make_sane(&s);
	if (s.terminal)
		(void)fprintf(stderr, "\n[%s %s]\n",
			      outcome == OUTCOME_ENDED ? "end of the console of"
						       : "left the console of",
			      vm->name);
	close(s.sock);
	strbuf_free(&s.typed);
	return 0;
}

const struct verb verb_console = {
	.name = "console",
	.args = "NAME",
	.summary = "the serial console; Ctrl-] leaves",
	.text = "Several viewers may look at once, and each may type. What was said before is in hv "
		"logs.\nWhere standard input is no terminal, its end does not end the viewing.",
	.min_names = 1,
	.max_names = 1,
	.names = CLI_NAMES_VM,
	.lab = CLI_LAB_OPTIONAL,
	.run = run,
};
