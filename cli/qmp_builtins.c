/* SPDX-License-Identifier: MIT */
#include "base/cleanup.h"
#include "base/clock.h"
#include "cli/common.h"
#include "cli/qmp_shell.h"
#include "qmp/text.h"

#include <errno.h>
#include <limits.h>

enum { SECONDS_MAX = 7 * 24 * 3600, WATCH_SECONDS = 2 };

static void print_name(const char *name, void *arg)
{
	struct strbuf *into = arg;

	strbuf_add_printable(into, name, strlen(name), false);
	strbuf_add(into, "\n", 1);
}

static int run_help(struct qmp_shell *s, char *const *words, size_t n)
{
	cleanup_strbuf struct strbuf shown = {0};
	const struct qmp_schema *schema = shell_schema(s);

	if (!schema)
		return -s->err.code;
	if (n > 1)
		return error_set(&s->err, EINVAL, "help takes one command or event");
	if (n) {
		for (const struct shell_builtin *b = shell_builtins; b->name; b++)
			if (str_eq(words[0], b->name)) {
				(void)printf("%s %s\n%s\n", b->name, b->args, b->help);
				return 0;
			}
		if (!qmp_schema_describe(schema, words[0], &shown) &&
		    !qmp_schema_describe_event(schema, words[0], &shown))
			return error_set(&s->err, ENOENT, "there is no command or event '%s'",
					 words[0]);
	} else {
		qmp_schema_each_command(schema, print_name, &shown);
		for (const struct shell_builtin *b = shell_builtins; b->name; b++)
			strbuf_addf(&shown, "%s%s%s: %s\n", b->name, *b->args ? " " : "", b->args,
				    b->help);
		strbuf_addf(&shown, ":LINE or hmp LINE: the human monitor\n");
	}
	(void)printf("%s", shown.data ? shown.data : "");
	return 0;
}

struct wanted {
	const char *name;
	bool found;
};

static void look_at_name(const char *name, void *arg)
{
	struct wanted *wanted = arg;

	wanted->found = wanted->found || str_eq(name, wanted->name);
}

/* One that never comes would be waited for without end. */
static int check_event(struct qmp_shell *s, const char *name)
{
	const struct qmp_schema *schema = shell_schema(s);
	struct wanted wanted = {.name = name};

	if (!schema)
		return -s->err.code;
	qmp_schema_each_event(schema, look_at_name, &wanted);
	return wanted.found ? 0 : error_set(&s->err, ENOENT, "there is no event '%s'", name);
}

static int run_events(struct qmp_shell *s, char *const *words, size_t n)
{
	bool names;

	if (n > SHELL_FILTER_MAX)
		return error_set(&s->err, E2BIG, "more than %d events", SHELL_FILTER_MAX);
	if (!n) {
		(void)printf("%s", s->shows_all ? "on\n" : s->n_filter ? "" : "off\n");
		for (size_t i = 0; i < s->n_filter; i++)
			(void)printf("%s\n", s->filter[i]);
		return 0;
	}
	names = !str_eq(words[0], "on") && !str_eq(words[0], "off");
	if (!names && n > 1)
		return error_set(&s->err, EINVAL, "on and off stand alone");
	for (size_t i = 0; names && i < n; i++) {
		int rc = check_event(s, words[i]);

		if (rc < 0)
			return rc;
	}
	s->n_filter = 0;
	s->shows_all = str_eq(words[0], "on");
	for (size_t i = 0; names && i < n; i++)
		(void)str_format(s->filter[s->n_filter++], sizeof(s->filter[0]), "%s", words[i]);
	return 0;
}

/* An event of that name among those that came; shows it. */
static bool take_event(struct qmp_shell *s, const char *name, size_t *from)
{
	for (; *from < s->recent.n; (*from)++) {
		const char *text = s->recent.v[*from];
		struct qmp_span event = qmp_text_member(text, strlen(text), "event");

		if (event.len < 2 ||
		    !qmp_span_is((struct qmp_span){event.at + 1, event.len - 2}, name))
			continue;
		/* It may have been shown when it came. */
		if (!s->shows_all)
			shell_show_event(s, text, strlen(text));
		return true;
	}
	return false;
}

static bool parse_seconds(struct qmp_shell *s, const char *word, uint64_t *ret_ms)
{
	uint64_t seconds;

	if (!str_parse_u64(word, SECONDS_MAX, &seconds)) {
		(void)error_set(&s->err, EINVAL, "'%s' is no number of seconds", word);
		return false;
	}
	*ret_ms = seconds * 1000;
	return true;
}

