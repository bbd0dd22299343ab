/* SPDX-License-Identifier: MIT */
/*
 * Theory of operation
 *
 * QEMU tells of no VNC client that comes or goes where it does not listen itself, so
 * how many it has is asked for each one that wants in. Then the client's socket goes
 * to it by getfd, and add_client makes a VNC client of it. This holds across
 * supervisors, for nothing is remembered.
 */
#include "vmm/vnc.h"

#include "base/cleanup.h"
#include "base/error.h"
#include "base/log.h"
#include "base/str.h"
#include "qmp/client.h"
#include "vmm/json.h"
#include "vmm/listen.h"
#include "vmm/peer.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

enum { CLIENTS_MAX = 16, WAITING_MAX = 8, ANSWER_MS = 10 * 1000 };

struct door {
	sd_event_source *source, *rest_timer;
	int fd; /* -1: there is none */
};

struct vnc {
	struct door here, tcp;
	struct vnc_handlers handlers;
	bool tcp_open;
	unsigned n_waiting, next_number;
};

/* Somebody on his way to QEMU. */
struct guest {
	struct vnc *vnc;
	int fd;
	bool tcp;
	char name[32]; /* of his descriptor in QEMU, until it is used */
};

/* By version 3.8: no way to authenticate, and why. One who speaks an earlier version
 * sees the end only. */
static void refuse(int fd, const char *why)
{
	cleanup_strbuf struct strbuf words = {0};
	uint32_t len = htonl((uint32_t)strlen(why));

	strbuf_addf(&words, "RFB 003.008\n");
	strbuf_add(&words, "", 1);
	strbuf_add(&words, &len, sizeof(len));
	strbuf_add(&words, why, strlen(why));
	if (!words.failed)
		(void)send(fd, words.data, words.len, MSG_NOSIGNAL | MSG_DONTWAIT);
	(void)shutdown(fd, SHUT_WR);
}

/* why NULL: QEMU has him now. */
static void guest_free(struct guest *g, const char *why)
{
	if (why) {
		log_info("a client of the screen was refused: %s", why);
		refuse(g->fd, why);
	}
	g->vnc->n_waiting--;
	close_fd(&g->fd);
	free(g);
}

static void on_added(json_t *result, const char *class, const struct error *err, void *arg)
{
	(void)result;
	(void)class;
	guest_free(arg, err ? err->text : NULL);
}

/* -1: QEMU says something else. */
static int count_clients(json_t *servers)
{
	json_t *server;
	size_t i;
	int n = 0;

	if (!json_is_array(servers))
		return -1;
	json_array_foreach (servers, i, server)
		n += (int)json_array_size(json_object_get(server, "clients"));
	return n;
}

static void add_client(struct guest *g, struct qmp_client *monitor)
{
	struct error err = ERROR_INIT;
	int rc;

	rc = qmp_client_call(monitor, "getfd", json_pack("{s:s}", "fdname", g->name), &g->fd, 1,
			     ANSWER_MS, NULL, NULL, &err);
	/* Without the descriptor it fails, and says so. */
	if (rc == 0)
		rc = qmp_client_call(monitor, "add_client",
				     json_pack("{s:s s:s s:b}", "protocol", "vnc", "fdname",
					       g->name, "skipauth",
					       !(g->tcp && g->vnc->handlers.tcp_asks)),
				     NULL, 0, ANSWER_MS, on_added, g, &err);
	if (rc < 0)
		guest_free(g, err.text);
}

static void on_servers(json_t *result, const char *class, const struct error *err, void *arg)
{
	struct guest *g = arg;
	struct qmp_client *monitor = g->vnc->handlers.monitor(g->vnc->handlers.arg);
	int n = err ? 0 : count_clients(result);

	(void)class;
	if (err || n < 0 || !monitor)
		guest_free(g, err ? err->text : "QEMU does not tell who its clients are");
	else if (n >= (g->tcp ? CLIENTS_MAX / 2 : CLIENTS_MAX))
		guest_free(g, "too many look at this screen");
	else
		add_client(g, monitor);
}

static void ask(struct vnc *vnc, int fd, bool tcp)
{
	struct qmp_client *monitor = vnc->handlers.monitor(vnc->handlers.arg);
	struct guest *g = calloc(1, sizeof(*g));
	struct error err = ERROR_INIT;

	if (!g) {
		close(fd);
		return;
	}
	*g = (struct guest){.vnc = vnc, .fd = fd, .tcp = tcp};
	(void)str_format(g->name, sizeof(g->name), "hv-vnc-%u", vnc->next_number++);
	vnc->n_waiting++;
	if (!monitor)
		guest_free(g, "QEMU's monitor is not connected");
	else if (vnc->n_waiting > (tcp ? WAITING_MAX / 2 : WAITING_MAX))
		guest_free(g, "too many come at once");
	else if (qmp_client_call(monitor, "query-vnc-servers", NULL, NULL, 0, ANSWER_MS, on_servers,
				 g, &err) < 0)
		guest_free(g, err.text);
}

static int on_connect(sd_event_source *source, int listen_fd, uint32_t revents, void *userdata)
{
	struct vnc *vnc = userdata;
	bool tcp = source == vnc->tcp.source;
	struct door *door = tcp ? &vnc->tcp : &vnc->here;
	cleanup_close int fd = accept4(listen_fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);

	(void)revents;
	if (fd < 0)
		listen_rest(door->source, door->rest_timer, errno);
	else if (tcp && !vnc->tcp_open)
		refuse(fd, "QEMU does not ask for the password that is configured");
	else if (tcp || peer_is_allowed(fd, vnc->handlers.group))
		ask(vnc, steal_fd(&fd), tcp);
	else
		refuse(fd, PEER_REFUSED);
	return 0;
}

static int open_door(sd_event *event, struct vnc *vnc, struct door *door)
{
	int rc = 0;

	if (door->fd < 0)
		return 0;
	rc = sd_event_add_io(event, &door->source, door->fd, EPOLLIN, on_connect, vnc);
	return rc < 0 ? rc : listen_rest_prepare(door->source, &door->rest_timer);
}

static void close_door(struct door *door)
{
	sd_event_source_disable_unref(door->source);
	sd_event_source_disable_unref(door->rest_timer);
	close_fd(&door->fd);
}

int vnc_new(sd_event *event, int listen_fd, const struct vnc_handlers *handlers,
	    struct vnc **ret_vnc, struct error *err)
{
	struct vnc *vnc = calloc(1, sizeof(*vnc));
	int rc;

	if (!vnc) {
		close(listen_fd);
		return error_oom(err);
	}
	*vnc = (struct vnc){
		.here = {.fd = listen_fd},
		.tcp = {.fd = handlers->tcp_fd},
		.handlers = *handlers,
		.tcp_open = !handlers->tcp_asks,
	};
	rc = open_door(event, vnc, &vnc->here);
	if (rc >= 0)
		rc = open_door(event, vnc, &vnc->tcp);
	if (rc < 0) {
		vnc_free(vnc);
		return error_errno(err, -rc, "watch the screen's socket");
	}
	*ret_vnc = vnc;
	return 0;
}

void vnc_open_tcp(struct vnc *vnc)
{
	vnc->tcp_open = true;
}

void vnc_free(struct vnc *vnc)
{
	if (!vnc)
		return;
	close_door(&vnc->here);
	close_door(&vnc->tcp);
	free(vnc);
}
