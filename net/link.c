/* SPDX-License-Identifier: MIT */
/*
 * Theory of operation
 *
 * A bridge is made in three requests: the link (down, with our MAC), then alias
 * and up, then the address. The kernel takes no alias with the first, so a crash
 * between the two leaves a bridge without one: down, without ports or address,
 * with exactly the MAC that this network's bridge has. Such a one is completed;
 * every other link of that name is refused.
 */
#include "net/link.h"

#include "base/cleanup.h"
#include "base/error.h"
#include "base/file.h"
#include "base/str.h"
#include "net/conflicts.h"
#include "net/rtnl.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/if_bridge.h>
#include <linux/if_link.h>
#include <linux/rtnetlink.h>
#include <netlink/route/addr.h>
#include <netlink/route/link.h>
#include <stdio.h>
#include <unistd.h>

static void format_alias(char *buf, size_t size, const char *owner)
{
	(void)str_format(buf, size, "hvup:%s", owner);
}

static void put_link(struct rtnl_link **link)
{
	if (*link)
		rtnl_link_put(*link);
}

/* NULL where there is none of that name. */
static struct rtnl_link *get_link(struct nl_sock *sock, const char *name)
{
	struct rtnl_link *link = NULL;

	return rtnl_link_get_kernel(sock, 0, name, &link) < 0 ? NULL : link;
}

static bool has_alias(struct rtnl_link *link, const char *owner)
{
	const char *have = rtnl_link_get_ifalias(link);
	char want[256];

	format_alias(want, sizeof(want), owner);
	return have && str_eq(have, want);
}

bool net_link_is_ours(const char *name, const char *owner)
{
	__attribute__((cleanup(put_link))) struct rtnl_link *link = NULL;
	cleanup_nl_sock struct nl_sock *sock = NULL;

	if (net_rtnl_open(&sock, NULL) < 0)
		return false;
	link = get_link(sock, name);
	return link && has_alias(link, owner);
}

static int refuse(struct rtnl_link *link, const char *name, struct error *err)
{
	const char *alias = rtnl_link_get_ifalias(link), *type = rtnl_link_get_type(link);

	return error_set(err, EEXIST,
			 "an interface '%s' (%s) exists already and is not ours%s%s%s; choose "
			 "another bridge: name, or remove it if nobody needs it",
			 name, type ? type : "device", alias ? ", its alias is '" : "",
			 alias ? alias : "", alias ? "'" : "");
}

/* What a crash left before the alias was set; see above. */
static bool is_half_made(struct nl_sock *sock, struct rtnl_link *link,
			 const struct net_bridge *bridge)
{
	struct nl_addr *mac = rtnl_link_get_addr(link);
	const char *type = rtnl_link_get_type(link);
	char(*ports)[IFNAMSIZ] = NULL;
	bool bare;
	size_t n;

	(void)sock;
	if (!type || !str_eq(type, "bridge") || (rtnl_link_get_flags(link) & IFF_UP) ||
	    rtnl_link_get_ifalias(link) || !mac || nl_addr_get_len(mac) != 6 ||
	    memcmp(nl_addr_get_binary_addr(mac), bridge->mac, 6) != 0)
		return false;
	if (net_bridge_ports(bridge->name, &ports, &n, NULL) < 0)
		return false;
	bare = n == 0;
	free(ports);
	return bare;
}

static int create_link(struct nl_sock *sock, const struct net_bridge *bridge)
{
	struct nl_msg *msg =
		net_rtnl_link_message(RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL, 0, false);
	struct nlattr *info;

	if (!msg)
		return -ENOMEM;
	nla_put_string(msg, IFLA_IFNAME, bridge->name);
	nla_put(msg, IFLA_ADDRESS, sizeof(bridge->mac), bridge->mac);
	if (bridge->mtu)
		nla_put_u32(msg, IFLA_MTU, bridge->mtu);
	info = nla_nest_start(msg, IFLA_LINKINFO);
	if (info) {
		nla_put_string(msg, IFLA_INFO_KIND, "bridge");
		nla_nest_end(msg, info);
	}
	return net_rtnl_send(sock, &msg, 1);
}

/*
 * The host speaks IPv4 on the bridge. Without this, it would give itself a
 * link-local address there and take router advertisements from guests.
 */
static void disable_ipv6(const char *name)
{
	cleanup_free char *path = str_printf("/proc/sys/net/ipv6/conf/%s/disable_ipv6", name);
	cleanup_close int fd = path ? open(path, O_WRONLY | O_CLOEXEC) : -1;

	if (fd >= 0)
		(void)file_write_all(fd, "1", 1, NULL);
}

