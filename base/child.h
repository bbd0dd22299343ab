/* SPDX-License-Identifier: MIT */
/*
 * Child processes: the one place that forks, and the one that lets a
 * descriptor survive exec.
 *
 * A child gets exactly the descriptors of its map and nothing else; the rest
 * is closed by close_range(). That exec succeeded is known when child_spawn()
 * returns.
 */
#ifndef HV_BASE_CHILD_H
#define HV_BASE_CHILD_H

#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct error;

struct child_fd {
	int fd; /* the parent's descriptor; stays the parent's */
	int target; /* its number in the child, 3 or more, each used once */
};

struct child_spec {
	const char *path; /* absolute path of the program; a name where run is set */
	char *const *argv;
	char *const *env; /* NULL: an empty environment */
	const struct child_fd *fds;
	size_t n_fds;
	int stdin_fd, stdout_fd, stderr_fd; /* -1: /dev/null */
	int cwd_fd; /* folder to start in; -1: "/" */
	bool new_session; /* setsid() */
	/* CLONE_NEW… for namespaces of its own; CLONE_INTO_CGROUP with cgroup_fd. */
	uint64_t clone_flags;
	int cgroup_fd;
	/* The number of the report socket (see child_hand_over()) while confine runs;
	 * 0: the first one above all targets. */
	int report_target;
	/*
	 * Both run in the child and do only async-signal-safe work: enter first of all,
	 * while every descriptor of the parent is still there and in its place, and
	 * confine after the descriptors of the map are in theirs, as the last before
	 * exec. They return 0 or -errno and set *ret_what to a static text of what failed.
	 */
	int (*enter)(void *arg, int report_fd, const char **ret_what);
	int (*confine)(void *arg, int report_fd, const char **ret_what);
	/*
	 * Both run in the parent while the child is on its way: attend (may be NULL)
	 * returns when report_fd is readable, and does until then what the child waits
	 * for; take gets what the child handed over, which is its own.
	 */
	void (*attend)(void *arg, int report_fd);
	void (*take)(void *arg, const char *what, int fd);
	void *hook_arg;
	/* Instead of a program: the child, a copy of this process with nothing but
	 * the descriptors of its map, calls it and exits with what it returns.
	 * path then is only its name in messages. */
	int (*run)(void *arg);
	void *run_arg;
};

struct child {
	pid_t pid; /* 0: none */
	int pidfd; /* -1: none; readable when the process has ended */
};

#define CHILD_INIT                    \
	{                             \
		.pid = 0, .pidfd = -1 \
	}

int child_spawn(const struct child_spec *spec, struct child *ret_child, struct error *err);

/* For enter and confine: gives the parent's take a descriptor, which stays open here,
 * under a name of at most 59 bytes. 0 or -errno. */
int child_hand_over(int report_fd, const char *what, int fd);

/* Sends a signal by pidfd; a process that is gone is success. */
int child_signal(const struct child *c, int sig, struct error *err);

/* Waits until the child ended and reaps it. timeout_ms < 0: for ever.
 * -ETIMEDOUT leaves it running. ret_status (may be NULL) is as waitpid()'s.
 * After success *c is CHILD_INIT. */
int child_wait(struct child *c, int timeout_ms, int *ret_status, struct error *err);

/* SIGKILL and reap; for cleanup paths. Accepts CHILD_INIT. */
void child_destroy(struct child *c);

/* "exited with status 1", "was killed by SIGSEGV": for messages. */
void child_describe_status(char *buf, size_t size, int status);

/*
 * Runs a program to its end with at most 64 KiB of its output kept. A non-zero
 * exit is -EPROTO with the last line it said on standard error. fds may hand
 * it descriptors as above. ret_stdout may be NULL.
 */
int child_run(const char *path, char *const *argv, const struct child_fd *fds, size_t n_fds,
	      int timeout_ms, char **ret_stdout, struct error *err);

/* Somebody who looks on while a program runs. */
struct child_watch {
	void (*said)(void *arg, const char *data, size_t len); /* on standard output; may be NULL */
	const volatile sig_atomic_t *stop; /* set by a signal: it is killed; NULL: never */
	void *arg;
};

/* The same for one that takes its time: without a limit, and killed where this process ends before
 * it does. -ECANCELED where it was to stop. */
int child_run_watched(const char *path, char *const *argv, const struct child_watch *watch,
		      struct error *err);

/* The start time of a process in clock ticks since boot (field 22 of
 * /proc/PID/stat), which together with the pid names it for good. */
int child_start_time(pid_t pid, unsigned long long *ret_ticks, struct error *err);

/* Takes hold of a running process that somebody else may have started, by pid
 * and start time; -ESRCH where it is gone or the pid belongs to another now.
 * child_wait() then tells the end, but no status (0). */
int child_adopt(pid_t pid, unsigned long long start_ticks, struct child *ret_child,
		struct error *err);

/* Whether it has ended or can only end: it exits, or SIGKILL waits for it. Until such
 * a process has gone its sockets may still seem to be there. */
bool child_is_ending(const struct child *c);

static inline void cleanup_child_fn(struct child *c)
{
	child_destroy(c);
}
/* Kills and reaps what is still held at the end of the scope. */
#define cleanup_child __attribute__((cleanup(cleanup_child_fn)))

#endif
