/* SPDX-License-Identifier: MIT */
/*
 * Theory of operation
 *
 * child_spawn() forks with clone(CLONE_PIDFD), so the pidfd exists before the
 * child can end and no pid is ever guessed. The child puts its descriptors in
 * place in three moves: every source is duplicated above all targets, targets
 * are made from the duplicates, and close_range() ends the rest. A socket that
 * closes on exec carries the errno and the step that failed back, so the parent
 * knows on return that the program runs. What the child makes on its way and the
 * parent is to hold (a namespace, a listener) comes by the same socket.
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
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

struct spawn_report {
	int code; /* errno; 0: a descriptor comes along */
	char what[60]; /* the step that failed, or what the descriptor is */
};

static _Noreturn void child_fail(int report_fd, const char *what, int code)
{
	struct spawn_report report = {.code = code};
	ssize_t n;

	strncpy(report.what, what, sizeof(report.what) - 1);
	n = write(report_fd, &report, sizeof(report));
	_exit(n < 0 ? 126 : 127);
}

int child_hand_over(int report_fd, const char *what, int fd)
{
	struct spawn_report report = {.code = 0};
	struct iovec iov = {.iov_base = &report, .iov_len = sizeof(report)};
	union {
		struct cmsghdr header;
		char space[CMSG_SPACE(sizeof(int))];
	} control = {.space = {0}};
	struct msghdr msg = {
		.msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = &control,
		.msg_controllen = sizeof(control),
	};
	struct cmsghdr *c = CMSG_FIRSTHDR(&msg);

	strncpy(report.what, what, sizeof(report.what) - 1);
	c->cmsg_level = SOL_SOCKET;
	c->cmsg_type = SCM_RIGHTS;
	c->cmsg_len = CMSG_LEN(sizeof(int));
	memcpy(CMSG_DATA(c), &fd, sizeof(int));
	return sendmsg(report_fd, &msg, MSG_NOSIGNAL) < 0 ? -errno : 0;
}

/* The child's descriptors: 0, 1, 2, those of the map, and the report socket,
 * which ends up at *report_fd, above all targets. */
static void child_place_fds(const struct child_spec *spec, int null_fd, int *report_fd)
{
	int std[3] = {spec->stdin_fd, spec->stdout_fd, spec->stderr_fd};
	int top = spec->report_target > 3 ? spec->report_target : 3, high;
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
	/* Whatever else sits below the report socket is the parent's. */
	if (high > 3)
		(void)close_range(3, (unsigned)high - 1, 0);
	for (size_t i = 0; i < spec->n_fds; i++)
		if (dup2(moved[i], spec->fds[i].target) < 0)
			child_fail(high, "place descriptors", errno);
	if (close_range((unsigned)high + 1, ~0U, 0) < 0)
		child_fail(high, "close descriptors", errno);
	/* Something of the parent's was in the place of the report socket. */
	if (high != top && spec->report_target == top) {
		if (dup3(high, top, O_CLOEXEC) < 0)
			child_fail(high, "place descriptors", errno);
		(void)close(high);
		*report_fd = top;
	}
}

/* Signals as a program expects them. */
static void child_reset_signals(void)
{
	sigset_t none;

	for (int sig = 1; sig < NSIG; sig++)
		(void)signal(sig, SIG_DFL);
	sigemptyset(&none);
	(void)sigprocmask(SIG_SETMASK, &none, NULL);
}

static bool child_join_group(int cgroup_fd)
{
	int fd = openat(cgroup_fd, "cgroup.procs", O_WRONLY | O_CLOEXEC);
	bool joined = fd >= 0 && write(fd, "0", 1) == 1;

	if (fd >= 0)
		(void)close(fd);
	return joined;
}

/* Not before it has joined: where control groups are delegated by namespace, the kernel
 * does not let a process out of the part that its own shows. */
static bool child_leave_group_namespace(const struct child_spec *spec)
{
	return !(spec->clone_flags & CLONE_NEWCGROUP) || unshare(CLONE_NEWCGROUP) == 0;
}

