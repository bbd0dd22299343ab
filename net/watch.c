/* SPDX-License-Identifier: MIT */
/* Link changes as an event source, of net/link.h. */
#include "net/link.h"

#include "base/cleanup.h"
#include "base/error.h"

#include <errno.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <sys/socket.h>
#include <unistd.h>

int net_watch_open(int *ret_fd, struct error *err)
{
	struct sockaddr_nl address = {.nl_family = AF_NETLINK, .nl_groups = RTMGRP_LINK};
	cleanup_close int fd =
		socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, NETLINK_ROUTE);

	if (fd < 0 || bind(fd, (struct sockaddr *)&address, sizeof(address)) < 0)
		return error_errno(err, errno, "watch links");
	*ret_fd = steal_fd(&fd);
	return 0;
}

/* Whether a message is about the bridge itself or one of its ports. */
static bool concerns(struct nlmsghdr *h, unsigned ifindex)
{
	struct ifinfomsg *info = NLMSG_DATA(h);
	int left = (int)IFLA_PAYLOAD(h);

	if (h->nlmsg_type != RTM_NEWLINK && h->nlmsg_type != RTM_DELLINK)
		return false;
	if ((unsigned)info->ifi_index == ifindex)
		return true;
	for (struct rtattr *a = IFLA_RTA(info); RTA_OK(a, left); a = RTA_NEXT(a, left))
		if (a->rta_type == IFLA_MASTER && *(const unsigned *)RTA_DATA(a) == ifindex)
			return true;
	return false;
}

int net_watch_drain(int fd, unsigned ifindex, bool *ret_concerned, struct error *err)
{
	bool concerned = false;

	for (;;) {
		_Alignas(struct nlmsghdr) char buf[32768];
		ssize_t n = recv(fd, buf, sizeof(buf), MSG_DONTWAIT);
		unsigned left = (unsigned)n;

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && errno == ENOBUFS) {
			concerned = true;
			continue;
		}
		if (n < 0 && errno != EAGAIN)
			return error_errno(err, errno, "watch links");
		if (n <= 0)
			break;
		for (struct nlmsghdr *h = (struct nlmsghdr *)(void *)buf; NLMSG_OK(h, left);
		     h = NLMSG_NEXT(h, left))
			concerned = concerned || concerns(h, ifindex);
	}
	*ret_concerned = concerned;
	return 0;
}
