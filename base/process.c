/* SPDX-License-Identifier: MIT */
/* Programs run to their end, and processes that are not ours, of base/child.h. */
#include "base/child.h"

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/error.h"
#include "base/fd.h"
#include "base/file.h"
#include "base/str.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { OUTPUT_MAX = 64 * 1024 };

/* Reads once; false at the end of the stream. Beyond the bound it is read and
 * thrown away, so that the writer never blocks. */
static bool drain(int fd, struct strbuf *into, bool keep_end)
{
	char chunk[4096];
	ssize_t n = read(fd, chunk, sizeof(chunk));

	if (n < 0)
		return errno == EINTR || errno == EAGAIN;
	if (n > 0 && keep_end) {
		/* Twice the bound, so that not each chunk moves all of it. */
		if (into->len >= 2 * OUTPUT_MAX)
			strbuf_consume(into, into->len - OUTPUT_MAX);
		strbuf_add(into, chunk, (size_t)n);
	} else if (n > 0) {
		size_t room = OUTPUT_MAX - into->len;

		strbuf_add(into, chunk, (size_t)n < room ? (size_t)n : room);
	}
	return n > 0;
}

static bool is_stopped(const struct child_watch *watch)
{
	return watch && watch->stop && *watch->stop;
}

/* As poll(), but a signal that comes after the last look at stop is not missed. */
static int wait_for(struct pollfd p[static 2], int ms, const struct child_watch *watch)
{
	const struct timespec ts = {.tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000L};
	sigset_t held, before;
	int rc;

	if (!watch || !watch->stop)
		return poll(p, 2, ms);
	sigemptyset(&held);
	sigaddset(&held, SIGINT);
	sigaddset(&held, SIGTERM);
	sigaddset(&held, SIGHUP);
	(void)sigprocmask(SIG_BLOCK, &held, &before);
	rc = is_stopped(watch) ? 0 : ppoll(p, 2, ms < 0 ? NULL : &ts, &before);
	(void)sigprocmask(SIG_SETMASK, &before, NULL);
	return rc;
}

/* Collects both streams until both end or the time is up: the beginning of the
 * one, and the end of the other, where the reason of a failure stands. */
static int collect(int out_fd, int err_fd, int timeout_ms, const struct child_watch *watch,
		   struct strbuf *out, struct strbuf *errors)
{
	struct pollfd p[2] = {{.fd = out_fd, .events = POLLIN}, {.fd = err_fd, .events = POLLIN}};
	int64_t deadline = (int64_t)(clock_now_usec() / 1000) + timeout_ms;

	while (p[0].fd >= 0 || p[1].fd >= 0) {
		int64_t left = deadline - (int64_t)(clock_now_usec() / 1000);
		int rc;

		if (timeout_ms >= 0 && left <= 0)
			return -ETIMEDOUT;
		rc = wait_for(p, timeout_ms < 0 ? -1 : (int)left, watch);
		if (rc < 0 && errno != EINTR)
			return -errno;
		if (is_stopped(watch))
			return -ECANCELED;
		if (rc <= 0)
			continue;
		if (p[0].revents && !drain(out_fd, out, false))
			p[0].fd = -1;
		if (watch && watch->said && out->len)
			watch->said(watch->arg, out->data, out->len);
		if (watch)
			strbuf_consume(out, out->len);
		if (p[1].revents && !drain(err_fd, errors, true))
			p[1].fd = -1;
	}
	return 0;
}

/* The last line that is not empty, made printable. */
static char *last_line(const struct strbuf *text)
{
	cleanup_strbuf struct strbuf line = {0};
	size_t end = text->len, start;

	while (end && (text->data[end - 1] == '\n' || text->data[end - 1] == '\r'))
		end--;
	for (start = end; start && text->data[start - 1] != '\n';)
		start--;
	if (end > start)
		strbuf_add_printable(&line, text->data + start, end - start, false);
	return strbuf_steal(&line);
}

/* A program that nobody waits for any more would go on with its work. */
static int die_with_parent(void *arg, int report_fd, const char **ret_what)
{
	(void)arg, (void)report_fd;
	*ret_what = "die with its maker";
	return prctl(PR_SET_PDEATHSIG, SIGKILL) < 0 ? -errno : 0;
}

static int run(const char *path, char *const *argv, const struct child_fd *fds, size_t n_fds,
	       int timeout_ms, const struct child_watch *watch, char **ret_stdout,
	       struct error *err)
{
	cleanup_close int out_read = -1, out_write = -1, err_read = -1, err_write = -1;
	cleanup_strbuf struct strbuf out = {0}, errors = {0};
	static char *const env[] = {(char *)"LC_ALL=C.UTF-8",
				    (char *)"PATH=/usr/sbin:/usr/bin:/sbin:/bin", NULL};
	struct child child = CHILD_INIT;
	char described[64];
	int status, rc;

