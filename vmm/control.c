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
#include "vmm/control.h"

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/error.h"
#include "base/fd.h"
#include "base/log.h"
#include "base/str.h"
#include "qmp/splitter.h"
#include "vmm/json.h"
#include "vmm/listen.h"
#include "vmm/peer.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/socket.h>

enum {
	CLIENTS_MAX = 256,
	CLIENTS_OF_PROCESS_MAX = 128,
	REQUEST_MAX = 1024 * 1024,
	CALLS_MAX = 256,
	CALLS_OF_PROCESS_MAX = 1024,
	OUTPUT_MAX = 8 * 1024 * 1024,
	/* That came before the request they belong to, of all clients. */
	WAITING_FDS_MAX = 128,
	DROP_USEC = 10 * 1000 * 1000,
	FLUSH_MS = 1000,
};

struct control_call {
	struct control_client *client; /* NULL: it has gone */
	struct control_call *next; /* of the client's list, or the server's orphans */
	struct control_server *server;
	unsigned client_number;
	json_t *id; /* NULL: none given */
};

struct control_client {
	struct control_server *server;
	struct control_client *next;
	unsigned number;
	int fd;
	pid_t process; /* 0: not known */
	sd_event_source *source, *drop_timer;
	struct qmp_splitter *splitter;
	struct strbuf output;
	struct control_call *calls;
	size_t n_calls;
	bool negotiated, broken;
	bool ended; /* it asks no more, and waits for answers */
	bool dropped; /* it is told why, and nothing else */
	int fds[FD_PASS_MAX]; /* for the next request */
	size_t n_fds;
};

struct control_server {
	sd_event *event;
	sd_event_source *source;
	int fd;
	gid_t group; /* whose members may act */
	json_t *version;
	struct control_handlers handlers;
	struct control_client *clients;
	struct control_call *orphans; /* of clients that have gone */
	size_t n_clients, n_calls, n_fds;
	unsigned next_number;
	sd_event_source *rest_timer;
};

static void client_close_fds(struct control_client *c)
{
	for (size_t i = 0; i < c->n_fds; i++)
		close(c->fds[i]);
	c->server->n_fds -= c->n_fds;
	c->n_fds = 0;
}

static void client_free(struct control_client *c)
{
	struct control_server *server = c->server;
	struct control_client **link = &server->clients;

	while (*link != c)
		link = &(*link)->next;
	*link = c->next;
	server->n_clients--;
	while (c->calls) {
		struct control_call *call = c->calls;

		c->calls = call->next;
		call->client = NULL;
		call->next = server->orphans;
		server->orphans = call;
	}
	sd_event_source_disable_unref(c->source);
	sd_event_source_disable_unref(c->drop_timer);
	client_close_fds(c);
	close_fd(&c->fd);
	qmp_splitter_free(c->splitter);
	strbuf_free(&c->output);
	if (server->handlers.gone)
		server->handlers.gone(c->number, server->handlers.arg);
	free(c);
}

/* Whether it asks no more and was told all. */
static bool client_is_done(const struct control_client *c)
{
	return c->ended && !c->output.len && (c->dropped || !c->n_calls);
}

/* Writes what the socket takes; the rest waits for EPOLLOUT. */
static void client_write(struct control_client *c)
{
	while (c->output.len && !c->broken) {
		ssize_t n = send(c->fd, c->output.data, c->output.len, MSG_NOSIGNAL | MSG_DONTWAIT);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && errno == EAGAIN)
			break;
		if (n < 0)
			c->broken = true;
		else
			strbuf_consume(&c->output, (size_t)n);
	}
	/* One that asks no more is seen to once more when it was told all. */
	if (c->source)
		(void)sd_event_source_set_io_events(
			c->source, (c->ended ? 0U : EPOLLIN) |
					   (c->output.len || client_is_done(c) ? EPOLLOUT : 0U));
}

static int on_drop(sd_event_source *source, uint64_t usec, void *userdata)
{
	(void)source;
	(void)usec;
	client_free(userdata);
	return 0;
}

