/* SPDX-License-Identifier: MIT */
#include "net/rtnl.h"

#include "base/cleanup.h"
#include "base/error.h"
#include "base/str.h"

#include <errno.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <sys/socket.h>

int net_rtnl_open(struct nl_sock **ret_sock, struct error *err)
{
	struct nl_sock *sock = nl_socket_alloc();
	int rc;

	if (!sock)
		return error_oom(err);
	rc = nl_connect(sock, NETLINK_ROUTE);
	if (rc < 0) {
		nl_socket_free(sock);
		return error_set(err, EIO, "rtnetlink: %s", nl_geterror(rc));
	}
	*ret_sock = sock;
	return 0;
}

struct nl_msg *net_rtnl_link_message(int type, int flags, unsigned ifindex, bool up)
{
	struct ifinfomsg info = {
		.ifi_family = AF_UNSPEC,
		.ifi_index = (int)ifindex,
		.ifi_flags = up ? IFF_UP : 0,
		.ifi_change = up ? IFF_UP : 0,
	};
	struct nl_msg *msg = nlmsg_alloc_simple(type, flags | NLM_F_REQUEST | NLM_F_ACK);

	if (msg && nlmsg_append(msg, &info, sizeof(info), NLMSG_ALIGNTO) < 0) {
		nlmsg_free(msg);
		return NULL;
	}
	return msg;
}

/* Reads answers until each of the n requests numbered from first has one. */
static int collect_acks(int fd, unsigned first, size_t n)
{
	int failure = 0;
	size_t seen = 0;

	while (seen < n) {
		_Alignas(struct nlmsghdr) char buf[16384];
		ssize_t got = recv(fd, buf, sizeof(buf), 0);
		int left = (int)got;

		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0)
			return -errno;
		for (struct nlmsghdr *h = (struct nlmsghdr *)(void *)buf; nlmsg_ok(h, left);
		     h = nlmsg_next(h, &left)) {
			const struct nlmsgerr *answer = nlmsg_data(h);

			if (h->nlmsg_type != NLMSG_ERROR || h->nlmsg_seq - first >= n)
				continue;
			seen++;
			if (answer->error && !failure)
				failure = answer->error;
		}
	}
	return failure;
}

int net_rtnl_send(struct nl_sock *sock, struct nl_msg **msgs, size_t n)
{
	cleanup_strbuf struct strbuf batch = {0};
	unsigned first = 0;
	bool complete = true;

	for (size_t i = 0; i < n; i++) {
		if (msgs[i]) {
			struct nlmsghdr *h = nlmsg_hdr(msgs[i]);

			/* The socket counts up, one number a message. */
			h->nlmsg_seq = nl_socket_use_seq(sock);
			first = i ? first : h->nlmsg_seq;
			h->nlmsg_pid = nl_socket_get_local_port(sock);
			strbuf_add(&batch, h, NLMSG_ALIGN(h->nlmsg_len));
			nlmsg_free(msgs[i]);
		} else {
			complete = false;
		}
	}
	if (!complete || batch.failed)
		return -ENOMEM;
	if (send(nl_socket_get_fd(sock), batch.data, batch.len, 0) < 0)
		return -errno;
	return collect_acks(nl_socket_get_fd(sock), first, n);
}
