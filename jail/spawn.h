/* SPDX-License-Identifier: MIT */
/*
 * The way into confinement: QEMU, swtpm and dnsmasq are started here and
 * nowhere else. A jailed process has a session, a uid and gid of its own, no
 * capability in any set but the ambient ones named here, no_new_privs, no core
 * dumps, an empty environment, and exactly the descriptors it is given.
 */
#ifndef HV_JAIL_SPAWN_H
#define HV_JAIL_SPAWN_H

#include "base/child.h"

#include <stddef.h>
#include <sys/types.h>

struct error;

/*
 * uids and gids for jails: 1950000000 to 1950065535, in a part of the number
 * space that neither Debian's adduser, nor systemd (homed, containers, dynamic
 * and foreign users), nor subuid allocations use.
 */
enum { JAIL_UID_FIRST = 1950000000, JAIL_UID_COUNT = 65536 };

enum { JAIL_CAPS_MAX = 8 };

/* The one variable in the environment of what is started here. */
#define JAIL_MARK "HV_OWNER"

/* Every Debian has it, and nothing that is started here looks into it. */
#define JAIL_FOLDER "/mnt"

struct jail_spec {
	const char *program; /* absolute path */
	char *const *argv;
	const char *owner; /* whose it is: the value of JAIL_MARK */
	uid_t uid; /* never 0 */
	gid_t gid; /* never 0 */
	/* A character device ("/dev/kvm") that the user may open, by a node of
	 * its own in a mount namespace of its own; NULL: none. */
	const char *device;
	int caps[JAIL_CAPS_MAX]; /* CAP_… to keep, also across exec */
	size_t n_caps;
	const struct child_fd *fds;
	size_t n_fds;
	int stderr_fd; /* -1: /dev/null; standard input and output always are */
	int cwd_fd; /* -1: "/" */
	/* A folder that appears at JAIL_FOLDER in a mount namespace of its own,
	 * so that the process reaches it whatever lies above; -1: none. */
	int folder_fd;
	int cgroup_fd; /* cgroup v2 folder to live in; -1: the caller's */
	/* Instead of a program, as in base/child.h. */
	int (*run)(void *arg);
	void *run_arg;
};

/* As child_spawn(). -EPERM where the caller may not change its user. */
int jail_spawn(const struct jail_spec *spec, struct child *ret_child, struct error *err);

#endif
