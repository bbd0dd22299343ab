/* SPDX-License-Identifier: MIT */
/*
 * Theory of operation
 *
 * child_spawn() forks with clone(CLONE_PIDFD), so the pidfd exists before the
 * child can end and no pid is ever guessed. The child puts its descriptors in
 * place in three moves: every source is duplicated above all targets, targets
 * are made from the duplicates, and close_range() ends the rest. A pipe that
 * closes on exec carries the errno and the step that failed back, so the parent
 * knows on return that the program runs.
 */
#include "base/child.h"

#include "base/cleanup.h"
#include "base/error.h"
#include "base/str.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/close_range.h>
#include <linux/sched.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

struct spawn_report {
	int code; /* errno */
	char what[60]; /* the step that failed */
};

static _Noreturn void child_fail(int report_fd, const char *what, int code)
{
	struct spawn_report report = {.code = code};
	ssize_t n;

	strncpy(report.what, what, sizeof(report.what) - 1);
	n = write(report_fd, &report, sizeof(report));
	_exit(n < 0 ? 126 : 127);
}

/* The child's descriptors: 0, 1, 2, those of the map, and the report pipe,
 * which ends up at *report_fd, the first number above all targets. */
static void child_place_fds(const struct child_spec *spec, int *report_fd)
{
	int std[3] = {spec->stdin_fd, spec->stdout_fd, spec->stderr_fd};
	int top = 3, null_fd, high;
	int moved[128];

	if (spec->n_fds > ARRAY_SIZE(moved))
		child_fail(*report_fd, "too many descriptors", E2BIG);
	for (size_t i = 0; i < spec->n_fds; i++)
		if (spec->fds[i].target >= top)
			top = spec->fds[i].target + 1;

	high = fcntl(*report_fd, F_DUPFD_CLOEXEC, top);
	if (high < 0)
		child_fail(*report_fd, "move descriptors", errno);
	*report_fd = high;
	null_fd = open("/dev/null", O_RDWR | O_CLOEXEC);
	if (null_fd < 0)
		child_fail(high, "open /dev/null", errno);
	for (size_t i = 0; i < spec->n_fds; i++) {
		moved[i] = fcntl(spec->fds[i].fd, F_DUPFD_CLOEXEC, high + 1);
		if (moved[i] < 0)
			child_fail(high, "move descriptors", errno);
	}
	for (int i = 0; i < 3; i++) {
		std[i] = fcntl(std[i] >= 0 ? std[i] : null_fd, F_DUPFD_CLOEXEC, high + 1);
		if (std[i] < 0)
			child_fail(high, "move standard streams", errno);
	}
	for (int i = 0; i < 3; i++)
		if (dup2(std[i], i) < 0)
			child_fail(high, "place standard streams", errno);
	/* Whatever else sits below the report pipe is the parent's. */
	if (high > 3)
		(void)close_range(3, (unsigned)high - 1, 0);
	for (size_t i = 0; i < spec->n_fds; i++)
		if (dup2(moved[i], spec->fds[i].target) < 0)
			child_fail(high, "place descriptors", errno);
	if (close_range((unsigned)high + 1, ~0U, 0) < 0)
		child_fail(high, "close descriptors", errno);
}

static _Noreturn void child_main(const struct child_spec *spec, int report_fd)
{
	static char *const no_env[] = {NULL};
	const char *what = "confine";
	sigset_t none;
	int rc;

	/* Signals as a program expects them. */
	for (int sig = 1; sig < NSIG; sig++)
		(void)signal(sig, SIG_DFL);
	sigemptyset(&none);
	(void)sigprocmask(SIG_SETMASK, &none, NULL);

	/* Before descriptors are placed: cwd_fd is one of the parent's. */
	if (spec->cwd_fd >= 0 ? fchdir(spec->cwd_fd) : chdir("/"))
		child_fail(report_fd, "change folder", errno);
	child_place_fds(spec, &report_fd);
	if (spec->new_session && setsid() < 0)
		child_fail(report_fd, "new session", errno);
	if (spec->confine) {
		rc = spec->confine(spec->confine_arg, &what);
		if (rc < 0)
			child_fail(report_fd, what, -rc);
	}
	if (spec->run) {
		(void)close(report_fd);
		_exit(spec->run(spec->run_arg));
	}
	execve(spec->path, spec->argv, spec->env ? spec->env : no_env);
	child_fail(report_fd, "exec", errno);
}

