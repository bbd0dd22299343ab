/* SPDX-License-Identifier: MIT */
/*
 * dnsmasq 2.89 to 2.91, in the foreground and without root. It comes to paths and
 * sockets again and again, so its list is plain: all but execve, which is carried out
 * once, for dnsmasq itself, and fails from then on, for nobody answers it any more.
 */
#include "jail/profile_rows.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>

/* As glibc forks: CLONE_CHILD_CLEARTID | CLONE_CHILD_SETTID and the signal. */
enum { CLONE_FORK_FLAGS = 0x1200000 | SIGCHLD };

static const struct jail_row rows[] = {
	ROW(JAIL_START, "execve", "dnsmasq itself"),

	/* The loader and the C library. */
	ROW(JAIL_STEADY, "brk", "the heap"),
	ROW(JAIL_STEADY, "mmap", "libraries, heap"),
	ROW(JAIL_STEADY, "munmap", "libraries, heap"),
	ROW(JAIL_STEADY, "mprotect", "libraries"),
	ROW_MARGIN(JAIL_STEADY, "mremap", "a large block that grows"),
	ROW_MARGIN(JAIL_STEADY, "madvise", "gives memory back"),
	ROW(JAIL_STEADY, "access", "libraries"),
	ROW(JAIL_STEADY, "openat", "libraries, its files"),
	ROW(JAIL_STEADY, "newfstatat", "its files"),
	ROW_MARGIN(JAIL_STEADY, "fstat", "the same, by later C libraries"),
	ROW(JAIL_STEADY, "fstatfs", "SELinux's library looks whether it is on"),
	ROW_MARGIN(JAIL_STEADY, "statfs", "SELinux's library looks whether it is on"),
	ROW(JAIL_STEADY, "pread64", "libraries"),
	ROW(JAIL_STEADY, "lseek", "the lease file"),
	ROW(JAIL_STEADY, "getdents64", "descriptors that were left open"),
	ROW(JAIL_STEADY, "readlink", "where resolv.conf leads"),
	ROW_MARGIN(JAIL_STEADY, "readlinkat", "where resolv.conf leads"),
	ROW_ON(JAIL_X86_64, JAIL_STEADY, "arch_prctl", "thread-local storage"),
	ROW(JAIL_STEADY, "set_tid_address", "the first thread"),
	ROW(JAIL_STEADY, "set_robust_list", "the first thread"),
	ROW(JAIL_STEADY, "rseq", "the first thread"),
	ROW(JAIL_STEADY, "prlimit64", "how many descriptors there may be"),
	ROW(JAIL_STEADY, "getrandom", "the heap's secrets"),
	ROW(JAIL_STEADY, "futex", "locks of libraries"),
	ROW(JAIL_STEADY, "uname", "the kernel's version"),
	ROW(JAIL_STEADY, "getpid", "its log"),
	ROW_MARGIN(JAIL_STEADY, "gettid", "locks of libraries"),
	ROW(JAIL_STEADY, "getuid", "whether it is root"),
	ROW_MARGIN(JAIL_STEADY, "geteuid", "whether it is root"),
	ROW_MARGIN(JAIL_STEADY, "getgid", "whether it is root"),
	ROW_MARGIN(JAIL_STEADY, "getegid", "whether it is root"),
	ROW_MARGIN(JAIL_STEADY, "getresuid", "whether it is root"),
	ROW_MARGIN(JAIL_STEADY, "getresgid", "whether it is root"),
	ROW_MARGIN(JAIL_STEADY, "capget", "which capabilities it has"),
	ROW_IF_MARGIN(JAIL_STEADY, "prctl", 0, PR_CAPBSET_READ, "which capabilities there are"),
	ROW_IF_MARGIN(JAIL_STEADY, "prctl", 0, PR_GET_SECUREBITS, "which capabilities there are"),
	ROW_IF_MARGIN(JAIL_STEADY, "prctl", 0, PR_CAP_AMBIENT, "which capabilities there are"),
	ROW_IF_MARGIN(JAIL_STEADY, "prctl", 0, PR_GET_NO_NEW_PRIVS, "which capabilities there are"),
	ROW_MARGIN(JAIL_STEADY, "capset", "the capabilities that it has"),

	/* Its files, its log. */
	ROW(JAIL_STEADY, "read", "its files, sockets"),
	ROW(JAIL_STEADY, "write", "leases, its log"),
	ROW_MARGIN(JAIL_STEADY, "writev", "its log"),
	ROW(JAIL_STEADY, "close", "its files"),
	ROW(JAIL_STEADY, "fcntl", "its files"),
	ROW(JAIL_STEADY, "fsync", "leases"),
	ROW(JAIL_STEADY, "ftruncate", "leases"),
	ROW(JAIL_STEADY, "umask", "modes of its files"),
	ROW(JAIL_STEADY, "chdir", "out of the way"),
	ROW_MARGIN(JAIL_STEADY, "dup", "standard streams"),
	ROW_MARGIN(JAIL_STEADY, "dup2", "standard streams"),
	ROW_MARGIN(JAIL_STEADY, "dup3", "standard streams"),
	ROW(JAIL_STEADY, "inotify_init1", "a resolv.conf that changes"),
	ROW(JAIL_STEADY, "inotify_add_watch", "a resolv.conf that changes"),

	/* Signals and time. */
	ROW(JAIL_STEADY, "rt_sigaction", "handlers"),
	ROW(JAIL_STEADY, "rt_sigprocmask", "handlers"),
	ROW(JAIL_STEADY, "rt_sigreturn", "handlers"),
	ROW_MARGIN(JAIL_STEADY, "restart_syscall", "a wait that SIGSTOP interrupted"),
	ROW(JAIL_STEADY, "pipe2", "signals by the main loop"),
	ROW_ON(JAIL_X86_64, JAIL_STEADY, "alarm", "leases that run out"),
	ROW_MARGIN(JAIL_STEADY, "setitimer", "leases that run out, where there is no alarm"),
	ROW_MARGIN(JAIL_STEADY, "clock_gettime", "where the vDSO has no clock"),
	ROW_MARGIN(JAIL_STEADY, "gettimeofday", "where the vDSO has no clock"),
	ROW_MARGIN(JAIL_STEADY, "clock_nanosleep", "an address check that waits"),

	/* The network: sockets of the internet, the kernel's addresses. */
	ROW_IF(JAIL_STEADY, "socket", 0, AF_INET, "DHCP, DNS, address checks"),
	ROW_IF_MARGIN(JAIL_STEADY, "socket", 0, AF_INET6, "whether there is IPv6"),
	ROW_IF(JAIL_STEADY, "socket", 0, AF_NETLINK, "addresses that come and go"),
	ROW_IF(JAIL_STEADY, "socket", 0, AF_UNIX, "the system's log"),
	ROW(JAIL_STEADY, "bind", "its ports"),
	ROW_MARGIN(JAIL_STEADY, "connect", "name servers by TCP"),
	ROW(JAIL_STEADY, "listen", "DNS by TCP"),
	ROW_MARGIN(JAIL_STEADY, "accept", "DNS by TCP"),
	ROW_MARGIN(JAIL_STEADY, "accept4", "DNS by TCP"),
	ROW_MARGIN(JAIL_STEADY, "shutdown", "DNS by TCP"),
	ROW_IF_MARGIN(JAIL_STEADY, "clone", 0, CLONE_FORK_FLAGS, "a process for each TCP client"),
	ROW(JAIL_REFUSED, "clone3", "its flags lie in memory: the C library takes clone"),
	ROW_MARGIN(JAIL_STEADY, "wait4", "a process for each TCP client"),
	ROW_MARGIN(JAIL_STEADY, "kill", "a process for each TCP client"),
	ROW(JAIL_STEADY, "setsockopt", "its sockets"),
	ROW_MARGIN(JAIL_STEADY, "getsockopt", "its sockets"),
	ROW(JAIL_STEADY, "getsockname", "its sockets"),
	ROW_MARGIN(JAIL_STEADY, "getpeername", "its sockets"),
	ROW(JAIL_STEADY, "sendto", "answers"),
	ROW(JAIL_STEADY, "sendmsg", "answers"),
	ROW(JAIL_STEADY, "recvmsg", "questions"),
	ROW_MARGIN(JAIL_STEADY, "recvfrom", "questions"),
	ROW(JAIL_STEADY, "ioctl", "links, and the ARP entry of a client without an address"),
	ROW(JAIL_STEADY, "poll", "the main loop"),
	ROW(JAIL_STEADY, "exit_group", "the end"),
};

const struct jail_profile jail_profile_dnsmasq = {
	.name = "dnsmasq",
	.rows = rows,
	.n_rows = ARRAY_SIZE(rows),
};