/* One that does not read: what it has half of is completed, then it is told. */
static void client_drop(struct control_client *c)
{
	static const char why[] = "{\"error\": {\"class\": \"GenericError\", \"desc\": "
				  "\"8 MiB wait that were not read; you are dropped\"}}\r\n";
	const char *end = memmem(c->output.data, c->output.len, "\r\n", 2);
	struct strbuf rest = {0};

	log_warning("a client of the control socket does not read; it is dropped");
	if (end)
		strbuf_add(&rest, c->output.data, (size_t)(end - c->output.data) + 2);
	strbuf_add(&rest, why, sizeof(why) - 1);
	strbuf_free(&c->output);
	c->output = rest;
	c->ended = c->dropped = true;
	if (rest.failed ||
	    sd_event_add_time_relative(c->server->event, &c->drop_timer, CLOCK_MONOTONIC, DROP_USEC,
				       0, on_drop, c) < 0) {
		c->broken = true;
		/* Wakes its handler up, which frees it. */
		(void)shutdown(c->fd, SHUT_RDWR);
		return;
	}
	client_write(c);
}

/* Queues a message. A client that cannot keep up is freed by its own event
 * handlers only, never below a caller. */
static void client_send(struct control_client *c, json_t *message)
{
	cleanup_free char *text = message ? json_dumps(message, JSON_COMPACT) : NULL;

	if (c->broken || c->dropped)
		return;
	if (text) {
		strbuf_add(&c->output, text, strlen(text));
		strbuf_add(&c->output, "\r\n", 2);
	}
	if (!text || c->output.failed || c->output.len > OUTPUT_MAX)
		client_drop(c);
	else
		client_write(c);
}

static void client_send_error(struct control_client *c, json_t *id, const char *class,
			      const char *desc)
{
	cleanup_json json_t *message =
		json_pack("{s:{s:s s:s}}", "error", "class", class, "desc", desc);

	if (message && id)
		(void)json_object_set(message, "id", id);
	client_send(c, message);
}

static void call_free(struct control_call *call)
{
	struct control_call **link = call->client ? &call->client->calls : &call->server->orphans;

	while (*link != call)
		link = &(*link)->next;
	*link = call->next;
	if (call->client) {
		call->client->n_calls--;
		if (call->client->ended)
			client_write(call->client);
	}
	call->server->n_calls--;
	json_decref(call->id);
	free(call);
}

void control_reply(struct control_call *call, json_t *result)
{
	cleanup_json json_t *message = NULL;

	if (!result)
		result = json_object();
	message = json_pack("{s:o}", "return", result);
	if (message && call->id)
		(void)json_object_set(message, "id", call->id);
	if (call->client)
		client_send(call->client, message);
	call_free(call);
}

void control_fail(struct control_call *call, const char *class, const char *desc)
{
	if (call->client)
		client_send_error(call->client, call->id, class, desc);
	call_free(call);
}

unsigned control_call_client(const struct control_call *call)
{
	return call->client_number;
}

int control_call_socket(const struct control_call *call)
{
	return call->client ? call->client->fd : -1;
}

/* Clients of one process, or the calls that they wait for. */
static size_t count_of_process(const struct control_server *server, pid_t process, bool calls)
{
	size_t n = 0;

	for (const struct control_client *c = server->clients; c; c = c->next)
		if (process && c->process == process)
			n += calls ? c->n_calls : 1;
	return n;
}

