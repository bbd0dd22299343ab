/* SPDX-License-Identifier: MIT */
/*
 * The control socket's own state, shared by its parts: control.c (the server: who may
 * connect, and the end), control_client.c (a client's bytes, both ways),
 * control_request.c (what a client asks for, and its calls).
 */
#ifndef HV_VMM_CONTROL_PRIVATE_H
#define HV_VMM_CONTROL_PRIVATE_H

#include "base/fd.h"
#include "base/str.h"
#include "qmp/splitter.h"
#include "vmm/supervisor/control.h"

enum {
	CLIENTS_MAX = 256,
	CLIENTS_OF_PROCESS_MAX = 128,
	REQUEST_MAX = 1024 * 1024,
	CALLS_MAX = 256,
	CALLS_OF_PROCESS_MAX = 1024,
	OUTPUT_MAX = 8 * 1024 * 1024,
	/* Of answers that one has not read: what it asks beyond that waits until it has. */
	OUTPUT_PAUSE = 1024 * 1024,
	/* That came before the request they belong to, of all clients. */
	WAITING_FDS_MAX = 128,
	DROP_USEC = 10 * 1000 * 1000,
};

struct qmp_request;

struct control_call {
	struct control_client *client; /* NULL: it has gone */
	struct control_call *next; /* of the client's list, or the server's orphans */
	struct control_server *server;
	unsigned client_number;
	char *id; /* its text; NULL: none given */
	const struct qmp_request *request; /* while its handler runs; then NULL */
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
	bool waits; /* for its socket to take more */
	bool negotiated, broken;
	bool oob; /* it may execute out of band */
	bool held; /* what it asked waits until it has read more of its answers */
	bool ended; /* it asks no more, and waits for answers */
	bool dropped; /* it is told why, and nothing else */
	int fds[FD_PASS_MAX]; /* for the next request */
	size_t n_fds;
};

struct control_server {
	sd_event *event;
	sd_event_source *source;
	sd_event_source *flush; /* sends what was queued */
	int fd;
	gid_t group; /* whose members may act */
	json_t *version;
	bool offers_oob;
	struct control_handlers handlers;
	struct control_client *clients;
	struct control_call *orphans; /* of clients that have gone */
	size_t n_clients, n_calls, n_fds;
	unsigned next_number;
	sd_event_source *rest_timer;
};

/* control.c */
/* Clients of one process, or the calls that they wait for. */
size_t control_count_of_process(const struct control_server *server, pid_t process, bool calls);

/* control_client.c */
void control_client_add(struct control_server *server, int fd); /* takes fd */
void control_client_free(struct control_client *c);
void control_client_close_fds(struct control_client *c);
/* Writes what the socket takes; the rest waits for EPOLLOUT. */
void control_client_write(struct control_client *c);
/* The same as control_client_send(), written by whoever queues. */
void control_client_queue(struct control_client *c, const char *text, size_t len);
/* Queues a message, without its line end, and writes. A client that cannot keep up is freed by its
 * own event handlers only, never below a caller. */
void control_client_send(struct control_client *c, const char *text, size_t len);
/* An answer: a member, its value as text, and the id's text, which may be NULL. */
void control_client_answer(struct control_client *c, const char *member, const char *value,
			   size_t len, const char *id);
void control_client_send_error(struct control_client *c, const char *id, const char *class,
			       const char *desc);
/* The last words: what is queued gets until the deadline of all. */
void control_client_flush(struct control_client *c, uint64_t deadline_ms);

/* control_request.c */
/* One value that a client sent. */
void control_client_handle_value(struct control_client *c, const char *text, size_t len);
void control_call_free(struct control_call *call);

#endif
