/* SPDX-License-Identifier: MIT */
#include "vmm/supervisor/peer.h"

#include "base/cleanup.h"
#include "base/error.h"
#include "base/fd.h"
#include "base/str.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>

#define DEFAULT_GROUP "hv"

enum { ENTRY_BYTES_MAX = 1024 * 1024, SYSTEM_ENTRY_BYTES_MAX = 64 * 1024 };

/* 0, -ENOENT, or -errno where the name service failed. A group with many members
 * has a long entry. */
static int find_group(const char *name, gid_t *ret_group)
{
	int rc = ERANGE;

	for (size_t size = 4096; rc == ERANGE && size <= ENTRY_BYTES_MAX; size *= 4) {
		cleanup_free char *buf = malloc(size);
		struct group entry, *found = NULL;

		if (!buf)
			return -ENOMEM;
		rc = getgrnam_r(name, &entry, buf, size, &found);
		if (rc == 0 && found) {
			*ret_group = entry.gr_gid;
			return 0;
		}
		/* Some say so in place of finding nothing. */
		if (rc == 0 || rc == ESRCH || rc == EBADF || rc == EPERM)
			rc = ENOENT;
	}
	return -rc;
}

/* The usual name is a system group of this host. To ask every name service for it, most
 * of which are libraries to be loaded first, would cost each start a millisecond. */
static int find_system_group(gid_t *ret_group)
{
	cleanup_fclose FILE *f = fopen("/etc/group", "re");
	cleanup_free char *buf = malloc(SYSTEM_ENTRY_BYTES_MAX);
	struct group entry, *found = NULL;
	int rc;

	if (!f || !buf)
		return !buf ? -ENOMEM : errno == ENOENT ? -ENOENT : -errno;
	/* An entry that is too long is not the one: this group has few members. */
	do
		rc = fgetgrent_r(f, &entry, buf, SYSTEM_ENTRY_BYTES_MAX, &found);
	while (rc == ERANGE || (rc == 0 && !str_eq(entry.gr_name, DEFAULT_GROUP)));
	if (rc)
		return -ENOENT;
	*ret_group = entry.gr_gid;
	return 0;
}

int peer_group(gid_t *ret_group, struct error *err)
{
	const char *wanted = secure_getenv("HV_GROUP"), *name = wanted ? wanted : DEFAULT_GROUP;
	gid_t group = PEER_NO_GROUP;
	uint64_t number;
	int rc = 0;

	if (wanted && str_parse_u64(wanted, (uint64_t)PEER_NO_GROUP - 1, &number))
		group = (gid_t)number;
	else if (wanted && *name)
		rc = find_group(name, &group);
	else if (!wanted)
		rc = find_system_group(&group);
	/* That there is none by the usual name is how most hosts begin. */
	if (rc < 0 && (wanted || rc != -ENOENT))
		return rc == -ENOENT ? error_set(err, ENOENT,
						 "HV_GROUP '%s': there is no such group", name)
				     : error_errno(err, -rc, "look up the group '%s'", name);
	if (group == 0)
		return error_set(err, EINVAL,
				 "HV_GROUP '%s': root's group does not stand for more "
				 "than root",
				 name);
	*ret_group = group;
	return 0;
}

static bool is_among_groups(int sock, gid_t group)
{
	cleanup_free gid_t *groups = NULL;
	socklen_t len = 0;

	/* Asked with no room, it says how much it takes. */
	if (getsockopt(sock, SOL_SOCKET, SO_PEERGROUPS, NULL, &len) == 0 || errno != ERANGE)
		return false;
	groups = malloc(len);
	if (!groups || getsockopt(sock, SOL_SOCKET, SO_PEERGROUPS, groups, &len) < 0)
		return false;
	for (size_t i = 0; i < len / sizeof(*groups); i++)
		if (groups[i] == group)
			return true;
	return false;
}

bool peer_is_allowed(int sock, gid_t group)
{
	uid_t uid;
	gid_t gid;
	pid_t pid;

	if (fd_peer(sock, &uid, &gid, &pid, NULL) < 0)
		return false;
	if (uid == 0 || uid == geteuid())
		return true;
	return group != PEER_NO_GROUP && (gid == group || is_among_groups(sock, group));
}

int peer_listen(int dirfd, const char *name, gid_t group, int *ret_fd, struct error *err)
{
	cleanup_close int fd = -1;
	int rc;

	rc = fd_listen_unix(dirfd, name, 0600, &fd, err);
	if (rc < 0)
		return rc;
	if (group != PEER_NO_GROUP &&
	    (fchownat(dirfd, name, (uid_t)-1, group, AT_SYMLINK_NOFOLLOW) < 0 ||
	     fchmodat(dirfd, name, 0660, 0) < 0)) {
		rc = error_errno(err, errno, "open the socket to its group");
		(void)unlinkat(dirfd, name, 0);
		return rc;
	}
	*ret_fd = steal_fd(&fd);
	return 0;
}
