/* SPDX-License-Identifier: MIT */
/* What a network's keeper does for its supervisor: a row for each kind of request. */
#include "vmm/network/network_private.h"

#include "base/cleanup.h"
#include "net/link.h"
#include "vmm/supervisor/peer.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <sys/socket.h>

static void answer(struct network *n, const struct network_request *r, const struct error *result)
{
	static const struct error done = ERROR_INIT;

	network_keeper_send(n, NETWORK_ORDER_RESULT, r->serial, result ? result : &done, -1);
}

static int do_started(struct network *n, const struct network_request *r, int *fd,
		      struct error *err)
{
	(void)r;
	(void)fd;
	/* Of one that was ended meanwhile it may still say so. */
	if (!n->options->net->dhcp)
		return error_set(err, EPROTO, "there is no dnsmasq");
	if (n->dnsmasq.pidfd >= 0)
		network_dnsmasq_started(n);
	return 0;
}

static int do_words(struct network *n, const struct network_request *r, int *fd, struct error *err)
{
	(void)fd;
	if (!n->options->net->dhcp)
		return error_set(err, EPROTO, "there is no dnsmasq");
	network_dnsmasq_words(n, r->cause, r->text);
	return 0;
}

/* A client's connection, whose end can be seen, and no other kind of file. */
static bool is_connection(const struct network *n, int fd)
{
	int domain = 0, type = 0, listens = 0;
	socklen_t len = sizeof(int);

	return getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &domain, &len) == 0 && domain == AF_UNIX &&
	       getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &len) == 0 && type == SOCK_STREAM &&
	       getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &listens, &len) == 0 && !listens &&
	       peer_is_allowed(fd, n->run.group);
}

static int do_attach(struct network *n, const struct network_request *r, int *fd, struct error *err)
{
	struct net_host host = {.has_address = r->has_address, .address = r->address};
	struct error refusal = ERROR_INIT;
	int rc = 0;

	if (!is_connection(n, *fd))
		return error_set(err, EPROTO, "a use by nobody who may use it");
	if (network_find_user(n, r->serial))
		return error_set(err, EPROTO, "the same user twice");
	/* No answer: it hears of the end when all is undone. */
	if (n->ending)
		return 0;
	memcpy(host.mac, r->mac, sizeof(host.mac));
	if (n->n_users == NETWORK_USERS_MAX)
		rc = error_set(&refusal, EUSERS, "it has too many users");
	if (rc == 0)
		rc = network_put_host(n, r->vm, &host, &refusal);
	if (rc > 0)
		rc = n->options->net->dhcp ? network_tell_hosts(n, &refusal) : 0;
	if (rc == 0)
		rc = network_add_user(n, r, steal_fd(fd), &refusal);
	answer(n, r, rc < 0 ? &refusal : NULL);
	return 0;
}

static int do_attached(struct network *n, const struct network_request *r, int *fd,
		       struct error *err)
{
	struct network_user *u = network_find_user(n, r->serial);

	(void)fd;
	(void)err;
	/* It may have hung up meanwhile. */
	if (u)
		u->told = true;
	return 0;
}

static int do_detach(struct network *n, const struct network_request *r, int *fd, struct error *err)
{
	struct network_user *u = network_find_user(n, r->serial);

	(void)fd;
	(void)err;
	if (u)
		network_drop_user(n, u);
	return 0;
}

static int do_keep(struct network *n, const struct network_request *r, int *fd, struct error *err)
{
	(void)fd;
	(void)err;
	n->keep = true;
	network_write_status(n);
	answer(n, r, NULL);
	return 0;
}

/* Answered when it is gone, or at once where it stays. */
static int do_release(struct network *n, const struct network_request *r, int *fd,
		      struct error *err)
{
	(void)fd;
	(void)err;
	network_look_at_taps(n);
	if (n->ending || network_is_unused(n))
		network_end(n);
	else
		answer(n, r, NULL);
	return 0;
}

static void explain_use(const struct network *n, size_t n_ports, struct error *ret_why)
{
	cleanup_strbuf struct strbuf text = {0};
	json_t *names = network_describe_users(n), *name;
	size_t i;

	strbuf_addf(&text, "it is in use by");
	json_array_foreach (names, i, name)
		strbuf_addf(&text, "%s vm '%s'", i ? "," : "", json_string_value(name));
	if (!n->n_users)
		strbuf_addf(&text, " %zu interface%s on its bridge", n_ports,
			    n_ports == 1 ? "" : "s");
	json_decref(names);
	(void)error_set(ret_why, EBUSY, "%s (--force cuts them off)",
			text.data ? text.data : "it is in use");
}

static int do_down(struct network *n, const struct network_request *r, int *fd, struct error *err)
{
	char(*ports)[IFNAMSIZ] = NULL;
	struct error why = ERROR_INIT;
	size_t n_ports = 0;

	(void)fd;
	(void)err;
	network_look_at_taps(n);
	(void)net_bridge_ports(n->options->net->bridge, &ports, &n_ports, NULL);
	free(ports);
	if (!n->ending && !r->force && (n->n_users || n_ports)) {
		explain_use(n, n_ports, &why);
		answer(n, r, &why);
		return 0;
	}
	network_end(n);
	return 0;
}

/* Its client hears that it was asked; that it is done shows in the status. */
static int do_reload(struct network *n, const struct network_request *r, int *fd, struct error *err)
{
	struct error why = ERROR_INIT;

	(void)fd;
	(void)err;
	if (n->ready && !n->ending) {
		answer(n, r, NULL);
		network_reload(n);
	} else {
		(void)error_set(&why, EBUSY, "only a network that is up can be taken over");
		answer(n, r, &why);
	}
	return 0;
}

static int do_status(struct network *n, const struct network_request *r, int *fd, struct error *err)
{
	struct error result = ERROR_INIT;
	cleanup_close int status = rundir_open_status(&n->run);

	(void)fd;
	(void)err;
	if (status < 0)
		(void)error_set(&result, ENOENT, "no status yet");
	network_keeper_send(n, NETWORK_ORDER_RESULT, r->serial, &result, status);
	return 0;
}

static int do_alive(struct network *n, const struct network_request *r, int *fd, struct error *err)
{
	(void)r;
	(void)fd;
	if (!n->supervisor.asked)
		return error_set(err, EPROTO, "an answer that nobody asked for");
	network_keeper_alive(n);
	return 0;
}

static int (*const actions[])(struct network *n, const struct network_request *r, int *fd,
			      struct error *err) = {
	[NETWORK_REQUEST_STARTED] = do_started, [NETWORK_REQUEST_WORDS] = do_words,
	[NETWORK_REQUEST_ATTACH] = do_attach,   [NETWORK_REQUEST_ATTACHED] = do_attached,
	[NETWORK_REQUEST_DETACH] = do_detach,   [NETWORK_REQUEST_KEEP] = do_keep,
	[NETWORK_REQUEST_RELEASE] = do_release, [NETWORK_REQUEST_DOWN] = do_down,
	[NETWORK_REQUEST_RELOAD] = do_reload,   [NETWORK_REQUEST_STATUS] = do_status,
	[NETWORK_REQUEST_ALIVE] = do_alive,
};
static_assert(ARRAY_SIZE(actions) == NETWORK_REQUEST_COUNT, "a kind has no action");

int network_take_request(struct network *n, const struct network_request *request, int fd,
			 struct error *err)
{
	cleanup_close int held = fd;
	int rc = network_request_check(n->options->net, request, fd >= 0, err);

	if (rc == 0)
		rc = actions[request->kind](n, request, &held, err);
	return rc;
}