static _Noreturn void child_main(const struct child_spec *spec, bool join, int report_fd)
{
	static char *const no_env[] = {NULL};
	const char *what = "confine";
	int null_fd, rc;

	child_reset_signals();
	if (join && !child_join_group(spec->cgroup_fd))
		child_fail(report_fd, "join its control group", errno);
	if (join && !child_leave_group_namespace(spec))
		child_fail(report_fd, "make a control group namespace", errno);
	/* While there is a /dev; and before descriptors are placed, for cwd_fd is one
	 * of the parent's. */
	null_fd = open("/dev/null", O_RDWR | O_CLOEXEC);
	if (null_fd < 0)
		child_fail(report_fd, "open /dev/null", errno);
	if (spec->cwd_fd >= 0 ? fchdir(spec->cwd_fd) : chdir("/"))
		child_fail(report_fd, "change folder", errno);
	if (spec->enter) {
		rc = spec->enter(spec->hook_arg, report_fd, &what);
		if (rc < 0)
			child_fail(report_fd, what, -rc);
	}
	child_place_fds(spec, null_fd, &report_fd);
	if (spec->new_session && setsid() < 0)
		child_fail(report_fd, "new session", errno);
	if (spec->confine) {
		rc = spec->confine(spec->hook_arg, report_fd, &what);
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

static pid_t clone_child(const struct child_spec *spec, int *ret_pidfd, bool *ret_join)
{
	uint64_t flags = spec->clone_flags & ~CLONE_INTO_CGROUP;
	struct clone_args args = {
		.flags = CLONE_PIDFD | spec->clone_flags,
		.pidfd = (uint64_t)(uintptr_t)ret_pidfd,
		.exit_signal = SIGCHLD,
		.cgroup = (uint64_t)spec->cgroup_fd,
	};
	pid_t pid;

	*ret_join = false;
	if (spec->clone_flags & CLONE_INTO_CGROUP) {
		pid = (pid_t)syscall(SYS_clone3, &args, sizeof(args));
		if (pid >= 0 || errno != ENOSYS)
			return pid;
		*ret_join = true;
		flags &= ~(uint64_t)CLONE_NEWCGROUP;
	}
	/* A unit with RestrictNamespaces= answers clone3 with ENOSYS, for no filter sees
	 * its flags. The third argument is the pidfd's place on every architecture that
	 * host_arch() knows. */
	return (pid_t)syscall(SYS_clone, (unsigned long)(flags | CLONE_PIDFD | SIGCHLD), 0UL,
			      ret_pidfd, 0UL, 0UL);
}

/* One report; the descriptor that came along, if any, is the caller's. Returns what
 * recvmsg() does. */
static ssize_t receive_report(int report_fd, struct spawn_report *ret_report, int *ret_fd)
{
	struct iovec iov = {.iov_base = ret_report, .iov_len = sizeof(*ret_report)};
	union {
		struct cmsghdr header;
		char space[CMSG_SPACE(sizeof(int))];
	} control;
	struct msghdr msg = {
		.msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = &control,
		.msg_controllen = sizeof(control),
	};
	struct cmsghdr *c;
	ssize_t n;

	*ret_fd = -1;
	do
		n = recvmsg(report_fd, &msg, MSG_CMSG_CLOEXEC);
	while (n < 0 && errno == EINTR);
	c = n > 0 ? CMSG_FIRSTHDR(&msg) : NULL;
	if (c && c->cmsg_type == SCM_RIGHTS && c->cmsg_len == CMSG_LEN(sizeof(int)))
		memcpy(ret_fd, CMSG_DATA(c), sizeof(int));
	return n;
}

/* Until exec or the report of a failure: 0 at the end of what the child says, else
 * the report's size. */
static ssize_t attend_child(const struct child_spec *spec, int report_fd,
			    struct spawn_report *ret_report)
{
	ssize_t n;
	int fd;

	for (;;) {
		if (spec->attend)
			spec->attend(spec->hook_arg, report_fd);
		n = receive_report(report_fd, ret_report, &fd);
		if (fd < 0)
			return n;
		ret_report->what[sizeof(ret_report->what) - 1] = '\0';
		if (spec->take)
			spec->take(spec->hook_arg, ret_report->what, fd);
		else
			(void)close(fd);
	}
}

int child_spawn(const struct child_spec *spec, struct child *ret_child, struct error *err)
{
	cleanup_close int report_read = -1, report_write = -1;
	struct child child = CHILD_INIT;
	struct spawn_report report;
	bool join;
	int pair[2];
	ssize_t n;

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
		return error_errno(err, errno, "start '%s': socketpair", spec->path);
	report_read = pair[0];
	report_write = pair[1];
	child.pid = clone_child(spec, &child.pidfd, &join);
	if (child.pid < 0)
		return error_errno(err, errno, "start '%s': clone", spec->path);
	if (child.pid == 0)
		child_main(spec, join, report_write);

	close_fd(&report_write);
	n = attend_child(spec, report_read, &report);
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
