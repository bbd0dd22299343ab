/* SPDX-License-Identifier: MIT */
/*
 * What QEMU 7.2 to 10 asks for, as `hv run --record` saw it. Steady are images, TAPs,
 * sockets, memory and threads that exist already; whatever makes something new to
 * reach (a path, a program, executable memory, a socket) is for the start.
 */
#include "jail/profile_rows.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <linux/if_tun.h>
#include <linux/kvm.h>
#include <linux/vhost.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>

/* As glibc clones a thread. */
enum { CLONE_THREAD_FLAGS = 0x3d0f00 };

/* The profile was taken with 7.2 and 10.0. A version between the two, and one that is not known,
 * gets what either of them asks for. */
enum { OLD_QEMU = 902, LATER_QEMU = 703 };

static const struct jail_row rows[] = {
	/* Images and descriptors. */
	ROW(JAIL_STEADY, "read", "eventfds, signalfds, TAPs"),
	ROW(JAIL_STEADY, "write", "eventfds, TAPs, the console's log"),
	ROW(JAIL_STEADY, "writev", "packets to a TAP, migration streams"),
	ROW(JAIL_STEADY, "pread64", "images"),
	ROW(JAIL_STEADY, "preadv", "images, into a guest's scattered memory"),
	ROW(JAIL_STEADY, "pwrite64", "images"),
	ROW(JAIL_STEADY, "pwritev", "images, out of a guest's scattered memory"),
	ROW(JAIL_STEADY, "lseek", "holes in images (SEEK_DATA)"),
	ROW(JAIL_STEADY, "fallocate", "discard and writing of zeroes"),
	ROW(JAIL_STEADY, "ftruncate", "images that grow"),
	ROW(JAIL_STEADY, "fdatasync", "flushes that a guest asks for"),
	ROW(JAIL_STEADY, "fadvise64", "drops caches before and after a migration"),
	ROW(JAIL_STEADY, "newfstatat", "size and kind of a descriptor; there is no path"),
	ROW_MARGIN(JAIL_STEADY, "fstat", "the same, by later C libraries"),
	ROW(JAIL_STEADY, "close", "what was unplugged, clients that go"),
	ROW_IF(JAIL_STEADY, "fcntl", 1, F_GETFL, "the access mode of a descriptor"),
	ROW_IF(JAIL_STEADY, "fcntl", 1, F_SETFL, "makes a socket non-blocking"),
	ROW_IF(JAIL_STEADY, "fcntl", 1, F_DUPFD_CLOEXEC, "a descriptor out of a set"),
	ROW_IF(JAIL_STEADY, "fcntl", 1, F_OFD_GETLK, "locks of images"),
	ROW_IF(JAIL_STEADY, "fcntl", 1, F_OFD_SETLK, "locks of images"),
	ROW_IF_MARGIN(JAIL_STEADY, "fcntl", 1, F_GETFD, "descriptors that come by a socket"),
	ROW_IF_MARGIN(JAIL_STEADY, "fcntl", 1, F_SETFD, "descriptors that come by a socket"),
	ROW_IF(JAIL_START, "fcntl", 1, F_ADD_SEALS, "the guest's memory keeps its size"),

	/* Sockets that are there. */
	ROW(JAIL_STEADY, "sendmsg", "monitor, console, agent, TPM, VNC"),
	ROW(JAIL_STEADY, "recvmsg", "the same; descriptors for live changes"),
	ROW(JAIL_STEADY, "accept4", "a new supervisor connects to monitor, console, agent"),
	ROW(JAIL_STEADY, "getsockname", "whoever was accepted"),
	ROW(JAIL_STEADY, "getpeername", "the TPM's channel, a VNC client that is handed over"),
	ROW(JAIL_STEADY, "getsockopt", "what kind of socket a descriptor is"),
	ROW_MARGIN(JAIL_STEADY, "shutdown", "a VNC client or a migration that ends"),

	/* Waiting and time. */
	ROW(JAIL_STEADY, "ppoll", "the main loop"),
	ROW(JAIL_STEADY, "poll", "waits for a single descriptor"),
	ROW(JAIL_STEADY, "eventfd2", "one for each queue of a device that is plugged in"),
	ROW(JAIL_STEADY, "clock_nanosleep", "emulated processors that idle, throttling"),
	ROW_MARGIN(JAIL_STEADY, "clock_gettime", "where the vDSO has no clock"),
	ROW_MARGIN(JAIL_STEADY, "gettimeofday", "where the vDSO has no clock: times of events"),
	ROW_MARGIN(JAIL_STEADY, "restart_syscall", "a wait that SIGSTOP interrupted"),

	/* Memory and threads. */
	ROW(JAIL_STEADY, "brk", "the heap"),
	ROW_BITS(JAIL_STEADY, "mmap", 2, PROT_EXEC, 0, "heap, stacks of threads"),
	ROW_BITS(JAIL_START, "mmap", 2, PROT_EXEC, PROT_EXEC, "libraries"),
	ROW_BITS(JAIL_STEADY, "mprotect", 2, PROT_EXEC, 0, "heap, guard pages"),
	ROW_BITS(JAIL_START, "mprotect", 2, PROT_EXEC, PROT_EXEC, "the emulator's code buffer"),
	ROW(JAIL_STEADY, "munmap", "heap, stacks of threads"),
	ROW_MARGIN(JAIL_STEADY, "mremap", "a large block that grows"),
	ROW(JAIL_STEADY, "madvise", "gives memory back; what is not dumped, inherited, merged"),
	ROW(JAIL_STEADY, "futex", "locks"),
	ROW_IF(JAIL_STEADY, "clone", 0, CLONE_THREAD_FLAGS,
	       "a thread, for blocking work on images"),
	ROW(JAIL_REFUSED, "clone3", "its flags lie in memory: the C library takes clone"),
	ROW(JAIL_STEADY, "set_robust_list", "a thread begins"),
	ROW(JAIL_STEADY, "rseq", "a thread begins"),
	ROW_IF(JAIL_STEADY, "prctl", 0, PR_SET_NAME, "a thread's name"),
	ROW(JAIL_STEADY, "rt_sigprocmask", "a thread begins, coroutines are made"),
	ROW_MARGIN(JAIL_STEADY, "rt_sigreturn", "behind a signal that KVM is kicked with"),
	ROW(JAIL_STEADY, "gettid", "whether a lock is one's own"),
	ROW_MARGIN(JAIL_STEADY, "getpid", "abort(), signals to one's own threads"),
	ROW_MARGIN(JAIL_STEADY, "tgkill", "abort(), signals to one's own threads"),
	ROW_MARGIN(JAIL_STEADY, "membarrier", "read-copy-update"),
	ROW_MARGIN(JAIL_STEADY, "sched_yield", "locks that spin"),
	ROW(JAIL_STEADY, "exit", "a thread ends"),
	ROW(JAIL_STEADY, "exit_group", "the end"),
	ROW(JAIL_STEADY, "getrandom", "virtio-rng, uuids"),

	/* TAPs. */
	ROW_IF(JAIL_STEADY, "ioctl", 1, TUNGETIFF, "what a TAP's descriptor is"),
	ROW_IF(JAIL_STEADY, "ioctl", 1, TUNSETOFFLOAD, "offloads that a driver asks for"),
	ROW_IF(JAIL_STEADY, "ioctl", 1, TUNSETSNDBUF, "a TAP that is plugged in"),
	ROW_IF_UNTIL(OLD_QEMU, JAIL_STEADY, "ioctl", 1, TUNGETVNETHDRSZ, "header of virtio-net"),
	ROW_IF(JAIL_STEADY, "ioctl", 1, TUNSETVNETHDRSZ, "header of virtio-net"),
	ROW_IF_MARGIN(JAIL_STEADY, "ioctl", 1, TUNSETVNETLE, "header of virtio-net 1.0"),
	ROW_IF_MARGIN(JAIL_STEADY, "ioctl", 1, TUNSETVNETBE, "header of virtio-net before 1.0"),
	ROW_IF_SINCE(LATER_QEMU, JAIL_STEADY, "ioctl", 1, TUNSETSTEERINGEBPF,
		     "takes a program off a TAP; there is none to put on"),
	ROW_IF_MARGIN(JAIL_STEADY, "ioctl", 1, TUNGETFEATURES, "what a TAP can do"),
	ROW_IF_MARGIN(JAIL_STEADY, "ioctl", 1, FIONREAD, "bytes that wait in a socket"),

	/* vsock: what a driver in the guest sets up goes to the kernel. */
	ROW_IF_MARGIN(JAIL_START, "ioctl", 1, VHOST_SET_OWNER, "the device is made"),
	ROW_IF_MARGIN(JAIL_START, "ioctl", 1, VHOST_GET_FEATURES, "the device is made"),
	ROW_IF_MARGIN(JAIL_START, "ioctl", 1, VHOST_GET_BACKEND_FEATURES, "the device is made"),
	ROW_IF_MARGIN(JAIL_STEADY, "ioctl", 1, VHOST_SET_BACKEND_FEATURES, "the device is made"),
	ROW_IF_MARGIN(JAIL_START, "ioctl", 1, VHOST_VSOCK_SET_GUEST_CID, "its context id"),
	ROW_IF_MARGIN(JAIL_STEADY, "ioctl", 1, VHOST_SET_FEATURES, "what the driver takes"),
	ROW_IF_MARGIN(JAIL_STEADY, "ioctl", 1, VHOST_SET_MEM_TABLE, "where the memory lies"),
	ROW_IF_MARGIN(JAIL_STEADY, "ioctl", 1, VHOST_SET_VRING_NUM, "a queue's size"),
	ROW_IF_MARGIN(JAIL_STEADY, "ioctl", 1, VHOST_SET_VRING_ADDR, "a queue's place"),
	ROW_IF_MARGIN(JAIL_STEADY, "ioctl", 1, VHOST_SET_VRING_BASE, "a queue's position"),
	ROW_IF_MARGIN(JAIL_STEADY, "ioctl", 1, VHOST_GET_VRING_BASE, "a queue that stops"),
	ROW_IF_MARGIN(JAIL_STEADY, "ioctl", 1, VHOST_SET_VRING_KICK, "a queue's notifications"),
	ROW_IF_MARGIN(JAIL_STEADY, "ioctl", 1, VHOST_SET_VRING_CALL, "a queue's interrupts"),
	ROW_IF_MARGIN(JAIL_STEADY, "ioctl", 1, VHOST_SET_VRING_ERR, "a queue's errors"),
	ROW_IF_MARGIN(JAIL_STEADY, "ioctl", 1, VHOST_VSOCK_SET_RUNNING, "it starts and stops"),

	/* Images on block devices. */
	ROW_IF_MARGIN(JAIL_STEADY, "ioctl", 1, BLKGETSIZE64, "size of a block device"),
	ROW_IF_MARGIN(JAIL_STEADY, "ioctl", 1, BLKSSZGET, "sectors of a block device"),
	ROW_IF_MARGIN(JAIL_STEADY, "ioctl", 1, BLKPBSZGET, "sectors of a block device"),
	ROW_IF_MARGIN(JAIL_STEADY, "ioctl", 1, BLKROTATIONAL, "kind of a block device"),
	ROW_IF_MARGIN(JAIL_STEADY, "ioctl", 1, BLKDISCARD, "discard on a block device"),
	ROW_IF_MARGIN(JAIL_STEADY, "ioctl", 1, BLKZEROOUT, "zeroes on a block device"),
	ROW_IF_SINCE(LATER_QEMU, JAIL_STEADY, "ioctl", 1, FS_IOC_FSGETXATTR, "extents"),
	/* XFS_IOC_DIOINFO */
	ROW_IF_MARGIN(JAIL_STEADY, "ioctl", 1, 0x800c581e, "alignment on XFS"),
	ROW(JAIL_REFUSED, "copy_file_range", "reads and writes instead"),

	/* The loader and the C library. */
	ROW(JAIL_START, "execve", "QEMU itself"),
	ROW(JAIL_START, "openat", "libraries, modules, ROMs, kernel, /dev/kvm"),
	ROW(JAIL_START, "access", "libraries, ROMs"),
	ROW_MARGIN(JAIL_START, "faccessat", "libraries, ROMs"),
	ROW_MARGIN(JAIL_START, "faccessat2", "libraries, ROMs"),
	ROW_MARGIN(JAIL_START, "getdents64", "folders of modules"),
	ROW_IN_VAIN("readlink", EPERM, "where QEMU's own file lies"),
	ROW_MARGIN(JAIL_START, "readlinkat", "where QEMU's own file lies"),
	ROW_MARGIN(JAIL_START, "statx", "files, by later C libraries"),
	ROW_MARGIN(JAIL_START, "getcwd", "names without a folder"),
	ROW_ON(JAIL_X86_64, JAIL_START, "arch_prctl", "thread-local storage"),
	ROW(JAIL_START, "set_tid_address", "the first thread"),
	ROW(JAIL_START, "prlimit64", "the stack's size"),
	ROW_IN_VAIN("sched_getaffinity", EPERM, "how many processors there are"),
	ROW(JAIL_START, "sysinfo", "how much memory there is"),
	ROW_MARGIN(JAIL_START, "uname", "the kernel's version"),
	ROW_MARGIN(JAIL_START, "getuid", "whether it is root"),
	ROW_MARGIN(JAIL_START, "geteuid", "whether it is root"),
	ROW_MARGIN(JAIL_START, "getgid", "whether it is root"),
	ROW_MARGIN(JAIL_START, "getegid", "whether it is root"),
	ROW_IN_VAIN("getppid", EPERM, "who ended it"),

	/* The machine is made. */
	ROW_BITS(JAIL_START, "memfd_create", 1, MFD_ALLOW_SEALING, MFD_ALLOW_SEALING,
		 "the guest's memory"),
	ROW_IF(JAIL_START, "memfd_create", 1, MFD_CLOEXEC | MFD_HUGETLB, "huge pages"),
	ROW_IF_ON(JAIL_NO_SCREEN_FILES, JAIL_START, "memfd_create", 1, MFD_CLOEXEC,
		  "memory, where it cannot be sealed"),
	ROW_IF_ON(JAIL_SCREEN_FILES, JAIL_STEADY, "memfd_create", 1, MFD_CLOEXEC,
		  "the screen, at each size that it takes; QEMU ends where it cannot"),
	ROW(JAIL_START, "statfs", "page size of the guest's memory"),
	ROW(JAIL_START, "fstatfs", "page size of the guest's memory, kind of an image's folder"),
	ROW(JAIL_START, "get_mempolicy", "NUMA"),
	ROW_UNTIL(OLD_QEMU, JAIL_START, "set_mempolicy", "NUMA"),
	ROW_MARGIN(JAIL_START, "mbind", "NUMA"),
	ROW(JAIL_START, "rt_sigaction", "handlers"),
	ROW_MARGIN(JAIL_START, "sigaltstack", "handlers"),
	ROW(JAIL_START, "signalfd4", "signals by the main loop"),
	ROW(JAIL_START, "epoll_create1", "many descriptors at once"),
	ROW(JAIL_REFUSED, "epoll_ctl", "QEMU goes on with ppoll"),
	ROW(JAIL_START, "listen", "monitor, console, agent"),
	/* What SPICE wants later is for TCP. Of that error it takes a socket without it. */
	ROW_IN_VAIN("setsockopt", EOPNOTSUPP, "the TPM's channel"),
	ROW(JAIL_START, "socketpair", "the TPM's data channel"),
	ROW_IN_VAIN("unlink", EPERM, "sockets at the end; they are hv's"),
	ROW_MARGIN(JAIL_START, "dup", "descriptor sets, by earlier and later versions"),
	ROW_MARGIN(JAIL_START, "dup3", "descriptor sets, by earlier and later versions"),
	ROW_MARGIN(JAIL_START, "pipe2", "signals and event loops of libraries"),
	ROW_MARGIN(JAIL_START, "timer_create", "ticks, by earlier and later versions"),

	/* QEMU's own filter, on top of this one. */
	ROW(JAIL_START, "seccomp", "QEMU's own -sandbox"),
	ROW_IF(JAIL_START, "prctl", 0, PR_SET_NO_NEW_PRIVS, "QEMU's own -sandbox"),
	ROW_IF(JAIL_START, "prctl", 0, PR_SET_TIMERSLACK, "precise timers"),
	ROW_IF(JAIL_START, "prctl", 0, PR_MCE_KILL,
	       "memory errors come to the thread that met them"),
	ROW_IF_SINCE(LATER_QEMU, JAIL_START, "prctl", 0, PR_CAPBSET_READ, "capabilities"),
	/* PR_SET_VMA */
	ROW_IF_MARGIN(JAIL_START, "prctl", 0, 0x53564d41, "names of memory, by later C libraries"),

	/* Ways that QEMU tries and does without. */
	ROW(JAIL_REFUSED, "io_uring_setup", "no ring exists, so none is of use after the seal"),
	ROW_MARGIN(JAIL_REFUSED, "userfaultfd", "snapshots in the background would need it later"),
	ROW_MARGIN(JAIL_REFUSED, "set_mempolicy_home_node", "NUMA, later versions"),

	/* KVM: the machine. */
	ROW_KVM(0, JAIL_START, KVM_GET_API_VERSION, "the machine is made"),
	ROW_KVM(0, JAIL_START, KVM_CREATE_VM, "the machine is made"),
	ROW_KVM(0, JAIL_START, KVM_GET_VCPU_MMAP_SIZE, "a processor is made"),
	ROW_KVM(0, JAIL_START, KVM_CREATE_VCPU, "a processor is made"),
	ROW_KVM(0, JAIL_START, KVM_CREATE_DEVICE, "an interrupt controller is made"),
	ROW_KVM(0, JAIL_START, KVM_CREATE_IRQCHIP, "an interrupt controller is made"),
	ROW_KVM(0, JAIL_START, KVM_SET_SIGNAL_MASK, "signals while a guest runs"),
	ROW_KVM(0, JAIL_START, KVM_GET_STATS_FD, "statistics, by later versions"),
	ROW_KVM(0, JAIL_STEADY, KVM_CHECK_EXTENSION, "what KVM can do"),
	ROW_KVM(0, JAIL_STEADY, KVM_ENABLE_CAP, "what KVM can do is switched on"),
	ROW_KVM(0, JAIL_STEADY, KVM_RUN, "the guest runs"),
	ROW_KVM(0, JAIL_STEADY, KVM_SET_USER_MEMORY_REGION, "memory and windows of devices"),
	/* KVM_SET_USER_MEMORY_REGION2 */
	ROW_KVM(0, JAIL_STEADY, 0x40a0ae49, "memory and windows of devices, by later versions"),
	ROW_KVM(0, JAIL_STEADY, KVM_GET_DIRTY_LOG, "snapshots, screens"),
	ROW_KVM(0, JAIL_STEADY, KVM_CLEAR_DIRTY_LOG, "snapshots, screens"),
	ROW_KVM(0, JAIL_STEADY, KVM_IOEVENTFD, "queues of devices"),
	ROW_KVM(0, JAIL_STEADY, KVM_IRQFD, "interrupts of devices"),
	ROW_KVM(0, JAIL_STEADY, KVM_IRQ_LINE, "interrupts of devices"),
	ROW_KVM(0, JAIL_STEADY, KVM_IRQ_LINE_STATUS, "interrupts of devices"),
	ROW_KVM(0, JAIL_STEADY, KVM_SIGNAL_MSI, "interrupts of devices"),
	ROW_KVM(0, JAIL_STEADY, KVM_SET_GSI_ROUTING, "interrupts of devices"),
	ROW_KVM(0, JAIL_STEADY, KVM_REGISTER_COALESCED_MMIO, "registers that are written often"),
	ROW_KVM(0, JAIL_STEADY, KVM_UNREGISTER_COALESCED_MMIO, "registers that are written often"),
	ROW_KVM(0, JAIL_STEADY, KVM_SET_DEVICE_ATTR, "state of an interrupt controller"),
	ROW_KVM(0, JAIL_STEADY, KVM_GET_DEVICE_ATTR, "state of an interrupt controller"),
	ROW_KVM(0, JAIL_STEADY, KVM_HAS_DEVICE_ATTR, "state of an interrupt controller"),
	ROW_KVM(0, JAIL_STEADY, KVM_GET_MP_STATE, "state of a processor"),
	ROW_KVM(0, JAIL_STEADY, KVM_SET_MP_STATE, "state of a processor"),
	ROW_KVM(0, JAIL_STEADY, KVM_GET_REGS, "state of a processor"),
	ROW_KVM(0, JAIL_STEADY, KVM_SET_REGS, "state of a processor"),
	ROW_KVM(0, JAIL_STEADY, KVM_GET_ONE_REG, "state of a processor"),
	ROW_KVM(0, JAIL_STEADY, KVM_SET_ONE_REG, "state of a processor"),
#include "jail/profile_kvm.h"
};

const struct jail_profile jail_profile_qemu = {
	.name = "qemu",
	.rows = rows,
	.n_rows = ARRAY_SIZE(rows),
};
