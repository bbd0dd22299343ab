/* SPDX-License-Identifier: MIT */
/*
 * What the jail of a process really is, as /proc tells of it. Nothing here knows what
 * was meant; changes nothing and does not block.
 */
#ifndef HV_JAIL_LOOK_H
#define HV_JAIL_LOOK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct error;

enum jail_namespace {
	JAIL_NS_MOUNT,
	JAIL_NS_PID,
	JAIL_NS_NET,
	JAIL_NS_IPC,
	JAIL_NS_UTS,
	JAIL_NS_CGROUP,
	JAIL_NS_USER,
	JAIL_NS_COUNT
};

const char *jail_namespace_name(enum jail_namespace ns); /* "mount", "pid" */
/* The name of its file in /proc/PID/ns: "mnt", "pid". */
const char *jail_namespace_file(enum jail_namespace ns);

#define JAIL_UNLIMITED UINT64_MAX

struct jail_facts {
	/* Real, effective, saved and of the file system. */
	uid_t uid[4];
	gid_t gid[4];
	size_t n_groups; /* supplementary ones */
	uint64_t cap_inheritable, cap_permitted, cap_effective, cap_bounding, cap_ambient;
	bool no_new_privs;
	unsigned seccomp_mode; /* 0: none, 1: strict, 2: filter */
	int seccomp_filters; /* -1: this kernel does not tell */
	/* What follows is for root (or its own user) to know; false: it is not known. */
	bool deep;
	bool own_namespace[JAIL_NS_COUNT]; /* another than the caller's */
	unsigned mounts, writable_mounts;
	uint64_t core_max, files_max; /* hard limits; JAIL_UNLIMITED */
	int cgroup_version; /* 0: none */
	/* Of version 2; NULL where it is not known, or (the limits) not to be seen. */
	char *cgroup_path;
	char *cgroup_cpu_max, *cgroup_memory_max, *cgroup_pids_max, *cgroup_io_max;
};

/* 0, -ESRCH where it is gone, or what /proc says. A process that has ended but was not
 * reaped has no facts: -ESRCH. */
int jail_look(pid_t pid, struct jail_facts *ret_facts, struct error *err);
void jail_facts_free(struct jail_facts *facts); /* accepts a zeroed one */

#endif
