/* SPDX-License-Identifier: MIT */
/*
 * Theory of operation
 *
 * QEMU tells of no client that comes or goes where it does not listen itself, so how many
 * it has is asked for each one that wants in. Then the client's socket goes to it by getfd,
 * and add_client makes a client of it: of VNC, or one channel of a client of SPICE. This
 * holds across supervisors, for nothing is remembered.
 */
#include "vmm/supervisor/screen.h"

#include "base/cleanup.h"
#include "base/error.h"
#include "base/log.h"
#include "base/str.h"
#include "qmp/client.h"
#include "vmm/json.h"
#include "vmm/supervisor/listen.h"
#include "vmm/supervisor/peer.h"

#include <arpa/inet.h>
#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

enum { ANSWER_MS = 10 * 1000 };

static const struct kind {
	const char *protocol; /* as add_client has it */
	const char *query; /* whose answer tells who is there */
	int max;
	unsigned waiting_max;
} kinds[] = {
	[SCREEN_VNC] = {"vnc", "query-vnc-servers", 16, 8},
	[SCREEN_VNC_TCP] = {"vnc", "query-vnc-servers", 8, 4},
	/* A viewer comes with up to ten channels at once. */
	[SCREEN_SPICE] = {"spice", "query-spice", 80, 40},
};
static_assert(ARRAY_SIZE(kinds) == SCREEN_DOOR_COUNT, "one for each door");

struct door {
	sd_event_source *source, *rest_timer;
	int fd; /* -1: there is none */
	unsigned n_waiting;
};

struct screen {
	struct door doors[SCREEN_DOOR_COUNT];
	struct screen_handlers handlers;
	bool tcp_open;
	unsigned next_number;
};

/* Somebody on his way to QEMU. */
struct guest {
	struct screen *screen;
	enum screen_door door;
	int fd;
	char name[32]; /* of his descriptor in QEMU, until it is used */
};

/* By version 3.8 of VNC: no way to authenticate, and why. One who speaks an earlier version
 * sees the end only, as does a client of SPICE, which has no words for it. */
static void refuse(int fd, enum screen_door door, const char *why)
{
	cleanup_strbuf struct strbuf words = {0};
	uint32_t len = htonl((uint32_t)strlen(why));

	if (door == SCREEN_SPICE)
		return;
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
		refuse(g->fd, g->door, why);
	}
	g->screen->doors[g->door].n_waiting--;
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
	json_t *server, *channels = json_object_get(servers, "channels");
	size_t i;
	int n = 0;

	if (json_is_object(servers))
		return (int)json_array_size(channels);
	if (!json_is_array(servers))
		return -1;
	json_array_foreach (servers, i, server)
		n += (int)json_array_size(json_object_get(server, "clients"));
	return n;
}

static void add_client(struct guest *g, struct qmp_client *monitor)
{
	bool asks = g->door == SCREEN_VNC_TCP && g->screen->handlers.tcp_asks;
	struct error err = ERROR_INIT;
	int rc;

	rc = qmp_client_call(monitor, "getfd", json_pack("{s:s}", "fdname", g->name), &g->fd, 1,
			     ANSWER_MS, NULL, NULL, &err);
	/* Without the descriptor it fails, and says so. */
	if (rc == 0)
		rc = qmp_client_call(monitor, "add_client",
				     json_pack("{s:s s:s s:b}", "protocol", kinds[g->door].protocol,
					       "fdname", g->name, "skipauth", !asks),
				     NULL, 0, ANSWER_MS, on_added, g, &err);
	if (rc < 0)
		guest_free(g, err.text);
}

static void on_servers(json_t *result, const char *class, const struct error *err, void *arg)
{
	struct guest *g = arg;
	const struct screen_handlers *handlers = &g->screen->handlers;
	struct qmp_client *monitor = handlers->monitor(handlers->arg);
	int n = err ? 0 : count_clients(result);

	(void)class;
	if (err || n < 0 || !monitor)
		guest_free(g, err ? err->text : "QEMU does not tell who its clients are");
	else if (n >= kinds[g->door].max)
		guest_free(g, "too many look at this screen");
	else
		add_client(g, monitor);
}

static void ask(struct screen *screen, enum screen_door door, int fd)
{
	struct qmp_client *monitor = screen->handlers.monitor(screen->handlers.arg);
	struct guest *g = calloc(1, sizeof(*g));
	struct error err = ERROR_INIT;

	if (!g) {
		close(fd);
		return;
	}
	*g = (struct guest){.screen = screen, .door = door, .fd = fd};
	(void)str_format(g->name, sizeof(g->name), "hv-screen-%u", screen->next_number++);
	screen->doors[door].n_waiting++;
	if (!monitor)
		guest_free(g, "QEMU's monitor is not connected");
	else if (screen->doors[door].n_waiting > kinds[door].waiting_max)
		guest_free(g, "too many come at once");
	else if (qmp_client_call(monitor, kinds[door].query, NULL, NULL, 0, ANSWER_MS, on_servers,
				 g, &err) < 0)
		guest_free(g, err.text);
}

static int on_connect(sd_event_source *source, int listen_fd, uint32_t revents, void *userdata)
{
	struct screen *screen = userdata;
	cleanup_close int fd = accept4(listen_fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
	enum screen_door door = SCREEN_VNC;

	(void)revents;
	while (screen->doors[door].source != source)
		door++;
	if (fd < 0)
		listen_rest(source, screen->doors[door].rest_timer, errno);
	else if (door == SCREEN_VNC_TCP && !screen->tcp_open)
		refuse(fd, door, "QEMU does not ask for the password that is configured");
	else if (door == SCREEN_VNC_TCP || peer_is_allowed(fd, screen->handlers.group))
		ask(screen, door, steal_fd(&fd));
	else
		refuse(fd, door, PEER_REFUSED);
	return 0;
}

static int open_door(sd_event *event, struct screen *screen, struct door *door)
{
	int rc = 0;

	if (door->fd < 0)
		return 0;
	rc = sd_event_add_io(event, &door->source, door->fd, EPOLLIN, on_connect, screen);
	return rc < 0 ? rc : listen_rest_prepare(door->source, &door->rest_timer);
}

int screen_new(sd_event *event, const struct screen_handlers *handlers, struct screen **ret_screen,
	       struct error *err)
{
	struct screen *screen = calloc(1, sizeof(*screen));
	int rc = 0;

	if (!screen) {
		for (int i = 0; i < SCREEN_DOOR_COUNT; i++)
			if (handlers->fds[i] >= 0)
				close(handlers->fds[i]);
		return error_oom(err);
	}
	screen->handlers = *handlers;
	screen->tcp_open = !handlers->tcp_asks;
	for (int i = 0; i < SCREEN_DOOR_COUNT; i++)
		screen->doors[i].fd = handlers->fds[i];
	for (int i = 0; rc >= 0 && i < SCREEN_DOOR_COUNT; i++)
		rc = open_door(event, screen, &screen->doors[i]);
	if (rc < 0) {
		screen_free(screen);
		return error_errno(err, -rc, "watch the screen's socket");
	}
	*ret_screen = screen;
	return 0;
}

void screen_open_tcp(struct screen *screen)
{
	screen->tcp_open = true;
}

void screen_free(struct screen *screen)
{
	if (!screen)
		return;
	for (int i = 0; i < SCREEN_DOOR_COUNT; i++) {
		sd_event_source_disable_unref(screen->doors[i].source);
		sd_event_source_disable_unref(screen->doors[i].rest_timer);
		close_fd(&screen->doors[i].fd);
	}
	free(screen);
}
