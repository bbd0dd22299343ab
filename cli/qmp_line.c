/* SPDX-License-Identifier: MIT */
#include "base/cleanup.h"
#include "cli/common.h"
#include "cli/qmp_shell.h"
#include "qmp/decode.h"
#include "qmp/pretty.h"
#include "qmp/request.h"
#include "qmp/text.h"
#include "qmp/words.h"

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

static bool is_shown(const struct qmp_shell *s, const char *name)
{
	for (size_t i = 0; i < s->n_filter; i++)
		if (str_eq(s->filter[i], name))
			return true;
	return s->shows_all;
}

void shell_show_event(struct qmp_shell *s, const char *text, size_t len)
{
	cleanup_strbuf struct strbuf shown = {0};

	if (s->as_json)
		strbuf_add(&shown, text, len);
	else
		qmp_pretty_line(&shown, text, len, s->colour);
	if (s->around)
		s->around(s, true);
	(void)printf("%s\n", shown.data ? shown.data : "");
	(void)fflush(stdout);
	if (s->around)
		s->around(s, false);
}

static void on_event(const char *name, const char *text, size_t len, void *arg)
{
	struct qmp_shell *s = arg;

	if (s->recent.n == SHELL_EVENTS_MAX) {
		free(s->recent.v[0]);
		memmove(s->recent.v, s->recent.v + 1, s->recent.n * sizeof(*s->recent.v));
		s->recent.n--;
		s->mark -= s->mark > 0;
	}
	strv_take(&s->recent, strndup(text, len));
	if (is_shown(s, name))
		shell_show_event(s, text, len);
}

int shell_open(struct cli *cli, const char *vm, struct qmp_shell *ret_shell)
{
	*ret_shell = (struct qmp_shell){.cli = cli, .vm = vm};
	return qmp_session_open(cli, vm, &ret_shell->session);
}

void shell_close(struct qmp_shell *s)
{
	qmp_session_close(s->session);
	qmp_schema_free(s->schema);
	strv_free(&s->recent);
}

int shell_ask_text(struct qmp_shell *s, const char *request, struct strbuf *ret_answer)
{
	qmp_session_on_event(s->session, on_event, s);
	return qmp_session_ask(s->session, request, 0, ret_answer, &s->err);
}

/* A request's text; the caller frees it. */
static char *make_request(const char *word, const char *command, const char *args)
{
	cleanup_json json_t *name = json_string(command);
	cleanup_free char *quoted = name ? json_dumps(name, JSON_ENCODE_ANY) : NULL;

	return quoted ? str_printf("{\"%s\": %s%s%s}", word, quoted,
				   args ? ", \"arguments\": " : "", args ? args : "")
		      : NULL;
}

int shell_ask(struct qmp_shell *s, const char *command, json_t *args, json_t **ret_result)
{
	cleanup_free char *text = args ? json_dumps(args, JSON_COMPACT) : NULL;
	cleanup_free char *request = make_request("execute", command, text);
	cleanup_strbuf struct strbuf answer = {0};
	cleanup_json json_t *message = NULL;
	json_t *result;
	int rc;

	json_decref(args);
	if (!request)
		return error_oom(&s->err);
	rc = shell_ask_text(s, request, &answer);
	if (rc == 0)
		rc = qmp_decode(answer.data, answer.len, &message, &s->err);
	if (rc < 0)
		return rc;
	result = json_object_get(message, "return");
	if (!result)
		return error_set(&s->err, EREMOTEIO, "%s: %s", command,
				 json_get_string(json_object_get(message, "error"), "desc")
					 ?: "failed");
	*ret_result = json_incref(result);
	return 0;
}

const struct qmp_schema *shell_schema(struct qmp_shell *s)
{
	json_t *entries = NULL;

	if (!s->schema && shell_ask(s, "query-qmp-schema", NULL, &entries) == 0)
		(void)qmp_schema_new(entries, &s->schema, &s->err);
	return s->schema;
}

/* What QEMU refuses, as one line. */
static int fail_answer(struct qmp_shell *s, struct qmp_span error)
{
	cleanup_json json_t *object = json_loadb(error.at, error.len, 0, NULL);
	cleanup_strbuf struct strbuf shown = {0};
	const char *class = json_get_string(object, "class"),
		   *desc = json_get_string(object, "desc");

	if (class && !str_eq(class, "GenericError"))
		strbuf_addf(&shown, "%s: ", class);
	strbuf_add_printable(&shown, desc ?: "", strlen(desc ?: ""), false);
	return error_set(&s->err, EREMOTEIO, "%s", shown.data ? shown.data : "");
}