static void client_dispatch(struct control_client *c, const char *command, json_t *request)
{
	struct control_server *server = c->server;
	struct control_call *call;

	if (c->n_calls >= CALLS_MAX ||
	    count_of_process(server, c->process, true) >= CALLS_OF_PROCESS_MAX) {
		client_send_error(c, json_object_get(request, "id"), "GenericError",
				  "too many commands in flight; wait for answers");
		return;
	}
	call = calloc(1, sizeof(*call));
	if (!call) {
		client_send_error(c, json_object_get(request, "id"), "GenericError",
				  "out of memory");
		return;
	}
	*call = (struct control_call){
		.client = c,
		.next = c->calls,
		.server = server,
		.client_number = c->number,
		.id = json_incref(json_object_get(request, "id")),
	};
	c->calls = call;
	c->n_calls++;
	server->n_calls++;
	server->handlers.command(call, command, json_object_get(request, "arguments"), c->fds,
				 c->n_fds, server->handlers.arg);
}

static void client_handle_request(struct control_client *c, json_t *request)
{
	json_t *id = json_object_get(request, "id"), *args = json_object_get(request, "arguments");
	const char *command = json_get_string(request, "execute");

	if (!command)
		command = json_get_string(request, "exec-oob");
	if (!json_is_object(request) || !command) {
		client_send_error(c, id, "GenericError",
				  "a request is an object with 'execute', and 'arguments' or 'id'");
	} else if (args && !json_is_object(args)) {
		client_send_error(c, id, "GenericError", "'arguments' has to be an object");
	} else if (str_eq(command, "qmp_capabilities")) {
		cleanup_json json_t *message = json_pack("{s:{}}", "return");

		if (c->negotiated) {
			client_send_error(c, id, "CommandNotFound",
					  "Capabilities negotiation is already complete, command "
					  "ignored");
			return;
		}
		c->negotiated = true;
		if (message && id)
			(void)json_object_set(message, "id", id);
		client_send(c, message);
	} else if (!c->negotiated) {
		client_send_error(c, id, "CommandNotFound",
				  "Expecting capabilities negotiation with 'qmp_capabilities'");
	} else {
		client_dispatch(c, command, request);
	}
}

static void client_handle_value(struct control_client *c, const char *text, size_t len)
{
	cleanup_strbuf struct strbuf desc = {0};
	cleanup_json json_t *request = NULL;
	json_error_t fault;

	request = json_loadb(text, len, JSON_REJECT_DUPLICATES | JSON_DECODE_ANY, &fault);
	if (request) {
		client_handle_request(c, request);
	} else {
		/* It quotes the request, and may cut a character in two. */
		strbuf_addf(&desc, "JSON parse error at column %d: ", fault.column);
		strbuf_add_printable(&desc, fault.text, strlen(fault.text), false);
		client_send_error(c, NULL, "GenericError", desc.data ? desc.data : "");
	}
	/* What came with a request is never the next one's. */
	client_close_fds(c);
}

static int client_push(struct control_client *c, const char *data, size_t size)
{
	const char *value;
	size_t len;

	(void)qmp_splitter_push(c->splitter, data, size);
	while (!c->broken && !c->dropped && qmp_splitter_next(c->splitter, &value, &len))
		client_handle_value(c, value, len);
	/* Tells whether the splitter has failed meanwhile. */
	return qmp_splitter_push(c->splitter, NULL, 0);
}

/* Reads once. False at the end. */
static bool client_read(struct control_client *c)
{
	char chunk[16384];
	const char *before = NULL;
	int fds[FD_PASS_MAX];
	size_t n_fds = 0, done = 0;
	ssize_t n;
	int rc = 0;

	n = fd_receive(c->fd, chunk, sizeof(chunk), fds, &n_fds, NULL);
	if (n == -EAGAIN || n == -EINTR)
		return true;
	if (n == -EMSGSIZE)
		client_send_error(c, NULL, "GenericError",
				  "more than 16 descriptors with one request");
	if (n <= 0)
		return false;
	if (c->server->n_fds - c->n_fds + n_fds > WAITING_FDS_MAX) {
		while (n_fds)
			close(fds[--n_fds]);
		client_send_error(c, NULL, "GenericError",
				  "too many descriptors wait for their request");
		return false;
	}
	if (n_fds) {
		/* One read ends with the bytes that carry descriptors but may begin
		 * with others: they are those of the last request in it. */
		before = memrchr(chunk, '\n', (size_t)n - 1);
		done = before ? (size_t)(before - chunk) + 1 : 0;
		rc = done ? client_push(c, chunk, done) : 0;
		client_close_fds(c);
		memcpy(c->fds, fds, n_fds * sizeof(int));
		c->n_fds = n_fds;
		c->server->n_fds += n_fds;
	}
	if (rc == 0)
		rc = client_push(c, chunk + done, (size_t)n - done);
	if (rc < 0) {
		client_send_error(c, NULL, "GenericError", "the request is larger than 1 MiB");
		return false;
	}
	return true;
}

