/* SPDX-License-Identifier: MIT */
/* swtpm 0.7 to 0.10: a channel to QEMU, and its state, which it writes anew under
 * another name and renames: it can be killed at any moment, and is, for what a handler
 * of SIGTERM needs is not here. */
#include "jail/profile_rows.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/prctl.h>

static const struct jail_row rows[] = {
	ROW(JAIL_STEADY, "poll", "the main loop"),
	ROW(JAIL_STEADY, "read", "commands, state"),
	ROW(JAIL_STEADY, "write", "answers, state"),
	ROW(JAIL_STEADY, "recvmsg", "the control channel, which brings the data channel"),
	ROW(JAIL_STEADY, "openat", "its state; its jail has no other file to write"),
	ROW_ON(JAIL_LIBC_NEWFSTATAT | JAIL_LIBC_EITHER, JAIL_STEADY, "newfstatat", "its state"),
	ROW_ON(JAIL_LIBC_FSTAT | JAIL_LIBC_EITHER, JAIL_STEADY, "fstat", "its state"),
	ROW(JAIL_STEADY, "fchmod", "its state"),
	ROW(JAIL_STEADY, "rename", "its state"),
	ROW(JAIL_STEADY, "unlink", "its state"),
	ROW(JAIL_STEADY, "close", "its state"),
	ROW_IF(JAIL_STEADY, "fcntl", 1, F_SETLK, "its state's lock"),
	ROW(JAIL_STEADY, "clock_gettime", "time of the TPM"),
	ROW(JAIL_STEADY, "futex", "locks of libraries"),
	ROW_MARGIN(JAIL_STEADY, "restart_syscall", "a wait that SIGSTOP or suspend interrupted"),
	ROW(JAIL_STEADY, "brk", "the heap; a block for which mmap is refused is taken from it"),
	ROW(JAIL_STEADY, "exit_group", "the end"),

	ROW(JAIL_REFUSED, "getpid", "random numbers ask whether they were forked: never"),

	ROW(JAIL_START, "execve", "swtpm itself"),
	ROW_IN_VAIN("mmap", EPERM, "libraries, heap"),
	ROW_IN_VAIN("munmap", EPERM, "libraries, heap"),
	ROW(JAIL_START, "mprotect", "libraries"),
	ROW(JAIL_START, "access", "libraries"),
	ROW(JAIL_START, "pread64", "libraries"),
	ROW_ON(JAIL_LIBC_FSTAT, JAIL_START, "newfstatat",
	       "folders of libraries, its state's folder"),
	ROW_ON(JAIL_X86_64, JAIL_START, "arch_prctl", "thread-local storage"),
	ROW(JAIL_START, "set_tid_address", "the first thread"),
	ROW(JAIL_START, "set_robust_list", "the first thread"),
	ROW(JAIL_START, "rseq", "the first thread"),
	ROW(JAIL_START, "prlimit64", "the stack's size"),
	ROW_IN_VAIN("getrandom", EPERM, "secrets of the heap, keys; later there is /dev/urandom"),
	ROW(JAIL_START, "pipe2", "signals by the main loop"),
	ROW_IN_VAIN("rt_sigaction", EPERM, "handlers; taking them away at its end is left out"),
	ROW(JAIL_START, "seccomp", "its own filter"),
	ROW_IF(JAIL_START, "prctl", 0, PR_SET_NO_NEW_PRIVS, "its own filter"),
};

const struct jail_profile jail_profile_swtpm = {
	.name = "swtpm",
	.rows = rows,
	.n_rows = ARRAY_SIZE(rows),
};