	rc = fd_pipe(&out_read, &out_write, err);
	if (rc == 0)
		rc = fd_pipe(&err_read, &err_write, err);
	if (rc < 0)
		return rc;
	rc = child_spawn(
		&(struct child_spec){
			.path = path,
			.argv = argv,
			.env = env,
			.fds = fds,
			.n_fds = n_fds,
			.stdin_fd = -1,
			.stdout_fd = out_write,
			.stderr_fd = err_write,
			.cwd_fd = -1,
			.confine = watch ? die_with_parent : NULL,
		},
		&child, err);
	if (rc < 0)
		return rc;
	close_fd(&out_write);
	close_fd(&err_write);
	rc = collect(out_read, err_read, timeout_ms, watch, &out, &errors);
	if (rc == 0)
		rc = child_wait(&child, timeout_ms, &status, NULL);
	/* A terminal interrupts it, too, and its words of that are not the reason. */
	if (rc == -ECANCELED || is_stopped(watch)) {
		child_destroy(&child);
		return error_set(err, ECANCELED, "interrupted");
	}
	if (rc < 0) {
		child_destroy(&child);
		return error_set(err, -rc, "'%s' did not end within %d ms", path, timeout_ms);
	}
	if (!WIFEXITED(status) || WEXITSTATUS(status)) {
		cleanup_free char *said = last_line(&errors);

		child_describe_status(described, sizeof(described), status);
		return error_set(err, EPROTO, "'%s' %s%s%s", path, described,
				 said && *said ? ": " : "", said ? said : "");
	}
	if (out.failed)
		return error_oom(err);
	if (ret_stdout) {
		*ret_stdout = strbuf_steal(&out);
		if (!*ret_stdout)
			return error_oom(err);
	}
	return 0;
}

int child_run(const char *path, char *const *argv, const struct child_fd *fds, size_t n_fds,
	      int timeout_ms, char **ret_stdout, struct error *err)
{
	return run(path, argv, fds, n_fds, timeout_ms, NULL, ret_stdout, err);
}

int child_run_watched(const char *path, char *const *argv, const struct child_watch *watch,
		      struct error *err)
{
	return run(path, argv, NULL, 0, -1, watch, NULL, err);
}

/* The text from a field of /proc/PID/stat on, counted from 3; NULL where there is
 * none. */
static const char *find_field(const char *stat, int wanted)
{
	/* The name in field 2 may hold anything, ')' too: fields count from the
	 * last one. */
	const char *p = strrchr(stat, ')');

	for (int field = 2; p && field < wanted; field++)
		p = strchr(p + 1, ' ');
	return p ? p + 1 : NULL;
}

int child_start_time(pid_t pid, unsigned long long *ret_ticks, struct error *err)
{
	cleanup_free char *text = NULL;
	char path[32];
	const char *field;
	char *end;
	int rc;

	(void)str_format(path, sizeof(path), "/proc/%d/stat", (int)pid);
	rc = file_read(AT_FDCWD, path, 4096, &text, NULL, err);
	if (rc < 0)
		return rc;
	field = find_field(text, 22);
	if (!field)
		return error_set(err, EPROTO, "'%s' is not as expected", path);
	errno = 0;
	*ret_ticks = strtoull(field, &end, 10);
	if (errno || end == field)
		return error_set(err, EPROTO, "'%s' is not as expected", path);
	return 0;
}

/* Bit 8 of a mask of signals in /proc/PID/status. */
static bool waits_for_kill(const char *status, const char *key)
{
	const char *line = strstr(status, key);

	return line && strtoull(line + strlen(key), NULL, 16) & 1ULL << (SIGKILL - 1);
}

bool child_is_ending(const struct child *c)
{
	enum { STATE = 3, FLAGS = 9, PF_EXITING = 4 };
	cleanup_free char *stat = NULL, *status = NULL;
	struct pollfd p = {.fd = c->pidfd, .events = POLLIN};
	const char *state, *flags;
	char path[32];
	bool ending;

	(void)str_format(path, sizeof(path), "/proc/%d/stat", (int)c->pid);
	if (file_read(AT_FDCWD, path, 4096, &stat, NULL, NULL) < 0)
		return true;
	(void)str_format(path, sizeof(path), "/proc/%d/status", (int)c->pid);
	if (file_read(AT_FDCWD, path, 16384, &status, NULL, NULL) < 0)
		return true;
	state = find_field(stat, STATE);
	flags = find_field(stat, FLAGS);
	ending = (state && strchr("ZX", *state)) ||
		 (flags && strtoul(flags, NULL, 10) & PF_EXITING) ||
		 waits_for_kill(status, "\nSigPnd:\t") || waits_for_kill(status, "\nShdPnd:\t");
	/* Asked last: while it is not over, the number was its own. */
	return poll(&p, 1, 0) > 0 || ending;
}

int child_adopt(pid_t pid, unsigned long long start_ticks, struct child *ret_child,
		struct error *err)
{
	cleanup_close int pidfd = -1;
	unsigned long long now_ticks;
	int rc;

	if (pid <= 0)
		return error_set(err, ESRCH, "no process");
	pidfd = (int)syscall(SYS_pidfd_open, pid, 0);
	/* The number may be that of a thread of another process by now. */
	if (pidfd < 0)
		return error_errno(err, errno == EINVAL || errno == ENOENT ? ESRCH : errno,
				   "process %d", (int)pid);
	/* The pidfd is taken first: the number cannot be reused behind it. */
	rc = child_start_time(pid, &now_ticks, err);
	if (rc == -ENOENT || rc == -ESRCH)
		return error_set(err, ESRCH, "process %d is gone", (int)pid);
	if (rc < 0)
		return rc;
	if (now_ticks != start_ticks)
		return error_set(err, ESRCH, "process %d is another one now", (int)pid);
	*ret_child = (struct child){.pid = pid, .pidfd = steal_fd(&pidfd)};
	return 0;
}
