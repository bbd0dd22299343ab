/* SPDX-License-Identifier: MIT */
/*
 * Who may act on a machine or a network by its sockets: root, and the members of one
 * group, "hv" where the host has it. The folders and sockets below RUN belong to that
 * group, so that others do not even get through; who does is looked at once more, by
 * the credentials that the kernel noted when he connected.
 */
#ifndef HV_VMM_PEER_H
#define HV_VMM_PEER_H

#include <stdbool.h>
#include <sys/types.h>

struct error;

/* No group at all: root alone may act. */
#define PEER_NO_GROUP ((gid_t)-1)

/* What one hears who may not. */
#define PEER_REFUSED "only root and members of the group hv may do that"

/*
 * The group, "hv" as /etc/group has it, or PEER_NO_GROUP. $HV_GROUP names another one (its
 * name, for which the name service is asked, or its number; empty: none), which has to
 * exist; only who starts a supervisor sets that, so it is read before any stranger is
 * heard. Group 0 is no such group.
 */
int peer_group(gid_t *ret_group, struct error *err);

/* Whether who connected to (or made) this unix socket is root, a member of the group by his
 * primary or a supplementary one, or runs as the very user that asks here. */
bool peer_is_allowed(int sock, gid_t group);

/* As fd_listen_unix() with mode 0660 for root and the group; 0600 without one. */
int peer_listen(int dirfd, const char *name, gid_t group, int *ret_fd, struct error *err);

#endif
