/* SPDX-License-Identifier: MIT */
#include "base/channel.h"

#include "base/cleanup.h"
#include "base/error.h"
#include "base/fd.h"

#include <errno.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

enum { SEND_MS = 1000 };

int channel_pair(int *ret_one, int *ret_other, struct error *err)
{
	int fds[2];

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, fds) < 0)
		return error_errno(err, errno, "socketpair");
	*ret_one = fds[0];
	*ret_other = fds[1];
	return 0;
}

int channel_send(int channel, const void *message, size_t size, int fd, struct error *err)
{
	int rc = fd_send(channel, message, size, &fd, fd >= 0, err);

	if (rc == -EAGAIN) {
		struct pollfd p = {.fd = channel, .events = POLLOUT};

		(void)poll(&p, 1, SEND_MS);
		rc = fd_send(channel, message, size, &fd, fd >= 0, err);
	}
	return rc < 0 ? rc : 0;
}

int channel_receive(int channel, void *ret_message, size_t size, int *ret_fd, struct error *err)
{
	int fds[FD_PASS_MAX];
	size_t n_fds = 0;
	ssize_t n = fd_receive(channel, ret_message, size, fds, &n_fds, err);

	if (n <= 0)
		return (int)n;
	if ((size_t)n != size || n_fds > (ret_fd ? 1U : 0U)) {
		for (size_t i = 0; i < n_fds; i++)
			(void)close(fds[i]);
		return error_set(err, EPROTO, "a message of %zd bytes and %zu descriptors", n,
				 n_fds);
	}
	if (ret_fd)
		*ret_fd = n_fds ? fds[0] : -1;
	return 1;
}
