/* SPDX-License-Identifier: MIT */
/*
 * The way into confinement: QEMU, swtpm, dnsmasq and the part of a supervisor that
 * reads what strangers say are started here and nowhere else.
 *
 * A jailed process has namespaces, a user and a group of its own, a root that holds
 * nothing but what is bound into it, no capability in any set but the ambient ones
 * named here, no_new_privs, no core dumps, limits, Landlock and a system call filter,
 * an environment that its starter chose, and exactly the descriptors it is given.
 */
#ifndef HV_JAIL_SPAWN_H
#define HV_JAIL_SPAWN_H

#include "base/child.h"
#include "jail/profile.h"
#include "jail/seal.h"

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

struct error;

/*
 * uids and gids for jails: 1950000000 to 1950065535, in a part of the number
 * space that neither Debian's adduser, nor systemd (homed, containers, dynamic
 * and foreign users), nor subuid allocations use.
 */
enum { JAIL_UID_FIRST = 1950000000, JAIL_UID_COUNT = 65536 };

enum { JAIL_CAPS_MAX = 8, JAIL_BINDS_MAX = 128, JAIL_SETTINGS_MAX = 8 };

/* Whose it is, in the environment of what is started here. */
#define JAIL_MARK "HV_OWNER"

/* The layers of a jail, for what the kernel has and for tests that take one away. */
enum jail_layer {
	JAIL_LAYER_MOUNT, /* mount namespace, pivot_root into a read-only tmpfs */
	JAIL_LAYER_PID,
	JAIL_LAYER_NET, /* an empty network namespace */
	JAIL_LAYER_IPC,
	JAIL_LAYER_UTS,
	JAIL_LAYER_CGROUP, /* cgroup namespace */
	JAIL_LAYER_USER, /* a uid and gid of its own, no groups */
	JAIL_LAYER_CAPS, /* no capability in any set; no_new_privs */
	JAIL_LAYER_LIMITS, /* rlimits */
	JAIL_LAYER_LANDLOCK,
	JAIL_LAYER_SECCOMP,
	JAIL_LAYER_COUNT
};

const char *jail_layer_name(enum jail_layer layer); /* "mount", "landlock" */

/*
 * Something that is seen in the jail's root. Most are binds of the host's own files
 * and folders; folders are not followed into what is mounted on them. The others are
 * made in the root itself, which lies in memory and can be written to by nobody.
 */
struct jail_bind {
	const char *source; /* path on the host, or NULL: fd */
	int fd; /* where source is NULL: the folder or file itself */
	const char *target; /* absolute path in the jail; NULL: as source */
	bool writable; /* else read-only; nosuid and nodev always */
	bool executable; /* else noexec; what is loaded has to be it, too */
	bool optional; /* a source that is not there is passed over */
	bool runs; /* with executable: may be given to execve(), not only loaded */
	bool within; /* is seen already in a folder bound before: only runs is new */
	bool copy; /* a copy of the file: for one that the user may not read */
	bool device; /* a character device: a node of its own, for this user; where nodes may
		      * not be made, the host's, if everybody may open that */
	const char *text; /* a file with these words; no source */
	const char *link; /* a symbolic link to there; no source */
};

struct jail_spec {
	const char *program; /* absolute path; a name where run is set */
	char *const *argv;
	const char *owner; /* whose it is: the value of JAIL_MARK */
	uid_t uid; /* never 0 */
	gid_t gid; /* never 0 */
	const struct jail_bind *binds;
	size_t n_binds;
	/* A character device ("/dev/kvm") that the user may open, by a node of
	 * its own in the jail; NULL: none. */
	const char *device;
	int caps[JAIL_CAPS_MAX]; /* CAP_… to keep, also across exec */
	size_t n_caps;
	bool host_network; /* stays in the caller's network namespace (dnsmasq) */
	bool host_pids; /* and in its pid namespace: it has to know its peers by pid */
	unsigned files_max; /* RLIMIT_NOFILE; 0: 256 */
	const struct jail_profile *profile; /* system calls; NULL: all of them */
	struct jail_situation situation; /* which of the profile's rows apply */
	bool dies_with_parent; /* SIGKILL when the caller ends */
	/* What it gets where it opens the file of its guest's memory (jail/seal.h); 0: none. Where
	 * calls are watched it is the listener's holder who gives it. */
	int memory_fd;
	int cgroup_fd; /* cgroup v2 folder to be born into; -1: the caller's */
	unsigned without; /* bits 1 << enum jail_layer to leave out; 0 but in tests */
	const struct child_fd *fds;
	size_t n_fds;
	int stderr_fd; /* -1: /dev/null; standard input and output always are */
	const char *cwd; /* in the jail; NULL: "/" */
	/* Its environment beside JAIL_MARK: "NAME=VALUE" each. */
	const char *const *settings;
	size_t n_settings;
	/* Instead of a program, as in base/child.h. */
	int (*run)(void *arg);
	void *run_arg;
};

struct jailed {
	struct child process;
	/* Where its profile has system calls for the start only: they wait here
	 * for jail_seal_answer() (jail/seal.h); -1: none. */
	int listener;
	/* Answers them by itself until it is stopped, but where the profile is
	 * watched; to be stopped before the listener's holder answers. */
	struct jail_answerer answerer;
	/* Holds its network namespace, whose end takes the kernel some 20 ms: to be
	 * closed when nobody waits any more; -1: none. */
	int net_ns;
};

#define JAILED_INIT                                                                    \
	{                                                                              \
		.process = CHILD_INIT, .listener = -1, .answerer = JAIL_ANSWERER_INIT, \
		.net_ns = -1                                                           \
	}

/* As child_spawn(): that exec succeeded is known on return. -EPERM where the caller
 * may not change its user. */
int jail_spawn(const struct jail_spec *spec, struct jailed *ret_jailed, struct error *err);

/* Kills and reaps it, and lets go of the rest. Accepts JAILED_INIT. */
void jailed_destroy(struct jailed *j);

#endif
