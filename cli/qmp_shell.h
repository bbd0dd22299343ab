/* SPDX-License-Identifier: MIT */
/*
 * hv qmp: what a line means and does (cli/qmp_line.c), the words of the shell's own
 * (cli/qmp_builtins.c), what a line may go on with (cli/qmp_complete.c), and the terminal
 * (cli/qmp_edit.c). cli/qmp.c chooses between a command, a script and the shell.
 */
#ifndef HV_CLI_QMP_SHELL_H
#define HV_CLI_QMP_SHELL_H

#include "base/error.h"
#include "base/str.h"
#include "cli/qmp_session.h"
#include "qmp/schema.h"

#include <jansson.h>
#include <stdio.h>

struct cli;

enum { SHELL_EVENTS_MAX = 256, SHELL_FILTER_MAX = 32 };

struct qmp_shell {
	struct cli *cli;
	const char *vm;
	struct qmp_session *session;
	struct qmp_schema *schema; /* NULL: not asked yet, see shell_schema() */
	bool as_json; /* whole messages, one a line */
	bool terminal, colour, leaves;
	/* Events that are shown: all, or those named. */
	bool shows_all;
	char filter[SHELL_FILTER_MAX][64];
	size_t n_filter;
	/* Events since the line before was begun, for wait; the oldest go first. */
	struct strv recent;
	size_t mark; /* those before are older than the line that runs */
	/* Wipes the line being typed before something is shown, and draws it after; NULL. */
	void (*around)(struct qmp_shell *s, bool before);
	void *editor;
	struct error err; /* why the last line failed */
};

/* cli/qmp_line.c */
int shell_open(struct cli *cli, const char *vm, struct qmp_shell *ret_shell);
void shell_close(struct qmp_shell *s);
/* One line, or words that were split by a shell; 0 or -errno with s->err. */
int shell_run_line(struct qmp_shell *s, const char *line);
int shell_run_words(struct qmp_shell *s, char *const *words, size_t n);
/* QEMU's schema, asked for once; NULL: it cannot be had. */
const struct qmp_schema *shell_schema(struct qmp_shell *s);
/* A command's result, which is the caller's; QEMU's refusal is EREMOTEIO. args is stolen. */
int shell_ask(struct qmp_shell *s, const char *command, json_t *args, json_t **ret_result);
/* The same with the answer's text. */
int shell_ask_text(struct qmp_shell *s, const char *request, struct strbuf *ret_answer);
/* Shows an answer; -EREMOTEIO where it is an error. */
int shell_show_answer(struct qmp_shell *s, const struct strbuf *answer);
void shell_show_event(struct qmp_shell *s, const char *text, size_t len);

/* cli/qmp_builtins.c */
struct shell_builtin {
	const char *name, *args, *help;
	int (*run)(struct qmp_shell *s, char *const *words, size_t n);
};
extern const struct shell_builtin shell_builtins[]; /* ended by an empty row */

/* cli/qmp_complete.c: what may stand in place of the word that the line ends with. */
void shell_complete(struct qmp_shell *s, const char *line, struct strv *ret_words);

/* cli/qmp_edit.c: reads lines from the terminal until the end. */
int shell_edit(struct qmp_shell *s);

#endif