int shell_show_answer(struct qmp_shell *s, const struct strbuf *answer)
{
	struct qmp_span error = qmp_text_member(answer->data, answer->len, "error");
	struct qmp_span result = qmp_text_member(answer->data, answer->len, "return");
	cleanup_strbuf struct strbuf shown = {0};
	cleanup_json json_t *string = NULL;

	if (s->as_json) {
		(void)printf("%s\n", answer->data);
		return error.at ? fail_answer(s, error) : 0;
	}
	if (error.at || !result.at)
		return fail_answer(s, error.at ? error : (struct qmp_span){"{}", 2});
	/* What the human monitor says is text. */
	if (*result.at == '"')
		string = json_loadb(result.at, result.len, JSON_DECODE_ANY, NULL);
	if (string) {
		cleanup_strbuf struct strbuf plain = {0};

		for (const char *p = json_string_value(string); *p; p++)
			if (*p != '\r')
				strbuf_add(&plain, p, 1);
		strbuf_add_printable(&shown, plain.data ?: "", plain.len, true);
	} else {
		qmp_pretty(&shown, result.at, result.len, s->colour);
	}
	if (shown.len)
		(void)printf("%s%s", shown.data, shown.data[shown.len - 1] == '\n' ? "" : "\n");
	return 0;
}

static int send_and_show(struct qmp_shell *s, const char *request)
{
	cleanup_strbuf struct strbuf answer = {0};
	int rc;

	if (!request)
		return error_oom(&s->err);
	rc = shell_ask_text(s, request, &answer);
	return rc < 0 ? rc : shell_show_answer(s, &answer);
}

static int run_json(struct qmp_shell *s, const char *line)
{
	struct qmp_request request;
	cleanup_free char *text = NULL;
	int rc = qmp_request_parse(line, strlen(line), true, &request, &s->err);

	if (rc == 0) {
		cleanup_free char *plain = make_request(request.oob ? "exec-oob" : "execute",
							request.command, request.arguments);

		if (plain && request.id)
			text = str_printf("%.*s, \"id\": %s}", (int)strlen(plain) - 1, plain,
					  request.id);
		else
			text = steal_ptr(&plain);
	}
	qmp_request_free(&request);
	return rc < 0 ? rc : send_and_show(s, text);
}

static int run_human(struct qmp_shell *s, const char *line)
{
	cleanup_json json_t *args = json_pack("{s:s}", "command-line", line);
	cleanup_free char *text = args ? json_dumps(args, JSON_COMPACT) : NULL;
	cleanup_free char *request =
		text ? make_request("execute", "human-monitor-command", text) : NULL;

	if (!args)
		return error_set(&s->err, EILSEQ, "the line is not UTF-8");
	return send_and_show(s, request);
}

static int run_command(struct qmp_shell *s, char *const *words, size_t n)
{
	cleanup_json json_t *args = NULL;
	cleanup_free char *text = NULL, *request = NULL;
	int rc;

	/* Without arguments there is nothing to give a type to. */
	rc = qmp_words_arguments(words[0], words + 1, n - 1, n > 1 ? shell_schema(s) : NULL, &args,
				 &s->err);
	if (rc < 0)
		return rc;
	text = json_object_size(args) ? json_dumps(args, JSON_COMPACT) : NULL;
	request = make_request("execute", words[0], text);
	if (!request)
		return error_set(&s->err, EILSEQ, "the command is not UTF-8");
	return send_and_show(s, request);
}

/* Events that came before the last line are none to wait for any more. */
static void forget_events(struct qmp_shell *s)
{
	for (size_t i = 0; i < s->mark; i++)
		free(s->recent.v[i]);
	if (s->recent.v)
		memmove(s->recent.v, s->recent.v + s->mark,
			(s->recent.n + 1 - s->mark) * sizeof(*s->recent.v));
	s->recent.n -= s->mark;
	s->mark = s->recent.n;
}

int shell_run_words(struct qmp_shell *s, char *const *words, size_t n)
{
	cleanup_strbuf struct strbuf line = {0};

	s->err.code = 0;
	if (!n)
		return 0;
	forget_events(s);
	if (*words[0] == '{' && n == 1)
		return run_json(s, words[0]);
	if (*words[0] == ':' || str_eq(words[0], "hmp")) {
		bool alone = str_eq(words[0], "hmp") || str_eq(words[0], ":");

		for (size_t i = alone; i < n; i++)
			strbuf_addf(&line, "%s%s", i > alone ? " " : "",
				    words[i] + (i == 0 && !alone));
		return run_human(s, line.data ?: "");
	}
	for (const struct shell_builtin *b = shell_builtins; b->name; b++)
		if (str_eq(words[0], b->name))
			return b->run(s, words + 1, n - 1);
	return run_command(s, words, n);
}

int shell_run_line(struct qmp_shell *s, const char *line)
{
	cleanup_strv struct strv words = {0};
	int rc;

	s->err.code = 0;
	while (*line == ' ' || *line == '\t')
		line++;
	/* Lines that are not of this language are taken as they are. */
	if (*line == '{' || *line == ':' || str_after(line, "hmp ")) {
		const char *rest = *line == ':' ? line + 1 : str_after(line, "hmp ");

		forget_events(s);
		return rest ? run_human(s, rest) : run_json(s, line);
	}
	if (!*line || *line == '#')
		return 0;
	rc = qmp_words_split(line, &words, &s->err);
	return rc < 0 ? rc : shell_run_words(s, words.v, words.n);
}