static int run_wait(struct qmp_shell *s, char *const *words, size_t n)
{
	uint64_t timeout_ms = 0, deadline;
	size_t from = 0;
	int rc;

	if (n < 1 || n > 2)
		return error_set(&s->err, EINVAL, "wait takes an event, and seconds at most");
	if (n == 2 && !parse_seconds(s, words[1], &timeout_ms))
		return -s->err.code;
	/* Whoever ended the machine may wait for its end: there is no schema any more. */
	rc = check_event(s, words[0]);
	if (rc == -ENOENT || rc == -EINTR)
		return rc;
	s->err.code = 0;
	deadline = clock_now_usec() + timeout_ms * 1000;
	while (!take_event(s, words[0], &from)) {
		uint64_t now = clock_now_usec();

		if (n == 2 && now >= deadline)
			return error_set(&s->err, ETIMEDOUT, "%s did not come in time", words[0]);
		/* The oldest may be dropped meanwhile. */
		rc = qmp_session_wait(s->session, n == 2 ? (int)((deadline - now) / 1000 + 1) : -1,
				      &s->err);
		if (rc > 0)
			rc = qmp_session_read(s->session, &s->err);
		if (rc < 0)
			return rc;
		if (s->recent.n == SHELL_EVENTS_MAX)
			from = 0;
	}
	return 0;
}

/* Reads what comes until the time is up. */
static int pass_time(struct qmp_shell *s, uint64_t ms)
{
	uint64_t deadline = clock_now_usec() + ms * 1000, now;
	int rc = 0;

	while (rc >= 0 && (now = clock_now_usec()) < deadline) {
		rc = qmp_session_wait(s->session, (int)((deadline - now) / 1000 + 1), &s->err);
		if (rc > 0)
			rc = qmp_session_read(s->session, &s->err);
	}
	return rc < 0 ? rc : 0;
}

static int run_watch(struct qmp_shell *s, char *const *words, size_t n)
{
	uint64_t ms = WATCH_SECONDS * 1000;
	int rc = 0;

	if (n > 1 && str_parse_u64(words[n - 1], SECONDS_MAX, &ms)) {
		ms = (ms ? ms : 1) * 1000;
		n--;
	}
	if (!n || str_eq(words[0], "watch"))
		return error_set(&s->err, EINVAL, "watch takes a command, and seconds at most");
	while (rc == 0) {
		if (s->terminal)
			(void)printf("\033[H\033[J");
		rc = shell_run_words(s, words, n);
		(void)fflush(stdout);
		if (rc == 0)
			rc = pass_time(s, ms);
	}
	/* That is how a watch ends. */
	return rc == -EINTR ? 0 : rc;
}

static void print_job(json_t *job)
{
	json_int_t now = json_integer_value(json_object_get(job, "current-progress"));
	json_int_t total = json_integer_value(json_object_get(job, "total-progress"));
	const char *error = json_get_string(job, "error");
	char percent[16] = "-";

	if (total > 0)
		(void)str_format(percent, sizeof(percent), "%d%%",
				 (int)((double)now * 100 / (double)total));
	(void)printf("%s  ", cli_text(job, "id"));
	(void)printf("%s  ", cli_text(job, "type"));
	(void)printf("%s  %s%s%s\n", cli_text(job, "status"), percent, error ? "  " : "",
		     error ? cli_text(job, "error") : "");
}

static int run_jobs(struct qmp_shell *s, char *const *words, size_t n)
{
	cleanup_json json_t *jobs = NULL;
	json_t *job;
	size_t i;
	int rc;

	(void)words;
	if (n)
		return error_set(&s->err, EINVAL, "jobs takes nothing");
	rc = shell_ask(s, "query-jobs", NULL, &jobs);
	if (rc < 0)
		return rc;
	if (s->as_json) {
		cleanup_free char *text = json_dumps(jobs, JSON_COMPACT);

		(void)printf("%s\n", text ? text : "");
		return 0;
	}
	json_array_foreach (jobs, i, job)
		print_job(job);
	return 0;
}

static int run_exit(struct qmp_shell *s, char *const *words, size_t n)
{
	(void)words;
	if (n)
		return error_set(&s->err, EINVAL, "exit takes nothing");
	s->leaves = true;
	return 0;
}

const struct shell_builtin shell_builtins[] = {
	{"help", "[COMMAND|EVENT]", "commands, or what one takes and returns, or an event's data",
	 run_help},
	{"events", "[on|off|NAME...]", "which events are shown", run_events},
	{"wait", "EVENT [SECONDS]", "waits for an event, also one that the last line brought",
	 run_wait},
	{"watch", "COMMAND... [SECONDS]", "again and again, until Ctrl-C", run_watch},
	{"jobs", "", "block jobs and how far they are", run_jobs},
	{"exit", "", "leaves (quit is QEMU's, and ends the machine)", run_exit},
	{0},
};
