/* SPDX-License-Identifier: MIT */
/* TAPs, of net/link.h. */
#include "net/link.h"

#include "base/cleanup.h"
#include "base/error.h"
#include "base/str.h"
#include "net/rtnl.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/if_link.h>
#include <linux/if_tun.h>
#include <linux/rtnetlink.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <unistd.h>

static int open_tap(int *ret_fd, char name[static IFNAMSIZ], struct error *err)
{
	struct ifreq request = {.ifr_flags = IFF_TAP | IFF_NO_PI | IFF_VNET_HDR};
	cleanup_close int fd = open("/dev/net/tun", O_RDWR | O_CLOEXEC | O_NONBLOCK);

	if (fd < 0)
		return errno == ENOENT
			       ? error_set(err, ENODEV, "/dev/net/tun is missing (modprobe tun)")
			       : error_errno(err, errno, "open /dev/net/tun");
	(void)str_format(request.ifr_name, IFNAMSIZ, "hvtap%%d");
	if (ioctl(fd, TUNSETIFF, &request) < 0)
		return error_errno(err, errno, "create a TAP%s",
				   errno == EPERM ? " (needs CAP_NET_ADMIN)" : "");
	(void)str_format(name, IFNAMSIZ, "%s", request.ifr_name);
	*ret_fd = steal_fd(&fd);
	return 0;
}

static struct nl_msg *join_message(const struct net_tap *tap, unsigned ifindex, unsigned bridge)
{
	struct nl_msg *msg = net_rtnl_link_message(RTM_NEWLINK, 0, ifindex, true);
	char alias[256];

	if (!msg)
		return NULL;
	(void)str_format(alias, sizeof(alias), "hvup:%s", tap->owner);
	nla_put(msg, IFLA_IFALIAS, (int)strlen(alias), alias);
	nla_put_u32(msg, IFLA_MASTER, bridge);
	if (tap->mtu)
		nla_put_u32(msg, IFLA_MTU, tap->mtu);
	return msg;
}

int net_taps_open(size_t n, int *ret_fds, char (*ret_names)[IFNAMSIZ], struct error *err)
{
	for (size_t i = 0; i < n; i++) {
		int rc = open_tap(&ret_fds[i], ret_names[i], err);

		/* A TAP goes with its descriptor. */
		while (rc < 0 && i)
			close_fd(&ret_fds[--i]);
		if (rc < 0)
			return rc;
	}
	return 0;
}

int net_taps_join(const struct net_tap *taps, size_t n, char (*names)[IFNAMSIZ], struct error *err)
{
	cleanup_nl_sock struct nl_sock *sock = NULL;
	struct nl_msg **msgs;
	int rc;

	if (!n)
		return 0;
	rc = net_rtnl_open(&sock, err);
	if (rc < 0)
		return rc;
	for (size_t i = 0; i < n; i++)
		if (!net_link_is_ours(taps[i].bridge, taps[i].bridge_owner))
			return error_set(
				err, ENETDOWN,
				"bridge '%s' is not there, or not ours; is its network up?",
				taps[i].bridge);
	msgs = calloc(n, sizeof(struct nl_msg *));
	if (!msgs)
		return error_oom(err);
	for (size_t i = 0; i < n; i++)
		msgs[i] = join_message(&taps[i], if_nametoindex(names[i]),
				       if_nametoindex(taps[i].bridge));
	rc = net_rtnl_send(sock, msgs, n);
	free(msgs);
	/* A bridge that went just now, or is about to. */
	if (rc == -ENODEV || rc == -EINVAL)
		rc = -ENETDOWN;
	return rc < 0 ? error_errno(err, -rc, "join TAPs to their bridges") : 0;
}

int net_taps_rejoin(const struct net_tap *taps, size_t n, char (*names)[IFNAMSIZ],
		    struct error *err)
{
	int found = 0;

	for (size_t i = 0; i < n; i++) {
		int rc;

		if (!net_link_is_ours(names[i], taps[i].owner))
			continue;
		rc = net_taps_join(&taps[i], 1, &names[i], err);
		if (rc < 0)
			return rc;
		found++;
	}
	return found;
}