static int on_client(sd_event_source *source, int fd, uint32_t revents, void *userdata)
{
	struct control_client *c = userdata;
	bool alive = true;

	(void)source;
	(void)fd;
	if (revents & EPOLLOUT)
		client_write(c);
	if (!c->ended && (revents & (EPOLLIN | EPOLLHUP | EPOLLERR)))
		alive = client_read(c);
	/* It may have hung up on one side only, as socat does at the end of its
	 * input. */
	if (!alive && !(revents & (EPOLLHUP | EPOLLERR)) && (c->n_calls || c->output.len)) {
		c->ended = alive = true;
		client_write(c);
	}
	if (client_is_done(c) || (c->ended && revents & (EPOLLHUP | EPOLLERR)))
		alive = false;
	if (!alive || c->broken)
		client_free(c);
	return 0;
}

static void client_add(struct control_server *server, int fd)
{
	cleanup_json json_t *greeting = NULL;
	struct control_client *c = calloc(1, sizeof(*c));

	if (!c) {
		close(fd);
		return;
	}
	c->server = server;
	c->fd = fd;
	c->process = listen_process(fd);
	c->number = server->next_number++;
	c->next = server->clients;
	server->clients = c;
	server->n_clients++;
	if (qmp_splitter_new(REQUEST_MAX, &c->splitter) < 0 ||
	    sd_event_add_io(server->event, &c->source, fd, EPOLLIN, on_client, c) < 0) {
		client_free(c);
		return;
	}
	greeting = json_pack("{s:{s:O s:[]}}", "QMP", "version", server->version, "capabilities");
	client_send(c, greeting);
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
	if (count_of_process(server, listen_process(fd), false) >= CLIENTS_OF_PROCESS_MAX) {
		(void)send(fd, enough, sizeof(enough) - 1, MSG_NOSIGNAL | MSG_DONTWAIT);
		return 0;
	}
	client_add(server, steal_fd(&fd));
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

void control_server_broadcast(struct control_server *server, json_t *message)
{
	for (struct control_client *c = server->clients; c; c = c->next)
		if (c->negotiated)
			client_send(c, message);
}

bool control_server_is_busy(const struct control_server *server)
{
	return server->n_calls > 0;
}

/* The last words: what is queued gets until the deadline of all. */
static void client_flush(struct control_client *c, uint64_t deadline_ms)
{
	struct pollfd p = {.fd = c->fd, .events = POLLOUT};

	for (client_write(c); c->output.len && !c->broken; client_write(c)) {
		uint64_t now = clock_now_usec() / 1000;

		if (now >= deadline_ms || poll(&p, 1, (int)(deadline_ms - now)) <= 0)
			return;
	}
}

void control_server_free(struct control_server *server)
{
	uint64_t deadline_ms = clock_now_usec() / 1000 + FLUSH_MS;

	if (!server)
		return;
	server->handlers.gone = NULL;
	while (server->clients) {
		struct control_client *c = server->clients;

		client_flush(c, deadline_ms);
		while (c->calls)
			call_free(c->calls);
		client_free(c);
	}
	while (server->orphans)
		call_free(server->orphans);
	sd_event_source_disable_unref(server->source);
	sd_event_source_disable_unref(server->rest_timer);
	close_fd(&server->fd);
	json_decref(server->version);
	sd_event_unref(server->event);
	free(server);
}