static pid_t clone_with_pidfd(int *ret_pidfd)
{
	/* Not clone3: a unit with RestrictNamespaces= answers that with ENOSYS, for
	 * no filter sees its flags. The third argument is the pidfd's place on
	 * every architecture that host_arch() knows. */
	return (pid_t)syscall(SYS_clone, (unsigned long)(CLONE_PIDFD | SIGCHLD), 0UL, ret_pidfd,
			      0UL, 0UL);
}

int child_spawn(const struct child_spec *spec, struct child *ret_child, struct error *err)
{
	cleanup_close int report_read = -1, report_write = -1;
	struct child child = CHILD_INIT;
	struct spawn_report report;
	int pipe_fds[2];
	ssize_t n;

	if (pipe2(pipe_fds, O_CLOEXEC) < 0)
		return error_errno(err, errno, "start '%s': pipe", spec->path);
	report_read = pipe_fds[0];
	report_write = pipe_fds[1];
	child.pid = clone_with_pidfd(&child.pidfd);
	if (child.pid < 0)
		return error_errno(err, errno, "start '%s': clone", spec->path);
	if (child.pid == 0)
		child_main(spec, report_write);

	close_fd(&report_write);
	do
		n = read(report_read, &report, sizeof(report));
	while (n < 0 && errno == EINTR);
	if (n == 0) {
		*ret_child = child;
		return 0;
	}
	child_destroy(&child);
	if (n != sizeof(report))
		return error_set(err, EPROTO, "start '%s': it ended before exec", spec->path);
	report.what[sizeof(report.what) - 1] = '\0';
	return error_errno(err, report.code, "start '%s': %s", spec->path, report.what);
}

int child_signal(const struct child *c, int sig, struct error *err)
{
	if (c->pidfd < 0)
		return 0;
	if (syscall(SYS_pidfd_send_signal, c->pidfd, sig, NULL, 0) < 0 && errno != ESRCH)
		return error_errno(err, errno, "signal %d to process %d", sig, (int)c->pid);
	return 0;
}

int child_wait(struct child *c, int timeout_ms, int *ret_status, struct error *err)
{
	struct pollfd p = {.fd = c->pidfd, .events = POLLIN};
	siginfo_t info = {0};
	int status = 0, rc;

	if (c->pidfd < 0)
		return error_set(err, ECHILD, "wait: no process");
	do
		rc = poll(&p, 1, timeout_ms);
	while (rc < 0 && errno == EINTR);
	if (rc < 0)
		return error_errno(err, errno, "wait for process %d", (int)c->pid);
	if (rc == 0)
		return error_set(err, ETIMEDOUT, "process %d still runs", (int)c->pid);
	/* ECHILD: it is not a child of ours, its end is all there is to know. */
	do
		rc = waitid(P_PIDFD, (id_t)c->pidfd, &info, WEXITED);
	while (rc < 0 && errno == EINTR);
	if (rc == 0)
		status = info.si_code == CLD_EXITED
				 ? info.si_status << 8
				 : info.si_status | (info.si_code == CLD_DUMPED ? 0x80 : 0);
	close_fd(&c->pidfd);
	c->pid = 0;
	if (ret_status)
		*ret_status = status;
	return 0;
}

void child_destroy(struct child *c)
{
	if (c->pidfd < 0)
		return;
	(void)child_signal(c, SIGKILL, NULL);
	(void)child_wait(c, -1, NULL, NULL);
}

void child_describe_status(char *buf, size_t size, int status)
{
	if (WIFEXITED(status))
		(void)str_format(buf, size, "exited with status %d", WEXITSTATUS(status));
	else if (WIFSIGNALED(status))
		(void)str_format(buf, size, "was killed by SIG%s",
				 sigabbrev_np(WTERMSIG(status)) ? sigabbrev_np(WTERMSIG(status))
								: "?");
	else
		(void)str_format(buf, size, "ended with status 0x%x", (unsigned)status);
}
