/* SPDX-License-Identifier: MIT */
/*
 * The record has a line for each interface: its name, the value it had, and the
 * networks that need it, separated by commas. A crash between writing the
 * record and the switch is harmless: the record comes first.
 */
#include "net/forwarding.h"

#include "base/cleanup.h"
#include "base/error.h"
#include "base/file.h"
#include "base/str.h"
#include "net/rtnl.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <netlink/route/nexthop.h>
#include <netlink/route/route.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <unistd.h>

#define RECORD_FILE "forwarding"
#define LOCK_FILE "forwarding.lock"

enum { RECORD_BYTES_MAX = 256 * 1024, ENTRIES_MAX = 256 };

struct entry {
	char name[IFNAMSIZ];
	char was; /* '0' or '1' */
	char *networks; /* ",lab-net,default," */
};

struct record {
	struct entry v[ENTRIES_MAX];
	size_t n;
};

static void record_free(struct record *r)
{
	for (size_t i = 0; i < r->n; i++)
		free(r->v[i].networks);
	free(r);
}

static char *sysctl_path(const char *name)
{
	return str_printf("/proc/sys/net/ipv4/conf/%s/forwarding", name);
}

/* '0', '1', or 0 where the interface is gone. */
static char get_forwarding(const char *name)
{
	cleanup_free char *path = sysctl_path(name), *text = NULL;

	if (!path || file_read(AT_FDCWD, path, 16, &text, NULL, NULL) < 0)
		return 0;
	return text[0] == '1' ? '1' : '0';
}

static int set_forwarding(const char *name, char value, struct error *err)
{
	cleanup_free char *path = sysctl_path(name);
	cleanup_close int fd = path ? open(path, O_WRONLY | O_CLOEXEC) : -1;

	if (fd < 0)
		return error_errno(err, errno, "forwarding of '%s'", name);
	return error_wrap_if(err, file_write_all(fd, &value, 1, err), "forwarding of '%s'", name);
}

static struct entry *find(struct record *r, const char *name)
{
	for (size_t i = 0; i < r->n; i++)
		if (str_eq(r->v[i].name, name))
			return &r->v[i];
	return NULL;
}

/* A line that is not as we write it is passed over: it restores nothing. */
static int parse(struct record *r, char *text, struct error *err)
{
	char *rest = text, *line;

	while ((line = strsep(&rest, "\n"))) {
		char *name = strsep(&line, " "), *was = strsep(&line, " ");

		if (!was || !line || strlen(name) >= IFNAMSIZ || !*name || strchr(name, '/') ||
		    (!str_eq(was, "0") && !str_eq(was, "1")) || r->n == ENTRIES_MAX)
			continue;
		r->v[r->n].was = *was;
		(void)str_format(r->v[r->n].name, IFNAMSIZ, "%s", name);
		r->v[r->n].networks = strdup(line);
		if (!r->v[r->n].networks)
			return error_oom(err);
		r->n++;
	}
	return 0;
}

static int load(int dirfd, struct record **ret_record, struct error *err)
{
	cleanup_free char *text = NULL;
	struct record *r = calloc(1, sizeof(*r));
	int rc;

	if (!r)
		return error_oom(err);
	rc = file_read_plain(dirfd, RECORD_FILE, RECORD_BYTES_MAX, &text, NULL, err);
	if (rc == 0)
		rc = parse(r, text, err);
	if (rc < 0 && rc != -ENOENT) {
		record_free(r);
		return rc;
	}
	*ret_record = r;
	return 0;
}

static int save(int dirfd, const struct record *r, struct error *err)
{
	cleanup_strbuf struct strbuf text = {0};

	if (!r->n) {
		(void)unlinkat(dirfd, RECORD_FILE, 0);
		/* Who was killed while it wrote held the lock that is ours now. */
		file_remove_unfinished(dirfd, RECORD_FILE);
		(void)unlinkat(dirfd, LOCK_FILE, 0);
		return 0;
	}
	for (size_t i = 0; i < r->n; i++)
		strbuf_addf(&text, "%s %c %s\n", r->v[i].name, r->v[i].was, r->v[i].networks);
	if (text.failed)
		return error_oom(err);
	return file_write_volatile(dirfd, RECORD_FILE, text.data, text.len, 0644, err);
}

/* Networks take turns; each holds the record for a moment only. */
static int lock(int dirfd, int *ret_fd, struct error *err)
{
	int rc = file_lock_wait(dirfd, LOCK_FILE, ret_fd, err);

	return error_wrap_if(err, rc, "record of forwarding");
}

