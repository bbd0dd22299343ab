/* SPDX-License-Identifier: MIT */
/*
 * Theory of operation
 *
 * libedit owns the line and the terminal, and asks for one character at a time. While it
 * waits for one, events come: what is typed is wiped away, the event is printed, and the
 * line is drawn again below it. SIGINT is blocked but while something waits, so it
 * drops the line, or the wait, and nothing else.
 */
#include "base/cleanup.h"
#include "cli/common.h"
#include "cli/edit_library.h"
#include "cli/qmp_history.h"
#include "cli/qmp_shell.h"

#include <errno.h>
#include <locale.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <unistd.h>
#include <wchar.h>

enum { HISTORY_LINES = 1000, LISTED_MAX = 200, COLUMNS = 80 };

/* Its callbacks are given nothing but the editor itself. */
static const struct edit_library *lib;

struct editor {
	EditLine *el;
	History *history;
	HistEvent ev;
	struct qmp_shell *shell;
	char prompt[80];
	char *path; /* of the history's file; may be NULL */
	sigset_t waiting, interrupt;
	bool interrupted, reading;
	bool asked; /* whether quit is meant */
};

static void on_interrupt(int signal)
{
	(void)signal;
}

static const char *prompt(EditLine *el)
{
	struct editor *e;

	(void)lib->get(el, EL_CLIENTDATA, (void **)&e);
	return e->prompt;
}

static size_t columns(void)
{
	struct winsize size = {0};

	return ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col ? size.ws_col : COLUMNS;
}

/* What is typed goes over several rows where it is long. */
static void around(struct qmp_shell *s, bool before)
{
	struct editor *e = s->editor;

	if (!e->reading)
		return;
	if (before) {
		const LineInfo *line = lib->line(e->el);
		size_t rows =
			(strlen(e->prompt) + (size_t)(line->cursor - line->buffer)) / columns();

		if (rows)
			(void)printf("\033[%zuA", rows);
		(void)printf("\r\033[J");
	} else {
		(void)lib->set(e->el, EL_REFRESH);
	}
}

/* One character out of its bytes; 0 at the end. */
static int read_character(wchar_t *ret_c)
{
	mbstate_t state = {0};
	char byte;

	for (;;) {
		ssize_t n = read(STDIN_FILENO, &byte, 1);
		size_t used;

		if (n <= 0)
			return n < 0 && errno == EINTR ? -1 : 0;
		used = mbrtowc(ret_c, &byte, 1, &state);
		if (used == (size_t)-2)
			continue;
		if (used != (size_t)-1)
			return 1;
		state = (mbstate_t){0};
	}
}

/* Whether Ctrl-C came before what can be read now: ppoll() tells of input first. */
static bool was_interrupted(struct editor *e)
{
	const struct timespec now = {0};

	return sigtimedwait(&e->interrupt, NULL, &now) == SIGINT;
}

static int get_character(EditLine *el, wchar_t *ret_c)
{
	struct editor *e;

	(void)lib->get(el, EL_CLIENTDATA, (void **)&e);
	for (;;) {
		struct pollfd p[] = {
			{.fd = STDIN_FILENO, .events = POLLIN},
			{.fd = qmp_session_fd(e->shell->session), .events = POLLIN},
		};

		if (ppoll(p, 2, NULL, &e->waiting) < 0) {
			e->interrupted = errno == EINTR;
			return -1;
		}
		e->interrupted = was_interrupted(e);
		if (e->interrupted)
			return -1;
		if (p[1].revents && qmp_session_read(e->shell->session, &e->shell->err) < 0) {
			e->shell->leaves = true;
			return -1;
		}
		if (p[0].revents)
			return read_character(ret_c);
	}
}

static size_t common_length(const struct strv *words)
{
	size_t n = strlen(words->v[0]);

	for (size_t i = 1; i < words->n; i++)
		while (strncmp(words->v[0], words->v[i], n) != 0)
			n--;
	return n;
}

static void list(const struct strv *words)
{
	size_t column = 0, width = columns();

	/* No word over the end of a row: it would be two there. */
	(void)printf("\n");
	for (size_t i = 0; i < words->n && i <= LISTED_MAX; i++) {
		const char *word = i < LISTED_MAX ? words->v[i] : "...";
		size_t len = strlen(word);
		const char *space = !column ? "" : column + 2 + len < width ? "  " : "\n";

		(void)printf("%s%s", space, word);
		column = (*space == ' ' ? column + 2 : 0) + len;
	}
	(void)printf("\n");
	(void)fflush(stdout);
}

static unsigned char complete(EditLine *el, int key)
{
	cleanup_strv struct strv words = {0};
	const LineInfo *info = lib->line(el);
	cleanup_free char *line = strndup(info->buffer, (size_t)(info->cursor - info->buffer));
	const char *typed;
	struct editor *e;
	size_t n;

	(void)key;
	(void)lib->get(el, EL_CLIENTDATA, (void **)&e);
	if (!line)
		return CC_ERROR;
	shell_complete(e->shell, line, &words);
	typed = line + strlen(line);
	while (typed > line && typed[-1] != ' ' && typed[-1] != '\t')
		typed--;
	if (!words.n || words.failed || !str_after(words.v[0], typed))
		return CC_ERROR;
	n = common_length(&words);
	if (n > strlen(typed)) {
		words.v[0][n] = '\0';
		(void)lib->insertstr(el, words.v[0] + strlen(typed));
		return CC_REFRESH;
	}
	list(&words);
	return CC_REDISPLAY;
}