static struct nl_msg *address_message(unsigned ifindex, const struct net_bridge *bridge)
{
	struct ifaddrmsg info = {
		.ifa_family = AF_INET,
		.ifa_prefixlen = (unsigned char)bridge->prefix,
		.ifa_index = ifindex,
	};
	struct nl_msg *msg = nlmsg_alloc_simple(RTM_NEWADDR, NLM_F_REQUEST | NLM_F_ACK |
								     NLM_F_CREATE | NLM_F_REPLACE);
	struct in_addr broadcast = {
		.s_addr =
			bridge->address.s_addr | htonl((uint32_t)(0xffffffffULL >> bridge->prefix)),
	};

	if (!msg)
		return NULL;
	nlmsg_append(msg, &info, sizeof(info), NLMSG_ALIGNTO);
	nla_put(msg, IFA_LOCAL, sizeof(bridge->address), &bridge->address);
	nla_put(msg, IFA_ADDRESS, sizeof(bridge->address), &bridge->address);
	nla_put(msg, IFA_BROADCAST, sizeof(broadcast), &broadcast);
	return msg;
}

/* Alias first, so that all that follows is on a bridge that is known as ours. */
static int complete_bridge(struct nl_sock *sock, const struct net_bridge *bridge)
{
	unsigned ifindex = if_nametoindex(bridge->name);
	struct nl_msg *msgs[3];
	char alias[256];

	if (!ifindex)
		return -errno;
	disable_ipv6(bridge->name);
	format_alias(alias, sizeof(alias), bridge->owner);
	msgs[0] = net_rtnl_link_message(RTM_NEWLINK, 0, ifindex, false);
	if (msgs[0])
		nla_put(msgs[0], IFLA_IFALIAS, (int)strlen(alias), alias);
	msgs[1] = address_message(ifindex, bridge);
	msgs[2] = net_rtnl_link_message(RTM_NEWLINK, 0, ifindex, true);
	return net_rtnl_send(sock, msgs, ARRAY_SIZE(msgs));
}

static int delete_link(struct nl_sock *sock, const char *name)
{
	unsigned ifindex = if_nametoindex(name);
	struct nl_msg *msg;

	if (!ifindex)
		return 0;
	msg = net_rtnl_link_message(RTM_DELLINK, 0, ifindex, false);
	return net_rtnl_send(sock, &msg, 1);
}

int net_bridge_create(const struct net_bridge *bridge, struct error *err)
{
	__attribute__((cleanup(put_link))) struct rtnl_link *link = NULL;
	cleanup_nl_sock struct nl_sock *sock = NULL;
	int rc;

	rc = net_rtnl_open(&sock, err);
	if (rc < 0)
		return rc;
	link = get_link(sock, bridge->name);
	if (link && !has_alias(link, bridge->owner) && !is_half_made(sock, link, bridge))
		return refuse(link, bridge->name, err);
	rc = net_conflicts_check(sock, bridge, err);
	if (rc < 0)
		return rc;
	if (!link) {
		rc = create_link(sock, bridge);
		if (rc < 0)
			return error_errno(err, -rc, "create bridge '%s'", bridge->name);
	}
	rc = complete_bridge(sock, bridge);
	if (rc < 0) {
		if (!link)
			(void)delete_link(sock, bridge->name);
		return error_errno(err, -rc, "set up bridge '%s'", bridge->name);
	}
	return 0;
}

int net_bridge_remove(const char *name, const char *owner, struct error *err)
{
	__attribute__((cleanup(put_link))) struct rtnl_link *link = NULL;
	cleanup_nl_sock struct nl_sock *sock = NULL;
	int rc;

	rc = net_rtnl_open(&sock, err);
	if (rc < 0)
		return rc;
	link = get_link(sock, name);
	if (!link)
		return 0;
	if (!has_alias(link, owner))
		return refuse(link, name, err);
	rc = delete_link(sock, name);
	return rc < 0 ? error_errno(err, -rc, "remove bridge '%s'", name) : 0;
}

int net_bridge_ports(const char *name, char (**ret_names)[IFNAMSIZ], size_t *ret_n,
		     struct error *err)
{
	cleanup_free char *path = str_printf("/sys/class/net/%s/brif", name);
	cleanup_closedir DIR *dir = NULL;
	char(*names)[IFNAMSIZ] = NULL;
	struct dirent *entry;
	size_t n = 0;

	if (!path)
		return error_oom(err);
	dir = opendir(path);
	if (!dir)
		return error_errno(err, errno, "ports of bridge '%s'", name);
	while ((entry = readdir(dir))) {
		char(*grown)[IFNAMSIZ];

		if (entry->d_name[0] == '.')
			continue;
		grown = reallocarray(names, n + 1, sizeof(*names));
		if (!grown) {
			free(names);
			return error_oom(err);
		}
		names = grown;
		(void)str_format(names[n++], IFNAMSIZ, "%s", entry->d_name);
	}
	*ret_names = names;
	*ret_n = n;
	return 0;
}
