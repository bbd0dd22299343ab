/* SPDX-License-Identifier: MIT */
#include "tests/jail/attempts.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/if_packet.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <unistd.h>

struct attempt_context attempt_context;

static int connect_inet(long fd)
{
	struct sockaddr_in to = {
		.sin_family = AF_INET,
		.sin_port = htons((uint16_t)attempt_context.tcp_port),
		.sin_addr = {.s_addr = htonl(INADDR_LOOPBACK)},
	};

	return connect((int)fd, (struct sockaddr *)&to, sizeof(to)) < 0 ? -errno : 0;
}

static int listen_inet(long fd)
{
	struct sockaddr_in at = {.sin_family = AF_INET, .sin_port = htons(4444)};

	/* In an empty namespace nobody hears it: its port has to be seen outside. */
	if (bind((int)fd, (struct sockaddr *)&at, sizeof(at)) < 0 || listen((int)fd, 1) < 0)
		return -errno;
	return connect_inet(socket(AF_INET, SOCK_STREAM, 0));
}

static int send_udp(long fd)
{
	struct sockaddr_in to = {
		.sin_family = AF_INET,
		.sin_port = htons(53),
		.sin_addr = {.s_addr = htonl(INADDR_LOOPBACK)},
	};

	return sendto((int)fd, "x", 1, 0, (struct sockaddr *)&to, sizeof(to)) < 0 ? -errno : 0;
}

static int connect_unix(long fd, const char *name, size_t skip)
{
	struct sockaddr_un to = {.sun_family = AF_UNIX};
	size_t len = strlen(name);

	if (len + skip >= sizeof(to.sun_path))
		return -ENAMETOOLONG;
	memcpy(to.sun_path + skip, name, len);
	return connect((int)fd, (struct sockaddr *)&to,
		       (socklen_t)(offsetof(struct sockaddr_un, sun_path) + skip + len)) < 0
		       ? -errno
		       : 0;
}

static int connect_abstract(long fd)
{
	return connect_unix(fd, attempt_context.abstract, 1);
}

static int connect_path(long fd)
{
	return connect_unix(fd, attempt_context.socket, 0);
}

/* Takes the host's loopback down, or any link there is but its own. */
static int change_link(long fd)
{
	struct {
		struct nlmsghdr header;
		struct ifinfomsg info;
	} request = {
		.header =
			{
				.nlmsg_len = sizeof(request),
				.nlmsg_type = RTM_NEWLINK,
				.nlmsg_flags = NLM_F_REQUEST | NLM_F_ACK,
			},
		.info = {.ifi_index = 1, .ifi_change = 1},
	};
	struct {
		struct nlmsghdr header;
		struct nlmsgerr error;
	} answer;

	if (send((int)fd, &request, sizeof(request), 0) < 0 ||
	    recv((int)fd, &answer, sizeof(answer), 0) < 0)
		return -errno;
	return answer.error.error;
}

static int mount_in_user_namespace(long result)
{
	(void)result;
	/* Worth something only if more can be mounted or reached from there. */
	if (unshare(CLONE_NEWNS) < 0)
		return -errno;
	return mount("none", "/usr", "tmpfs", 0, NULL) < 0 ? -errno : 0;
}

static int run_memfd(long fd)
{
	static char *const none[] = {NULL};
	/* Not a program: ENOEXEC says that it would have been run. */
	if (write((int)fd, "x", 1) != 1)
		return -errno;
	syscall(SYS_execveat, (int)fd, "", none, none, AT_EMPTY_PATH);
	return errno == ENOEXEC ? 0 : -errno;
}

/* For x86-64: the calls of 32 bits, and those with 32-bit pointers. */
#if defined(__x86_64__)
static int call_32_bit(long result)
{
	long rc = 20; /* getpid there */

	(void)result;
	__asm__ volatile("int $0x80" : "+a"(rc) : : "memory");
	return rc < 0 ? (int)rc : 0;
}
#define X32 0x40000000L
#endif

