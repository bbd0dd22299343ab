/* SPDX-License-Identifier: MIT */
#include "vmm/keeper/vnc_tcp.h"

#include "base/cleanup.h"
#include "base/error.h"
#include "lab/spec.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string.h>
#include <sys/socket.h>

enum { BACKLOG = 16 };

union address {
	struct sockaddr any;
	struct sockaddr_in four;
	struct sockaddr_in6 six;
};

static socklen_t fill(const struct spec_vnc *vnc, union address *to)
{
	memset(to, 0, sizeof(*to));
	if (inet_pton(AF_INET, vnc->address, &to->four.sin_addr) == 1) {
		to->four.sin_family = AF_INET;
		to->four.sin_port = htons(vnc->port);
		return sizeof(to->four);
	}
	to->six.sin6_family = AF_INET6;
	to->six.sin6_port = htons(vnc->port);
	(void)inet_pton(AF_INET6, vnc->address, &to->six.sin6_addr);
	return sizeof(to->six);
}

int vnc_tcp_listen(const struct spec_vnc *vnc, int *ret_fd, struct error *err)
{
	union address address;
	socklen_t len = fill(vnc, &address);
	cleanup_close int fd =
		socket(address.any.sa_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	int on = 1;

	/* What is accepted inherits both; QEMU may not ask for them any more. */
	if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) < 0 ||
	    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on)) < 0 ||
	    setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof(on)) < 0 ||
	    (address.any.sa_family == AF_INET6 &&
	     setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof(on)) < 0) ||
	    bind(fd, &address.any, len) < 0 || listen(fd, BACKLOG) < 0)
		return error_errno(err, errno, "vnc: listen at %s, port %u", vnc->address,
				   vnc->port);
	*ret_fd = steal_fd(&fd);
	return 0;
}
