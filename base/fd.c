/* SPDX-License-Identifier: MIT */
#include "base/fd.h"

#include "base/cleanup.h"
#include "base/error.h"
#include "base/str.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

int fd_set_nonblock(int fd, struct error *err)
{
	int flags = fcntl(fd, F_GETFL);

	if (flags < 0 || fcntl(fd, F_SETFL, flags | O_NONBLOCK) < 0)
		return error_errno(err, errno, "make descriptor %d non-blocking", fd);
	return 0;
}

int fd_pipe(int *ret_read, int *ret_write, struct error *err)
{
	int fds[2];

	if (pipe2(fds, O_CLOEXEC) < 0)
		return error_errno(err, errno, "pipe");
	*ret_read = fds[0];
	*ret_write = fds[1];
	return 0;
}

int fd_pipe_watched(int *ret_read, int *ret_write, struct error *err)
{
	int rc = fd_pipe(ret_read, ret_write, err);

	if (rc == 0)
		rc = fd_set_nonblock(*ret_read, err);
	return rc;
}

int fd_socketpair(int *ret_one, int *ret_other, struct error *err)
{
	int fds[2];

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds) < 0)
		return error_errno(err, errno, "socketpair");
	*ret_one = fds[0];
	*ret_other = fds[1];
	return 0;
}

void fd_give_room(int sock, int bytes)
{
	if (setsockopt(sock, SOL_SOCKET, SO_SNDBUFFORCE, &bytes, sizeof(bytes)) < 0)
		(void)setsockopt(sock, SOL_SOCKET, SO_SNDBUF, &bytes, sizeof(bytes));
}

static int make_address(int dirfd, const char *name, struct sockaddr_un *ret_address,
			struct error *err)
{
	*ret_address = (struct sockaddr_un){.sun_family = AF_UNIX};
	if (!str_format(ret_address->sun_path, sizeof(ret_address->sun_path), "/proc/self/fd/%d/%s",
			dirfd, name))
		return error_set(err, ENAMETOOLONG, "socket name '%s' is too long", name);
	return 0;
}

int fd_listen_unix(int dirfd, const char *name, mode_t mode, int *ret_fd, struct error *err)
{
	cleanup_close int fd = -1;
	struct sockaddr_un address;
	int rc;

	rc = make_address(dirfd, name, &address, err);
	if (rc < 0)
		return rc;
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return error_errno(err, errno, "socket");
	if (unlinkat(dirfd, name, 0) < 0 && errno != ENOENT)
		return error_errno(err, errno, "remove stale socket '%s'", name);
	/* Born closed: nobody connects between bind() and chmod(). */
	if (fchmod(fd, 0) < 0)
		return error_errno(err, errno, "restrict socket '%s'", name);
	if (bind(fd, (struct sockaddr *)&address, sizeof(address)) < 0)
		return error_errno(err, errno, "bind socket '%s'", name);
	rc = fchmodat(dirfd, name, mode, 0);
	if (rc == 0)
		rc = listen(fd, SOMAXCONN);
	if (rc < 0) {
		rc = error_errno(err, errno, "listen on socket '%s'", name);
		(void)unlinkat(dirfd, name, 0);
		return rc;
	}
	*ret_fd = steal_fd(&fd);
	return 0;
}

int fd_connect_unix(int dirfd, const char *name, int *ret_fd, struct error *err)
{
	cleanup_close int fd = -1;
	struct sockaddr_un address;
	int rc;

	rc = make_address(dirfd, name, &address, err);
	if (rc < 0)
		return rc;
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return error_errno(err, errno, "socket");
	if (connect(fd, (struct sockaddr *)&address, sizeof(address)) < 0)
		return error_errno(err, errno, "connect to socket '%s'", name);
	if (fcntl(fd, F_SETFL, 0) < 0)
		return error_errno(err, errno, "socket '%s'", name);
	*ret_fd = steal_fd(&fd);
	return 0;
}