static int hold(struct record *r, const char *name, const char *network, struct error *err)
{
	cleanup_free char *mark = str_printf(",%s,", network);
	struct entry *e = find(r, name);
	char was = get_forwarding(name), *grown;

	if (!mark)
		return error_oom(err);
	if (!was || (e && strstr(e->networks, mark)))
		return 0;
	if (!e) {
		if (r->n == ENTRIES_MAX)
			return error_set(err, E2BIG, "too many interfaces");
		e = &r->v[r->n];
		(void)str_format(e->name, IFNAMSIZ, "%s", name);
		e->was = was;
		e->networks = strdup(mark);
		if (!e->networks)
			return error_oom(err);
		r->n++;
		return 0;
	}
	grown = str_printf("%s%s", e->networks, mark + 1);
	if (!grown)
		return error_oom(err);
	free(e->networks);
	e->networks = grown;
	return 0;
}

/* The interfaces that default routes go through. */
static int hold_uplinks(struct record *r, const char *network, struct error *err)
{
	cleanup_nl_sock struct nl_sock *sock = NULL;
	struct nl_cache *cache;
	int rc;

	rc = net_rtnl_open(&sock, err);
	if (rc < 0)
		return rc;
	if (rtnl_route_alloc_cache(sock, AF_INET, 0, &cache) < 0)
		return error_set(err, EIO, "the host's routes cannot be listed");
	for (struct nl_object *o = nl_cache_get_first(cache); o && rc == 0;
	     o = nl_cache_get_next(o)) {
		struct rtnl_route *route = (struct rtnl_route *)o;
		struct nl_addr *dst = rtnl_route_get_dst(route);
		char name[IFNAMSIZ];

		if ((dst && nl_addr_get_prefixlen(dst)) ||
		    rtnl_route_get_type(route) != RTN_UNICAST)
			continue;
		for (int i = 0; i < rtnl_route_get_nnexthops(route) && rc == 0; i++)
			if (if_indextoname((unsigned)rtnl_route_nh_get_ifindex(
						   rtnl_route_nexthop_n(route, i)),
					   name))
				rc = hold(r, name, network, err);
	}
	nl_cache_free(cache);
	return rc;
}

int net_forwarding_enable(int record_dirfd, const char *network, const char *bridge,
			  struct error *err)
{
	cleanup_free char *mark = str_printf(",%s,", network);
	cleanup_close int lock_fd = -1;
	struct record *r;
	int rc;

	if (!mark)
		return error_oom(err);
	rc = lock(record_dirfd, &lock_fd, err);
	if (rc == 0)
		rc = load(record_dirfd, &r, err);
	if (rc < 0)
		return rc;
	rc = hold(r, bridge, network, err);
	if (rc == 0)
		rc = hold_uplinks(r, network, err);
	if (rc == 0)
		rc = save(record_dirfd, r, err);
	for (size_t i = 0; i < r->n && rc == 0; i++)
		if (strstr(r->v[i].networks, mark) && get_forwarding(r->v[i].name) == '0')
			rc = set_forwarding(r->v[i].name, '1', err);
	record_free(r);
	return rc;
}

/* Takes network out of e; true where nobody is left. */
static bool let_go(struct entry *e, const char *mark)
{
	char *at = strstr(e->networks, mark);

	if (at)
		memmove(at, at + strlen(mark) - 1, strlen(at + strlen(mark) - 1) + 1);
	return str_eq(e->networks, ",");
}

int net_forwarding_release(int record_dirfd, const char *network, struct error *err)
{
	cleanup_free char *mark = str_printf(",%s,", network);
	cleanup_close int lock_fd = -1;
	struct record *r;
	size_t kept = 0;
	int rc;

	if (!mark)
		return error_oom(err);
	rc = lock(record_dirfd, &lock_fd, err);
	if (rc == 0)
		rc = load(record_dirfd, &r, err);
	if (rc < 0)
		return rc;
	for (size_t i = 0; i < r->n; i++) {
		struct entry *e = &r->v[i];

		if (!let_go(e, mark)) {
			r->v[kept++] = *e;
			continue;
		}
		/* Only what still is as we set it. */
		if (e->was == '0' && get_forwarding(e->name) == '1')
			(void)set_forwarding(e->name, '0', NULL);
		free(e->networks);
	}
	r->n = kept;
	rc = save(record_dirfd, r, err);
	record_free(r);
	return rc;
}
