/* SPDX-License-Identifier: MIT */
/*
 * The control socket: a QMP server for any number of clients, on an sd-event
 * loop. It greets, negotiates, frames, gives ids back as they came, to the letter, and
 * keeps clients apart; what a command does is the handler's business.
 *
 * Bounds: 256 clients, 128 of them out of one process; a request of 1 MiB with 16
 * descriptors; 256 requests in flight per client, 1024 per process; 128
 * descriptors of requests that are not complete; 8 MiB of unread output per
 * client: one that passes a bound is dropped and told why, for which it has ten
 * seconds to read. Who may connect is said in
 * vmm/supervisor/peer.h.
 */
#ifndef HV_VMM_CONTROL_H
#define HV_VMM_CONTROL_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>
#include <systemd/sd-event.h>

struct error;
struct control_server;
struct control_call; /* one request that waits for its answer */

struct control_handlers {
	/*
	 * A command of a client that has negotiated. Answer it exactly once,
	 * now or later, by control_reply() or control_fail(). args is borrowed
	 * and NULL where there were none; fds came along and are closed after
	 * the return: duplicate what is to stay.
	 */
	void (*command)(struct control_call *call, const char *name, json_t *args, const int *fds,
			size_t n_fds, void *arg);
	/* A client has gone; its unanswered calls are answered into the void. */
	void (*gone)(unsigned client, void *arg); /* may be NULL */
	void *arg;
};

/* Takes over listen_fd (non-blocking). greeting_version is the "version" object
 * of the greeting, stolen. */
int control_server_new(sd_event *event, int listen_fd, json_t *greeting_version,
		       const struct control_handlers *handlers, struct control_server **ret_server,
		       struct error *err);

/* Members of that group may act, too; before, root alone. */
void control_server_allow(struct control_server *server, gid_t group);

/* Writes what is queued, for at most one second, then closes everything.
 * Unanswered calls are freed. Accepts NULL. */
void control_server_free(struct control_server *server);

/* Replaces the greeting's version, stolen. */
void control_server_set_version(struct control_server *server, json_t *greeting_version);

/* Whether the greeting offers out-of-band execution. */
void control_server_set_oob(struct control_server *server, bool offers_oob);

/* Sends an event, as text without a line end, to every client that has negotiated. */
void control_server_broadcast(struct control_server *server, const char *text, size_t len);

/* Whether clients wait for an answer. */
bool control_server_is_busy(const struct control_server *server);

/* The handlers' arg. */
void *control_call_arg(const struct control_call *call);

/* A number that names the calling client for good. */
unsigned control_call_client(const struct control_call *call);

/* The calling client's socket, borrowed; -1 where it has gone. */
int control_call_socket(const struct control_call *call);

/* While the handler runs: the arguments as the client wrote them, checked, or NULL; and
 * whether they are to be executed out of band. */
const char *control_call_arguments(const struct control_call *call);
bool control_call_is_oob(const struct control_call *call);

/* Answers and frees the call. result is stolen; NULL stands for {}. */
void control_reply(struct control_call *call, json_t *result);
void control_fail(struct control_call *call, const char *class, const char *desc);

/* The same with somebody else's own text: a result, or an object of class and desc. */
void control_reply_text(struct control_call *call, const char *result, size_t len);
void control_fail_text(struct control_call *call, const char *error, size_t len);

#endif