int fd_send(int sock, const void *data, size_t len, const int *fds, size_t n_fds, struct error *err)
{
	union {
		struct cmsghdr align;
		char bytes[CMSG_SPACE(sizeof(int) * FD_PASS_MAX)];
	} control = {0};
	struct iovec iov = {.iov_base = (void *)data, .iov_len = len};
	struct msghdr msg = {.msg_iov = &iov, .msg_iovlen = 1};
	ssize_t n;

	if (n_fds > FD_PASS_MAX || !len)
		return error_set(err, EINVAL, "send: %zu descriptors, %zu bytes", n_fds, len);
	if (n_fds) {
		struct cmsghdr *c;

		msg.msg_control = control.bytes;
		msg.msg_controllen = CMSG_SPACE(sizeof(int) * n_fds);
		c = CMSG_FIRSTHDR(&msg);
		c->cmsg_level = SOL_SOCKET;
		c->cmsg_type = SCM_RIGHTS;
		c->cmsg_len = CMSG_LEN(sizeof(int) * n_fds);
		memcpy(CMSG_DATA(c), fds, sizeof(int) * n_fds);
	}
	do
		n = sendmsg(sock, &msg, MSG_NOSIGNAL);
	while (n < 0 && errno == EINTR);
	if (n < 0)
		return error_errno(err, errno, "send");
	/* The descriptors went with the first byte; the rest is plain bytes. */
	for (size_t done = (size_t)n; done < len; done += (size_t)n) {
		n = send(sock, (const char *)data + done, len - done, MSG_NOSIGNAL);
		if (n < 0 && errno == EINTR)
			n = 0;
		else if (n < 0)
			return error_errno(err, errno, "send");
	}
	return 0;
}

ssize_t fd_receive(int sock, void *buf, size_t size, int *ret_fds, size_t *ret_n_fds,
		   struct error *err)
{
	union {
		struct cmsghdr align;
		char bytes[CMSG_SPACE(sizeof(int) * FD_PASS_MAX)];
	} control;
	struct iovec iov = {.iov_base = buf, .iov_len = size};
	struct msghdr msg = {
		.msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = control.bytes,
		.msg_controllen = sizeof(control.bytes),
	};
	int fds[FD_PASS_MAX];
	size_t n_fds = 0;
	ssize_t n;

	do
		n = recvmsg(sock, &msg, MSG_CMSG_CLOEXEC);
	while (n < 0 && errno == EINTR);
	if (n < 0)
		return error_errno(err, errno, "receive");
	for (struct cmsghdr *c = CMSG_FIRSTHDR(&msg); c; c = CMSG_NXTHDR(&msg, c)) {
		size_t got;

		if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS)
			continue;
		got = (c->cmsg_len - CMSG_LEN(0)) / sizeof(int);
		for (size_t i = 0; i < got; i++) {
			int fd;

			memcpy(&fd, CMSG_DATA(c) + i * sizeof(int), sizeof(int));
			if (n_fds < FD_PASS_MAX)
				fds[n_fds++] = fd;
			else
				close(fd);
		}
	}
	if (msg.msg_flags & (MSG_CTRUNC | MSG_TRUNC)) {
		for (size_t i = 0; i < n_fds; i++)
			close(fds[i]);
		return msg.msg_flags & MSG_TRUNC
			       ? error_set(err, EMSGSIZE, "receive: over %zu bytes", size)
			       : error_set(err, EMSGSIZE, "receive: more than %d descriptors",
					   FD_PASS_MAX);
	}
	memcpy(ret_fds, fds, n_fds * sizeof(int));
	*ret_n_fds = n_fds;
	return n;
}

int fd_peer(int sock, uid_t *ret_uid, gid_t *ret_gid, pid_t *ret_pid, struct error *err)
{
	struct ucred cred;
	socklen_t len = sizeof(cred);

	if (getsockopt(sock, SOL_SOCKET, SO_PEERCRED, &cred, &len) < 0)
		return error_errno(err, errno, "credentials of the peer");
	*ret_uid = cred.uid;
	*ret_gid = cred.gid;
	*ret_pid = cred.pid;
	return 0;
}