static int open_editor(struct editor *e, struct qmp_shell *s)
{
	*e = (struct editor){.shell = s};
	(void)str_format(e->prompt, sizeof(e->prompt), "%s> ", s->vm);
	(void)setlocale(LC_CTYPE, "");
	e->history = lib->history_init();
	e->el = e->history ? lib->init("hv", stdin, stdout, stderr) : NULL;
	if (!e->el)
		return error_oom(&s->err);
	(void)lib->history(e->history, &e->ev, H_SETSIZE, HISTORY_LINES);
	(void)lib->history(e->history, &e->ev, H_SETUNIQUE, 1);
	(void)lib->set(e->el, EL_CLIENTDATA, e);
	(void)lib->set(e->el, EL_PROMPT, prompt);
	(void)lib->set(e->el, EL_EDITOR, "emacs");
	(void)lib->set(e->el, EL_HIST, lib->history, e->history);
	(void)lib->set(e->el, EL_GETCFN, get_character);
	(void)lib->set(e->el, EL_ADDFN, "hv-complete", "what may stand here", complete);
	(void)lib->set(e->el, EL_BIND, "^I", "hv-complete", NULL);
	(void)lib->set(e->el, EL_BIND, "^R", "em-inc-search-prev", NULL);
	return 0;
}

static void catch_interrupt(struct editor *e)
{
	struct sigaction action = {.sa_handler = on_interrupt};

	sigemptyset(&e->interrupt);
	sigaddset(&e->interrupt, SIGINT);
	(void)sigaction(SIGINT, &action, NULL);
	(void)sigprocmask(SIG_BLOCK, &e->interrupt, &e->waiting);
	sigdelset(&e->waiting, SIGINT);
	qmp_session_set_signals(e->shell->session, &e->waiting);
}

/* Elsewhere quit leaves a shell; here it is QEMU's. A second one in a row is meant. */
static bool is_doubtful(struct editor *e, const char *line)
{
	size_t begin = strspn(line, " \t");
	bool quits = str_after(line + begin, "quit") &&
		     !line[begin + 4 + strspn(line + begin + 4, " \t")];
	bool asks = quits && !e->asked;

	e->asked = asks;
	if (asks)
		(void)printf("quit ends the machine, exit leaves this shell: once more, and it "
			     "ends\n");
	return asks;
}

/* One line that was typed. False where there is none any more. */
static bool edit_line(struct editor *e, bool *failed)
{
	struct qmp_shell *s = e->shell;
	const char *typed;
	cleanup_free char *line = NULL;
	int n, rc;

	e->interrupted = false;
	e->reading = true;
	typed = lib->gets(e->el, &n);
	e->reading = false;
	if (e->interrupted) {
		(void)printf("^C\n");
		lib->reset(e->el);
		return true;
	}
	if (!typed || n <= 0)
		return false;
	line = strndup(typed, strcspn(typed, "\n"));
	if (!line)
		return false;
	if (*line) {
		(void)lib->history(e->history, &e->ev, H_ENTER, typed);
		qmp_history_add(e->path, line);
	}
	if (is_doubtful(e, line))
		return true;
	rc = shell_run_line(s, line);
	/* To leave is no command: what counts is the one before. */
	if (!s->leaves)
		*failed = rc < 0;
	if (rc < 0)
		(void)printf("%s%s%s\n", s->colour ? "\033[31m" : "", s->err.text,
			     s->colour ? "\033[0m" : "");
	/* Nothing can be said to a machine that has gone. */
	return !(rc < 0 && (s->err.code == ECONNRESET || s->err.code == EPIPE));
}

int shell_edit(struct qmp_shell *s)
{
	cleanup_free struct editor *e = calloc(1, sizeof(*e));
	bool failed = false;
	int rc;

	if (!e)
		return error_oom(&s->err);
	rc = edit_library_load(&lib, &s->err);
	if (rc < 0)
		return rc;
	rc = open_editor(e, s);
	if (rc == 0) {
		qmp_history_open(lib, e->history, HISTORY_LINES, &e->path);
		s->editor = e;
		s->around = around;
		catch_interrupt(e);
		(void)printf("[QMP of %s; Tab completes, help tells, Ctrl-D leaves]\n", s->vm);
		while (!s->leaves && edit_line(e, &failed))
			;
		if (s->leaves && s->err.code) {
			(void)printf("\n%s\n", s->err.text);
			failed = true;
		}
		s->around = NULL;
		s->editor = NULL;
	}
	if (e->el)
		lib->end(e->el);
	if (e->history)
		lib->history_end(e->history);
	free(e->path);
	s->cli->exit_code = failed ? CLI_FAILED : CLI_DONE;
	return rc;
}
