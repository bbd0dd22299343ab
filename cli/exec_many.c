/* SPDX-License-Identifier: MIT */
#include "cli/exec.h"

#include "base/child.h"
#include "base/cleanup.h"
#include "base/fd.h"
#include "base/str.h"
#include "cli/common.h"
#include "cli/interrupt.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/wait.h>

enum { LINE_BYTES_MAX = 64 * 1024 };

struct stream {
	int fd; /* -1: ended */
	FILE *out; /* ours */
	struct strbuf line;
};

struct guest {
	const char *name;
	struct child child;
	struct stream streams[2];
};

/* The same verb for one of them. */
static void make_argv(struct strv *argv, const struct cli *cli, const char *name,
		      const struct exec_options *o)
{
	strv_add(argv, "hv");
	strv_add(argv, "-c");
	strv_add(argv, cli->paths.config);
	strv_add(argv, "exec");
	strv_add(argv, "--no-stdin");
	if (o->timeout_ms)
		strv_addf(argv, "--timeout=%llu", (unsigned long long)o->timeout_ms / 1000);
	if (o->command.user)
		strv_addf(argv, "--user=%s", o->command.user);
	for (char *const *e = o->command.env; e && *e; e++)
		strv_addf(argv, "--env=%s", *e);
	strv_add(argv, name);
	strv_add(argv, "--");
	for (char *const *a = o->command.argv; *a; a++)
		strv_add(argv, *a);
}

static int begin(struct guest *g, const struct cli *cli, const char *name,
		 const struct exec_options *options, struct error *err)
{
	cleanup_strv struct strv argv = {0};
	cleanup_close int cwd = open(".", O_PATH | O_DIRECTORY | O_CLOEXEC);
	cleanup_close int out = -1, errs = -1;
	int rc;

	g->name = name;
	g->streams[0] = (struct stream){.fd = -1, .out = stdout};
	g->streams[1] = (struct stream){.fd = -1, .out = stderr};
	make_argv(&argv, cli, name, options);
	if (argv.failed)
		return error_oom(err);
	rc = fd_pipe(&g->streams[0].fd, &out, err);
	if (rc == 0)
		rc = fd_pipe(&g->streams[1].fd, &errs, err);
	if (rc < 0)
		return rc;
	return child_spawn(
		&(struct child_spec){
			.path = "/proc/self/exe",
			.argv = argv.v,
			.env = environ,
			.stdin_fd = -1,
			.stdout_fd = out,
			.stderr_fd = errs,
			.cwd_fd = cwd,
			/* Ctrl-C is this process's, which hands it on: a second one would
			 * end them with their commands running. */
			.new_session = true,
		},
		&g->child, err);
}

static void print_line(const struct guest *g, struct stream *s, size_t len, bool ended)
{
	(void)fprintf(s->out, "%s: ", g->name);
	(void)fwrite(s->line.data, 1, len, s->out);
	if (!ended)
		(void)fputc('\n', s->out);
	(void)fflush(s->out);
	strbuf_consume(&s->line, len);
}

static void take_output(struct guest *g, struct stream *s)
{
	char chunk[16 * 1024], *end;
	ssize_t n = read(s->fd, chunk, sizeof(chunk));

	if (n < 0 && errno == EINTR)
		return;
	if (n > 0)
		strbuf_add(&s->line, chunk, (size_t)n);
	while (s->line.len && (end = memchr(s->line.data, '\n', s->line.len)))
		print_line(g, s, (size_t)(end - s->line.data) + 1, true);
	if (s->line.len && (n <= 0 || s->line.len > LINE_BYTES_MAX))
		print_line(g, s, s->line.len, false);
	if (n > 0)
		return;
	close_fd(&s->fd);
	strbuf_free(&s->line);
}

/* Each tells its command to end, and goes with it to its end. */
static void interrupt_all(struct guest *guests, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (guests[i].child.pid)
			(void)child_signal(&guests[i].child, SIGTERM, NULL);
}

static void show_all(struct guest *guests, size_t n, const volatile sig_atomic_t *interrupted)
{
	struct pollfd p[2 * EXEC_NAMES_MAX];
	sigset_t signals, waiting;
	bool told = false;
	size_t open = 1;

	/* They come while it waits, and at no other time. */
	sigemptyset(&signals);
	sigaddset(&signals, SIGINT);
	sigaddset(&signals, SIGTERM);
	sigaddset(&signals, SIGHUP);
	(void)sigprocmask(SIG_BLOCK, &signals, &waiting);
	while (open) {
		if (*interrupted && !told)
			interrupt_all(guests, n);
		told = *interrupted;
		open = 0;
		for (size_t i = 0; i < 2 * n; i++) {
			p[i] = (struct pollfd){.fd = guests[i / 2].streams[i % 2].fd,
					       .events = POLLIN};
			open += p[i].fd >= 0;
		}
		if (!open)
			break;
		if (ppoll(p, 2 * n, NULL, &waiting) < 0) {
			if (errno != EINTR)
				break;
			continue;
		}
		for (size_t i = 0; i < 2 * n; i++)
			if (p[i].fd >= 0 && p[i].revents)
				take_output(&guests[i / 2], &guests[i / 2].streams[i % 2]);
	}
	(void)sigprocmask(SIG_SETMASK, &waiting, NULL);
}

int exec_many(struct cli *cli, char *const *names, size_t n_names,
	      const struct exec_options *options, int *ret_status, struct error *err)
{
	const volatile sig_atomic_t *interrupted = cli_interrupted_once();
	struct guest guests[EXEC_NAMES_MAX] = {0};
	size_t n = 0;
	int rc = 0;

	*ret_status = 0;
	for (; rc == 0 && n < n_names; n++)
		rc = begin(&guests[n], cli, names[n], options, err);
	show_all(guests, n, interrupted);
	for (size_t i = 0; i < n; i++) {
		int status = 0, code = EXEC_FAILED;

		if (guests[i].child.pid && child_wait(&guests[i].child, -1, &status, NULL) == 0)
			code = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
		*ret_status = code > *ret_status ? code : *ret_status;
	}
	return rc;
}
