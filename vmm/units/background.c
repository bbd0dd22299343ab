/* SPDX-License-Identifier: MIT */
#include "vmm/units/background.h"

#include "base/cleanup.h"
#include "base/error.h"
#include "base/fd.h"
#include "base/title.h"
#include "vmm/names.h"
#include "vmm/ready.h"
#include "vmm/units/units.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

enum { TOLD_BYTES_MAX = 16 * 1024, LOG_BYTES_MAX = 1024 * 1024 };

/* Appends; a log that has grown is moved aside first. */
static int open_log(const struct paths *paths, enum paths_kind kind, const char *name, int *ret_fd)
{
	cleanup_close int dirfd = -1;
	struct stat st;

	if (paths_open_state(paths, kind, name, 1, &dirfd, NULL) < 0)
		return -ENOENT;
	if (fstatat(dirfd, NAME_SUPERVISOR_LOG, &st, AT_SYMLINK_NOFOLLOW) == 0 &&
	    st.st_size > LOG_BYTES_MAX)
		(void)renameat(dirfd, NAME_SUPERVISOR_LOG, dirfd, NAME_SUPERVISOR_LOG ".1");
	*ret_fd = openat(dirfd, NAME_SUPERVISOR_LOG,
			 O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NOFOLLOW, 0644);
	return *ret_fd < 0 ? -errno : 0;
}

static void build_command(const struct background_request *q, struct strv *argv, struct strv *env)
{
	strv_add(argv, "hv");
	strv_add(argv, "-c");
	strv_add(argv, q->paths->config);
	if (q->kind == PATHS_NET)
		strv_add(argv, "net");
	strv_add(argv, "run");
	if (q->option)
		strv_add(argv, q->option);
	strv_addf(argv, "--ready-fd=%d", BACKGROUND_READY_FD);
	strv_add(argv, "--");
	strv_add(argv, q->name);
	strv_addf(env, "HV_STATE=%s", q->paths->state);
	strv_addf(env, "HV_RUN=%s", q->paths->run);
	if (secure_getenv("HV_GROUP"))
		strv_addf(env, "HV_GROUP=%s", secure_getenv("HV_GROUP"));
	strv_add(env, "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin");
	strv_add(env, "LC_ALL=C.UTF-8");
}

struct called {
	const struct background_request *request;
	struct strv argv, env;
};

/* To be executed takes 3 ms, most of it for shared libraries that are here already. A process that
 * cannot be called what it is, for want of room, is executed. */
static int call_program(void *arg)
{
	struct called *c = arg;

	environ = c->env.v;
	if (!title_set(c->argv.v)) {
		(void)execve("/proc/self/exe", c->argv.v, c->env.v);
		return 127;
	}
	exit(c->request->program(c->request->program_arg, (int)c->argv.n, c->argv.v));
}

static int spawn(struct called *c, int ready_fd, struct child *ret_child, struct error *err)
{
	const struct background_request *q = c->request;
	struct units_start unit = {q->paths, q->kind, q->name, BACKGROUND_READY_FD};
	bool by_unit = units_wanted(q->paths);
	cleanup_close int log_fd = -1, cwd = -1;

	/* A unit's standard error is the journal's. */
	if (!by_unit)
		(void)open_log(q->paths, q->kind, q->name, &log_fd);
	/* The configuration's path may be relative. */
	cwd = open(".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return child_spawn(
		&(struct child_spec){
			.path = "hv run",
			.fds = &(struct child_fd){.fd = ready_fd, .target = BACKGROUND_READY_FD},
			.n_fds = 1,
			.stdin_fd = -1,
			.stdout_fd = -1,
			.stderr_fd = log_fd,
			.cwd_fd = cwd,
			.new_session = true,
			.run = by_unit ? units_start_run : call_program,
			.run_arg = by_unit ? (void *)&unit : c,
		},
		ret_child, err);
}

int background_start(const struct background_request *request, struct background *ret_background,
		     struct error *err)
{
	struct called called = {.request = request};
	cleanup_close int ready_read = -1, ready_write = -1;
	struct child child;
	int rc;

	rc = fd_pipe_watched(&ready_read, &ready_write, err);
	if (rc < 0)
		return rc;
	build_command(request, &called.argv, &called.env);
	rc = called.argv.failed || called.env.failed ? error_oom(err)
						     : spawn(&called, ready_write, &child, err);
	strv_free(&called.argv);
	strv_free(&called.env);
	if (rc < 0)
		return rc;
	*ret_background = (struct background){
		.kind = request->kind,
		.name = request->name,
		.child = child,
		.ready_fd = steal_fd(&ready_read),
	};
	return 0;
}

bool background_read(struct background *b, struct error *err)
{
	char chunk[4096];
	ssize_t n;

	while ((n = read(b->ready_fd, chunk, sizeof(chunk))) > 0)
		if (b->told.len < TOLD_BYTES_MAX)
			strbuf_add(&b->told, chunk, (size_t)n);
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return false;
	b->rc = ready_decode(b->told.data ? b->told.data : "", b->told.len, err);
	b->done = true;
	close_fd(&b->ready_fd);
	return true;
}

void background_free(struct background *b)
{
	close_fd(&b->ready_fd);
	close_fd(&b->child.pidfd);
	strbuf_free(&b->told);
}
