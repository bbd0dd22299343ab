/* SPDX-License-Identifier: MIT */
/* Private to net/: rtnetlink requests, one or a batch, each acknowledged with
 * the kernel's own errno. */
#ifndef HV_NET_RTNL_H
#define HV_NET_RTNL_H

#include <netlink/msg.h>
#include <netlink/netlink.h>
#include <stdbool.h>
#include <stddef.h>

struct error;

int net_rtnl_open(struct nl_sock **ret_sock, struct error *err);

static inline void cleanup_nl_sock_fn(struct nl_sock **s)
{
	if (*s)
		nl_socket_free(*s);
}
#define cleanup_nl_sock __attribute__((cleanup(cleanup_nl_sock_fn)))

/* A message of type (RTM_NEWLINK …) for one link. Add attributes, then send. */
struct nl_msg *net_rtnl_link_message(int type, int flags, unsigned ifindex, bool up);

/* Sends all messages in one write and collects every answer; the messages are
 * freed. 0, or the first -errno (err untouched). A NULL message is -ENOMEM. */
int net_rtnl_send(struct nl_sock *sock, struct nl_msg **msgs, size_t n);

#endif
