/* SPDX-License-Identifier: MIT */
/*
 * Descriptors: unix sockets by folder descriptor, and passing descriptors on.
 * Every descriptor made here is close-on-exec. Socket paths are made by way of
 * /proc/self/fd, so the 108 byte limit holds for the last component only.
 */
#ifndef HV_BASE_FD_H
#define HV_BASE_FD_H

#include <stddef.h>
#include <sys/types.h>

struct error;

int fd_set_nonblock(int fd, struct error *err);

/* A pipe, blocking: what is written to the one end is read from the other. */
int fd_pipe(int *ret_read, int *ret_write, struct error *err);

/* One whose reader has an event loop: its end does not block. */
int fd_pipe_watched(int *ret_read, int *ret_write, struct error *err);

/* The two ends of a connection by unix stream sockets, blocking. */
int fd_socketpair(int *ret_one, int *ret_other, struct error *err);

/* How much may be sent to a unix socket before its reader has to come: that many bytes, or as many
 * as the caller may ask for. */
void fd_give_room(int sock, int bytes);

/* Listens on a unix stream socket at dirfd/name with the given mode, in place
 * of a stale one. The socket is non-blocking. */
int fd_listen_unix(int dirfd, const char *name, mode_t mode, int *ret_fd, struct error *err);

/* Connects to the unix stream socket dirfd/name; the result is blocking. Does
 * not wait: -EAGAIN where the backlog is full. */
int fd_connect_unix(int dirfd, const char *name, int *ret_fd, struct error *err);

enum { FD_PASS_MAX = 16 };

/* Sends data (at least one byte) with descriptors; they stay the caller's. */
int fd_send(int sock, const void *data, size_t len, const int *fds, size_t n_fds,
	    struct error *err);

/* Receives at most size bytes and up to FD_PASS_MAX descriptors, which become
 * the caller's, close-on-exec. Returns the number of bytes, 0 at the end. A
 * message that carries more descriptors, or a packet that is longer, is -EMSGSIZE,
 * and they are closed. */
ssize_t fd_receive(int sock, void *buf, size_t size, int *ret_fds, size_t *ret_n_fds,
		   struct error *err);

/* uid, gid and pid of the process that connected. */
int fd_peer(int sock, uid_t *ret_uid, gid_t *ret_gid, pid_t *ret_pid, struct error *err);

#endif