#define N(x)                                             \
	{                                                \
		.kind = VALUE_NUMBER, .value = (long)(x) \
	}
#define T(x)                                    \
	{                                       \
		.kind = VALUE_TEXT, .text = (x) \
	}
#define Z(n)                                             \
	{                                                \
		.kind = VALUE_ZEROES, .value = (long)(n) \
	}
#define ONES                       \
	{                          \
		.kind = VALUE_ONES \
	}
#define V(what)                      \
	{                            \
		.kind = VALUE_##what \
	}
#define TRY(name_, call, ...)                                                   \
	{                                                                       \
		.name = (name_), .nr = SYS_##call, .arguments = { __VA_ARGS__ } \
	}
#define TRY_SURFACE(name_, call, ...)                                                           \
	{                                                                                       \
		.name = (name_), .nr = SYS_##call, .arguments = {__VA_ARGS__}, .flags = SURFACE \
	}
#define TRY_FURTHER(name_, further_, flags_, call, ...)                                           \
	{                                                                                         \
		.name = (name_), .nr = SYS_##call, .arguments = {__VA_ARGS__}, .flags = (flags_), \
		.further = (further_)                                                             \
	}
#define HERE N(AT_FDCWD)

const struct attempt attempts[] = {
	/* Files of the host. */
	TRY("read a file outside", openat, HERE, V(SECRET), N(O_RDONLY)),
	TRY("read a file outside by openat2", openat2, HERE, V(SECRET), Z(24), N(24)),
	TRY("read /etc/shadow", openat, HERE, T("/etc/shadow"), N(O_RDONLY)),
	TRY("read /etc/shadow from the folder above", openat, HERE, T("../../../../etc/shadow"),
	    N(O_RDONLY)),
	TRY("read /etc/machine-id", openat, HERE, T("/etc/machine-id"), N(O_RDONLY)),
	TRY("list /home", openat, HERE, T("/home"), N(O_RDONLY | O_DIRECTORY)),
	TRY("open another machine's TPM folder", openat, HERE, V(FOLDER),
	    N(O_RDONLY | O_DIRECTORY)),
	TRY("read another process's environment", openat, HERE, T("/proc/1/environ"), N(O_RDONLY)),
	TRY("read its own descriptors from /proc", openat, HERE, T("/proc/self/fd"), N(O_RDONLY)),
	TRY("open /sys/kernel", openat, HERE, T("/sys/kernel"), N(O_RDONLY)),
	TRY("open /dev/mem", openat, HERE, T("/dev/mem"), N(O_RDWR)),
	TRY("open /dev/kmsg", openat, HERE, T("/dev/kmsg"), N(O_RDWR)),
	TRY("open /dev/tty", openat, HERE, T("/dev/tty"), N(O_RDWR)),
	TRY("open /dev/net/tun", openat, HERE, T("/dev/net/tun"), N(O_RDWR)),
	TRY("open /dev/fuse", openat, HERE, T("/dev/fuse"), N(O_RDWR)),
	TRY("open /dev/vda", openat, HERE, T("/dev/vda"), N(O_RDONLY)),
	TRY("open /dev/ptmx", openat, HERE, T("/dev/ptmx"), N(O_RDWR)),
	TRY("make a file in the root", openat, HERE, T("/made"), N(O_WRONLY | O_CREAT), N(0600)),
	TRY("make a file among the libraries", openat, HERE, T("/usr/lib/made"),
	    N(O_WRONLY | O_CREAT), N(0600)),
	TRY("write to the program itself", openat, HERE, V(PROGRAM), N(O_WRONLY)),
	TRY("truncate the program itself", truncate, V(PROGRAM), N(0)),
	TRY("make the program set-user-id", fchmodat, HERE, V(PROGRAM), N(04755)),
	TRY("take the program over", fchownat, HERE, V(PROGRAM), N(0), N(0), N(0)),
	TRY("make a block device", mknodat, HERE, T("/disk"), N(S_IFBLK | 0666), N(8 << 8)),
	TRY("make a character device", mknodat, HERE, T("/mem"), N(S_IFCHR | 0666), N(1 << 8 | 1)),
	TRY("make a folder", mkdirat, HERE, T("/folder"), N(0777)),
	TRY("make a hard link", linkat, HERE, V(PROGRAM), HERE, T("/linked"), N(0)),
	TRY("make a symbolic link", symlinkat, T("/etc"), HERE, T("/usr/lib/etc")),
	TRY("rename a folder of the root", renameat2, HERE, T("/usr"), HERE, T("/rsu"), N(0)),
	TRY("remove the program", unlinkat, HERE, V(PROGRAM), N(0)),
	TRY("open by handle", open_by_handle_at, HERE, ONES, N(0)),
	TRY("write to a descriptor that is open for reading", write, V(READ_ONLY), T("x"), N(1)),
	TRY("grow a file that is open for reading", ftruncate, V(READ_ONLY), N(1 << 20)),
	TRY("change the mode of a file that is open for reading", fchmod, V(READ_ONLY), N(0666)),
	TRY("map a file for writing that is open for reading", mmap, N(0), N(4096),
	    N(PROT_READ | PROT_WRITE), N(MAP_SHARED), V(READ_ONLY), N(0)),
	TRY("leave the root", chroot, T("/usr")),

	/* Other processes. */
	TRY("kill another machine's process", kill, V(VICTIM), N(0)),
	TRY("kill every process", kill, N(-1), N(0)),
	TRY("kill a thread of another machine", tgkill, V(VICTIM), V(VICTIM), N(0)),
	TRY("signal with data", rt_sigqueueinfo, V(VICTIM), N(SIGTERM), Z(128)),
	TRY("take hold of another process", pidfd_open, V(VICTIM), N(0)),
	TRY("take a descriptor of another process", pidfd_getfd, N(0), N(0), N(0)),
	TRY("trace another process", ptrace, N(PTRACE_SEIZE), V(VICTIM), N(0), N(0)),
	TRY("read another process's memory", process_vm_readv, V(VICTIM), V(VECTOR), N(1),
	    V(VECTOR), N(1), N(0)),
	TRY("write another process's memory", process_vm_writev, V(VICTIM), V(VECTOR), N(1),
	    V(VECTOR), N(1), N(0)),
	TRY("advise on another process's memory", process_madvise, N(0), V(VECTOR), N(1),
	    N(MADV_PAGEOUT), N(0)),
	TRY("compare with another process", kcmp, V(VICTIM), V(VICTIM), N(0), N(0), N(0)),
	TRY("change another process's limits", prlimit64, V(VICTIM), N(RLIMIT_CPU), Z(16), N(0)),
	TRY("bind another process to a processor", sched_setaffinity, V(VICTIM), N(8), ONES),
	TRY("change another process's priority", setpriority, N(PRIO_PROCESS), V(VICTIM), N(19)),
	TRY("move another process's pages", migrate_pages, V(VICTIM), N(64), ONES, ONES),
	TRY_SURFACE("fork", clone, N(SIGCHLD), N(0), N(0), N(0), N(0)),
	TRY("run a shell", execve, T("/bin/sh"), Z(16), Z(16)),
	TRY_SURFACE("run the program again", execve, V(PROGRAM), Z(16), Z(16)),
	TRY_SURFACE("run the loader", execve, T("/lib64/ld-linux-x86-64.so.2"), Z(16), Z(16)),
	TRY_FURTHER("run a program out of memory", run_memfd, SURFACE, memfd_create, T("x"), N(0)),
	TRY_SURFACE("map memory to execute", mmap, N(0), N(4096), N(PROT_READ | PROT_EXEC),
		    N(MAP_PRIVATE | MAP_ANONYMOUS), N(-1), N(0)),
	TRY_SURFACE("map memory to write and execute", mmap, N(0), N(4096),
		    N(PROT_READ | PROT_WRITE | PROT_EXEC), N(MAP_PRIVATE | MAP_ANONYMOUS), N(-1),
		    N(0)),

	/* Namespaces and mounts. */
	TRY_FURTHER("make a user namespace and mount", mount_in_user_namespace, 0, unshare,
		    N(CLONE_NEWUSER)),
	TRY("make a mount namespace", unshare, N(CLONE_NEWNS)),
	TRY("make a network namespace", unshare, N(CLONE_NEWNET)),
	TRY_SURFACE("clone into a user namespace", clone, N(CLONE_NEWUSER | SIGCHLD), N(0), N(0),
		    N(0), N(0)),
	TRY_SURFACE("clone by clone3", clone3, Z(88), N(88)),
	TRY("enter a namespace", setns, N(0), N(0)),
	TRY("mount a file system", mount, T("none"), T("/usr"), T("tmpfs"), N(0), N(0)),
	TRY("mount the root for writing", mount, N(0), T("/"), N(0), N(MS_REMOUNT | MS_BIND), N(0)),
	TRY("unmount the libraries", umount2, T("/usr/lib"), N(MNT_DETACH)),
	TRY("change the root", pivot_root, T("/usr"), T("/usr")),
	TRY("clone a mount", open_tree, HERE, T("/usr"), N(1)),
	TRY("move a mount", move_mount, HERE, T("/usr/lib"), HERE, T("/usr"), N(0)),
	TRY("open a file system", fsopen, T("tmpfs"), N(0)),
	TRY("change a mount for writing", mount_setattr, HERE, T("/"), N(0), Z(32), N(32)),

	/* Rights. */
	TRY("become root", setuid, N(0)),
	TRY("become root for good", setresuid, N(0), N(0), N(0)),
	TRY("become root's group", setresgid, N(0), N(0), N(0)),
	TRY("join groups", setgroups, N(1), Z(4)),
	TRY("take capabilities", capset, Z(8), ONES),
	TRY("raise an ambient capability", prctl, N(PR_CAP_AMBIENT), N(PR_CAP_AMBIENT_RAISE), N(21),
	    N(0), N(0)),
	TRY("unlock the secure bits", prctl, N(PR_SET_SECUREBITS), N(0), N(0), N(0), N(0)),
	TRY("drop the filter", prctl, N(PR_SET_SECCOMP), N(0), N(0), N(0), N(0)),
	TRY("take no_new_privs back", prctl, N(PR_SET_NO_NEW_PRIVS), N(0), N(0), N(0), N(0)),
	TRY_SURFACE("become traceable", prctl, N(PR_SET_DUMPABLE), N(1), N(0), N(0), N(0)),
	TRY_SURFACE("load a filter of its own", seccomp, N(2), N(0), N(0)),
	TRY("raise the limit of descriptors", prlimit64, N(0), N(RLIMIT_NOFILE), ONES, N(0)),
	TRY("raise the size of core dumps", prlimit64, N(0), N(RLIMIT_MEMLOCK), ONES, N(0)),
	TRY_SURFACE("change the personality", personality, N(0x0040000)),

	/* The kernel. */
	TRY_SURFACE("bpf", bpf, N(0), Z(128), N(128)),
	TRY_SURFACE("perf_event_open", perf_event_open, Z(128), N(0), N(-1), N(-1), N(0)),
	TRY_SURFACE("io_uring", io_uring_setup, N(8), Z(120)),
	TRY_SURFACE("io_uring that is there", io_uring_enter, N(0), N(0), N(0), N(0), N(0), N(0)),
	TRY_SURFACE("userfaultfd", userfaultfd, N(1)),
	TRY_SURFACE("read a keyring", keyctl, N(0), N(-4), N(1), N(0), N(0)),
	TRY_SURFACE("add a key", add_key, T("user"), T("x"), T("y"), N(1), N(-3)),
	TRY("ask for a key", request_key, T("user"), T("nothing"), N(0), N(0)),
	TRY("load another kernel", kexec_load, N(0), N(0), N(0), N(0)),
	TRY("load a module", init_module, Z(64), N(64), T("")),
	TRY("load a module by descriptor", finit_module, N(0), T(""), N(0)),
	TRY("remove a module", delete_module, T("kvm"), N(0)),
	/* With a wrong magic number, should it ever come that far. */
	TRY("reboot", reboot, N(0x11111111), N(0), N(0)),
	TRY("swapon", swapon, T("/usr/lib"), N(0)),
	TRY("quotactl", quotactl, N(0x800002 << 8), T("/dev/vda"), N(0), N(0)),
	TRY("set the clock", clock_settime, N(0), Z(16)),
	TRY("set the time of day", settimeofday, Z(16), N(0)),
	TRY("adjust the clock", clock_adjtime, N(0), ONES),
	TRY("set the host's name", sethostname, T("taken"), N(5)),
	TRY("take real-time priority", sched_setscheduler, N(0), N(SCHED_FIFO), ONES),
	TRY("take a higher priority", setpriority, N(PRIO_PROCESS), N(0), N(-20)),
	TRY("lock all memory", mlockall, N(MCL_CURRENT | MCL_FUTURE)),
	TRY("read the kernel's log", syslog, N(3), Z(128), N(128)),
	TRY("process accounting", acct, N(0)),
	TRY_SURFACE("fanotify", fanotify_init, N(0x200), N(0)),
	TRY_SURFACE("inotify", inotify_init1, N(0)),
	TRY("hang the terminal up", vhangup),
	TRY("type into a terminal", ioctl, N(0), N(0x5412), T("x")),
	TRY("paste into a terminal", ioctl, N(0), N(0x541c), T("x")),
	TRY("take an interface", ioctl, V(READ_ONLY), N(0x400454ca), Z(40)),
#if defined(__x86_64__)
	TRY("reach ports", iopl, N(3)),
	TRY("reach a range of ports", ioperm, N(0), N(16), N(1)),
	TRY_SURFACE("segment descriptors", modify_ldt, N(0), Z(64), N(64)),
	{.name = "a call with 32-bit pointers", .nr = X32 | SYS_getpid, .flags = SURFACE},
	TRY_FURTHER("a call of 32 bits", call_32_bit, SURFACE | NOT_INJECTED, getpid),
#endif

	/* The network, and what others share. */
	TRY_FURTHER("connect by TCP", connect_inet, 0, socket, N(AF_INET), N(SOCK_STREAM), N(0)),
	TRY_FURTHER("listen by TCP, and connect out", listen_inet, 0, socket, N(AF_INET),
		    N(SOCK_STREAM), N(0)),
	TRY_FURTHER("send by UDP", send_udp, 0, socket, N(AF_INET), N(SOCK_DGRAM), N(0)),
	TRY_FURTHER("connect to an abstract socket", connect_abstract, 0, socket, N(AF_UNIX),
		    N(SOCK_STREAM), N(0)),
	TRY_FURTHER("connect to a socket outside", connect_path, 0, socket, N(AF_UNIX),
		    N(SOCK_STREAM), N(0)),
	TRY_FURTHER("change a link", change_link, 0, socket, N(AF_NETLINK), N(SOCK_RAW), N(0)),
	TRY("a raw socket", socket, N(AF_INET), N(SOCK_RAW), N(1)),
	TRY("a packet socket", socket, N(AF_PACKET), N(SOCK_RAW), N(0x300)),
	TRY_SURFACE("a socket to other machines", socket, N(AF_VSOCK), N(SOCK_STREAM), N(0)),
	TRY_SURFACE("a socket of the kernel's ciphers", socket, N(AF_ALG), N(SOCK_SEQPACKET), N(0)),
	TRY("a socket to key management", socket, N(AF_KEY), N(SOCK_RAW), N(2)),
	TRY("attach shared memory", shmat, V(SHARED), N(0), N(0)),
	TRY("destroy shared memory", shmctl, V(SHARED), N(0), N(0)),
	TRY("open a message queue", mq_open, T("hv-escape"), N(O_RDONLY), N(0), N(0)),
};

const size_t n_attempts = sizeof(attempts) / sizeof(attempts[0]);
