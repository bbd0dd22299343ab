/* SPDX-License-Identifier: MIT */
/*
 * Which layers of a jail this host's kernel has, found without changing anything: for
 * those who look at a host, and for machines that refuse to start without one.
 */
#ifndef HV_JAIL_SUPPORT_H
#define HV_JAIL_SUPPORT_H

#include <stdbool.h>
#include <stddef.h>

enum jail_support_kind {
	JAIL_SUPPORT_NAMESPACES,
	JAIL_SUPPORT_SECCOMP,
	JAIL_SUPPORT_SEAL, /* seccomp that asks a supervisor */
	JAIL_SUPPORT_LANDLOCK,
	JAIL_SUPPORT_PIDFD,
	JAIL_SUPPORT_CGROUP, /* version 2, to be used by this process */
	JAIL_SUPPORT_LIMITS, /* its controllers */
	JAIL_SUPPORT_CGROUP_SPAWN, /* a process born into its group; no layer of the jail, for
				    * else it joins before it runs anybody's code */
	JAIL_SUPPORT_DEVICES, /* the filter of devices; to be known by root */
	JAIL_SUPPORT_USER_NAMESPACES, /* no layer of the jail; for those who are not root */
	JAIL_SUPPORT_COUNT
};

enum { JAIL_SUPPORT_TEXT = 192 };

struct jail_support {
	struct {
		bool there;
		bool unknown; /* not for this user to know */
		char detail[JAIL_SUPPORT_TEXT]; /* "ABI 7", or what is not there */
	} v[JAIL_SUPPORT_COUNT];
	unsigned landlock_abi; /* 0: none */
	int cgroup_version; /* that limits can be set by: 2, else 1 or 0 */
};

void jail_support_probe(struct jail_support *ret_support);

const char *jail_support_name(enum jail_support_kind kind); /* "landlock" */
/* What a machine goes without where it is missing, and what would bring it. */
const char *jail_support_loss(enum jail_support_kind kind);
const char *jail_support_remedy(enum jail_support_kind kind); /* NULL: none known */
/* Whether the jail is weaker without it. */
bool jail_support_is_layer(enum jail_support_kind kind);

#endif
