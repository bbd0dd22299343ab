/* SPDX-License-Identifier: MIT */
/*
 * Theory of operation
 *
 * Each client is a small machine: bytes in, JSON values out of the splitter, each
 * one request. A request becomes a control_call, which holds the id and points
 * to its client; when the client goes first, the pointer is cut and the answer,
 * whenever it comes, is dropped. So handlers never have to know.
 *
 * Output is queued per client and written as the socket takes it. Nobody waits
 * for a slow client: past the bound what is queued is forgotten, up to the end of
 * the message that it has half of, and an error takes its place. It has some
 * seconds to read that; then it is hung up on.
 */
#include "vmm/supervisor/control_private.h"

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/error.h"
#include "base/log.h"
#include "vmm/supervisor/listen.h"
#include "vmm/supervisor/peer.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/socket.h>

enum { FLUSH_MS = 1000 };

size_t control_count_of_process(const struct control_server *server, pid_t process, bool calls)
{
	size_t n = 0;

	for (const struct control_client *c = server->clients; c; c = c->next)
		if (process && c->process == process)
			n += calls ? c->n_calls : 1;
	return n;
}

static int on_connect(sd_event_source *source, int listen_fd, uint32_t revents, void *userdata)
{
	static const char full[] = "{\"error\": {\"class\": \"GenericError\", \"desc\": "
				   "\"too many clients of the control socket\"}}\r\n";
	static const char refused[] = "{\"error\": {\"class\": \"GenericError\", \"desc\": "
				      "\"" PEER_REFUSED "\"}}\r\n";
	static const char enough[] = "{\"error\": {\"class\": \"GenericError\", \"desc\": "
				     "\"too many clients out of one process\"}}\r\n";
	struct control_server *server = userdata;
	cleanup_close int fd = accept4(listen_fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);

	(void)source;
	(void)revents;
	if (fd < 0) {
		listen_rest(server->source, server->rest_timer, errno);
		return 0;
	}
	if (!peer_is_allowed(fd, server->group)) {
		log_warning("a client that is neither root nor of the group was refused at the "
			    "control socket");
		(void)send(fd, refused, sizeof(refused) - 1, MSG_NOSIGNAL | MSG_DONTWAIT);
		return 0;
	}
	if (server->n_clients >= CLIENTS_MAX) {
		(void)send(fd, full, sizeof(full) - 1, MSG_NOSIGNAL | MSG_DONTWAIT);
		return 0;
	}
	if (control_count_of_process(server, listen_process(fd), false) >= CLIENTS_OF_PROCESS_MAX) {
		(void)send(fd, enough, sizeof(enough) - 1, MSG_NOSIGNAL | MSG_DONTWAIT);
		return 0;
	}
	control_client_add(server, steal_fd(&fd));
	return 0;
}

static int on_flush(sd_event_source *source, void *userdata)
{
	struct control_server *server = userdata;

	(void)source;
	for (struct control_client *c = server->clients; c; c = c->next)
		if (c->output.len && !c->waits)
			control_client_write(c);
	return 0;
}

int control_server_new(sd_event *event, int listen_fd, json_t *greeting_version,
		       const struct control_handlers *handlers, struct control_server **ret_server,
		       struct error *err)
{
	struct control_server *server = calloc(1, sizeof(*server));
	int rc;

	if (!server || !greeting_version) {
		free(server);
		close(listen_fd);
		json_decref(greeting_version);
		return error_oom(err);
	}
	*server = (struct control_server){
		.event = sd_event_ref(event),
		.fd = listen_fd,
		.group = PEER_NO_GROUP,
		.version = greeting_version,
		.handlers = *handlers,
	};
	rc = sd_event_add_io(event, &server->source, listen_fd, EPOLLIN, on_connect, server);
	if (rc >= 0)
		rc = sd_event_add_defer(event, &server->flush, on_flush, server);
	if (rc >= 0)
		rc = sd_event_source_set_enabled(server->flush, SD_EVENT_OFF);
	if (rc >= 0)
		rc = listen_rest_prepare(server->source, &server->rest_timer);
	if (rc < 0) {
		control_server_free(server);
		return error_errno(err, -rc, "watch the control socket");
	}
	*ret_server = server;
	return 0;
}

void control_server_allow(struct control_server *server, gid_t group)
{
	server->group = group;
}

void control_server_set_version(struct control_server *server, json_t *greeting_version)
{
	if (!greeting_version)
		return;
	json_decref(server->version);
	server->version = greeting_version;
}

void control_server_set_oob(struct control_server *server, bool offers_oob)
{
	server->offers_oob = offers_oob;
}

void control_server_broadcast(struct control_server *server, const char *text, size_t len)
{
	for (struct control_client *c = server->clients; c; c = c->next)
		if (c->negotiated)
			control_client_queue(c, text, len);
	/* Events come in bursts: those of one go out together. */
	(void)sd_event_source_set_enabled(server->flush, SD_EVENT_ONESHOT);
}

bool control_server_is_busy(const struct control_server *server)
{
	return server->n_calls > 0;
}

void control_server_free(struct control_server *server)
{
	uint64_t deadline_ms = clock_now_usec() / 1000 + FLUSH_MS;

	if (!server)
		return;
	server->handlers.gone = NULL;
	while (server->clients) {
		struct control_client *c = server->clients;

		control_client_flush(c, deadline_ms);
		while (c->calls)
			control_call_free(c->calls);
		control_client_free(c);
	}
	while (server->orphans)
		control_call_free(server->orphans);
	sd_event_source_disable_unref(server->source);
	sd_event_source_disable_unref(server->flush);
	sd_event_source_disable_unref(server->rest_timer);
	close_fd(&server->fd);
	json_decref(server->version);
	sd_event_unref(server->event);
	free(server);
}
