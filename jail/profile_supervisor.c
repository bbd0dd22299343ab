/* SPDX-License-Identifier: MIT */
/*
 * The part of a supervisor that reads what strangers say: an event loop on descriptors
 * that it was given. It opens nothing, makes no socket, starts nothing; what it needs
 * it asks of its parent. Nothing here is for the start, for it is no program that is
 * loaded: the process exists already.
 */
#include "jail/profile_rows.h"

#include <fcntl.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>

static const struct jail_row rows[] = {
	/* The event loop. */
	ROW_MARGIN(JAIL_STEADY, "epoll_create1", "the event loop"),
	ROW_MARGIN(JAIL_STEADY, "epoll_ctl", "the event loop"),
	ROW_ON(JAIL_X86_64, JAIL_STEADY, "epoll_wait", "the event loop"),
	ROW_MARGIN(JAIL_STEADY, "epoll_pwait", "the event loop"),
	ROW_MARGIN(JAIL_STEADY, "epoll_pwait2", "the event loop"),
	ROW_MARGIN(JAIL_STEADY, "timerfd_create", "deadlines"),
	ROW_MARGIN(JAIL_STEADY, "timerfd_settime", "deadlines"),
	ROW_MARGIN(JAIL_STEADY, "signalfd4", "signals by the event loop"),
	ROW_MARGIN(JAIL_STEADY, "eventfd2", "the event loop"),
	ROW_MARGIN(JAIL_STEADY, "poll", "a single descriptor"),
	ROW_MARGIN(JAIL_STEADY, "ppoll", "a single descriptor"),
	ROW_MARGIN(JAIL_STEADY, "restart_syscall", "a wait that SIGSTOP interrupted"),
	ROW_MARGIN(JAIL_STEADY, "rt_sigprocmask", "signals by the event loop"),
	ROW_MARGIN(JAIL_STEADY, "rt_sigaction", "signals by the event loop"),
	ROW_MARGIN(JAIL_STEADY, "rt_sigreturn", "signals"),
	ROW_MARGIN(JAIL_STEADY, "clock_gettime", "where the vDSO has no clock"),
	ROW_MARGIN(JAIL_STEADY, "gettimeofday", "where the vDSO has no clock"),

	/* Descriptors that it was given, and what comes by them. */
	ROW_MARGIN(JAIL_STEADY, "read", "sockets, pipes, signals, deadlines"),
	ROW_MARGIN(JAIL_STEADY, "readv", "sockets, pipes"),
	ROW_MARGIN(JAIL_STEADY, "write", "sockets, its log"),
	ROW_MARGIN(JAIL_STEADY, "writev", "sockets, its log"),
	ROW_MARGIN(JAIL_STEADY, "recvmsg", "clients, QEMU, its parent"),
	ROW_MARGIN(JAIL_STEADY, "recvfrom", "clients, QEMU"),
	ROW_MARGIN(JAIL_STEADY, "sendmsg", "clients, QEMU, its parent"),
	ROW_MARGIN(JAIL_STEADY, "sendto", "clients, QEMU"),
	ROW_MARGIN(JAIL_STEADY, "accept4", "clients"),
	ROW_MARGIN(JAIL_STEADY, "shutdown", "clients"),
	ROW_MARGIN(JAIL_STEADY, "getsockopt", "who a client is"),
	ROW_MARGIN(JAIL_STEADY, "setsockopt", "sizes of buffers"),
	ROW_MARGIN(JAIL_STEADY, "getsockname", "what a socket is"),
	ROW_MARGIN(JAIL_STEADY, "getpeername", "what a socket is"),
	ROW_MARGIN(JAIL_STEADY, "close", "clients that go"),
	ROW_IF_MARGIN(JAIL_STEADY, "fcntl", 1, F_GETFL, "makes a socket non-blocking"),
	ROW_IF_MARGIN(JAIL_STEADY, "fcntl", 1, F_SETFL, "makes a socket non-blocking"),
	ROW_IF_MARGIN(JAIL_STEADY, "fcntl", 1, F_GETFD, "what an event source is"),
	ROW_IF_MARGIN(JAIL_STEADY, "fcntl", 1, F_SETFD, "descriptors that come by a socket"),
	ROW_IF_MARGIN(JAIL_STEADY, "fcntl", 1, F_DUPFD_CLOEXEC, "a descriptor for two"),
	ROW_IF_MARGIN(JAIL_STEADY, "ioctl", 1, FIONREAD, "how much there is to read"),
	ROW_IF_MARGIN(JAIL_STEADY, "ioctl", 1, TCGETS, "whether its log is a terminal"),
	ROW_MARGIN(JAIL_STEADY, "newfstatat", "what an event source is"),
	ROW_MARGIN(JAIL_STEADY, "fstat", "what an event source is, by later C libraries"),
	ROW_MARGIN(JAIL_STEADY, "fstatfs", "whether a file system has space again"),
	ROW_MARGIN(JAIL_STEADY, "lseek", "files that it was given"),
	ROW_MARGIN(JAIL_STEADY, "pread64", "files that it was given"),

	/* Memory, and what a C library does by itself. */
	ROW_MARGIN(JAIL_STEADY, "brk", "the heap"),
	ROW_BITS(JAIL_STEADY, "mmap", 2, PROT_EXEC, 0, "the heap"),
	ROW_MARGIN(JAIL_STEADY, "munmap", "the heap"),
	ROW_MARGIN(JAIL_STEADY, "mremap", "a large block that grows"),
	ROW_BITS(JAIL_STEADY, "mprotect", 2, PROT_EXEC, 0, "the heap"),
	ROW_MARGIN(JAIL_STEADY, "madvise", "gives memory back"),
	ROW_MARGIN(JAIL_STEADY, "futex", "locks of libraries"),
	ROW_MARGIN(JAIL_STEADY, "getrandom", "seeds of hashes"),
	ROW_MARGIN(JAIL_STEADY, "getpid", "whether it was forked, and its log"),
	ROW_MARGIN(JAIL_STEADY, "gettid", "whether it was forked"),
	ROW_MARGIN(JAIL_STEADY, "getuid", "whom libraries trust"),
	ROW_MARGIN(JAIL_STEADY, "geteuid", "whom libraries trust"),
	ROW_MARGIN(JAIL_STEADY, "getgid", "whom libraries trust"),
	ROW_MARGIN(JAIL_STEADY, "getegid", "whom libraries trust"),
	ROW_IF_MARGIN(JAIL_STEADY, "prctl", 0, PR_SET_NAME, "its name"),
	ROW_MARGIN(JAIL_STEADY, "tgkill", "abort()"),
	ROW_MARGIN(JAIL_STEADY, "exit", "the end"),
	ROW_MARGIN(JAIL_STEADY, "exit_group", "the end"),

#ifdef __SANITIZE_ADDRESS__
	ROW_MARGIN(JAIL_STEADY, "sigaltstack", "an end under AddressSanitizer"),
#endif

	/* Libraries try these and do without. */
	ROW_MARGIN(JAIL_REFUSED, "clone3", "it starts nothing"),
	ROW_MARGIN(JAIL_REFUSED, "openat", "it opens nothing"),
};

const struct jail_profile jail_profile_supervisor = {
	.name = "supervisor",
	.rows = rows,
	.n_rows = ARRAY_SIZE(rows),
};
