/* SPDX-License-Identifier: MIT */
/*
 * The guest agent, for all who have something to ask of it.
 *
 * There is one channel and an agent that answers one question after another, so the
 * supervisor keeps the one connection and a queue. It is made when it is first needed,
 * by the keeper, and dropped when the guest's end is closed. One call is on the wire;
 * the next is that of the client whose turn it is, by number and in a circle: one that
 * asks much waits for itself and not others for it. A deadline counts from the request,
 * the time in the queue with it. A call that is not answered in time, or whose client
 * has gone, is given up, and the next one begins with a sync: what an agent says too
 * late is taken for nobody's answer.
 */
#include "vmm/supervisor/supervisor_private.h"

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/str.h"
#include "qmp/text.h"

#include <errno.h>
#include <stdlib.h>
#include <time.h>

enum {
	WAITING_MAX = 128, /* of all clients */
	WAITING_OF_CLIENT_MAX = 32,
	TIMEOUT_MS = 30 * 1000,
	TIMEOUT_MS_MAX = 3600 * 1000,
	CLOCK_TIMEOUT_MS = 10 * 1000,
	/* A guest that stood for less than this keeps its own idea of the time. */
	CLOCK_USEC_MIN = 1000 * 1000,
};

struct request {
	struct request *next;
	struct supervisor *s;
	struct control_call *call; /* NULL: the supervisor's own */
	supervisor_agent_fn done; /* of that; may be NULL */
	unsigned client;
	uint64_t deadline_usec;
	bool again; /* its connection was found to be closed once */
	char *command;
	json_t *args; /* may be NULL */
	struct qmp_span text; /* the same as the client wrote them, ours; at NULL: by args */
};

struct supervisor_agent {
	struct agent *connection; /* NULL: none */
	bool connecting; /* the keeper was asked for one */
	struct request *queue, *asked; /* asked: the one on the wire */
	size_t n_queue;
	unsigned last_client;
	sd_event_source *timer; /* of the queue */
	agent_failed_fn shutdown_failed; /* an orderly shutdown waits for the connection */
	uint64_t stood_usec; /* since when the guest stands; 0: not known */
};

static void send_next(struct supervisor *s);

static void request_free(struct request *r)
{
	free(r->command);
	free((char *)r->text.at);
	json_decref(r->args);
	free(r);
}

/* An answer goes on as the agent wrote it: a piece of a file is megabytes, and each time that
 * it is decoded and encoded again costs as much as all the rest. */
static void pass_on(struct request *r, json_t *result)
{
	const struct agent *connection = r->s->agent->connection;
	struct qmp_span value = {0};
	size_t len;
	const char *text = connection ? agent_text(connection, &len) : NULL;

	if (text)
		value = qmp_text_member(text, len, "return");
	if (value.at)
		control_reply_text(r->call, value.at, value.len);
	else
		control_reply(r->call, json_incref(result));
}

/* Answers whoever asked, and frees the request. */
static void request_end(struct request *r, json_t *result, const struct error *err)
{
	if (r->done) {
		r->done(r->s, result, err);
	} else if (!r->call) {
		if (err)
			log_info("vm '%s': guest agent: %s: %s", r->s->vm->name, r->command,
				 err->text);
	} else if (err) {
		control_fail(r->call, err->code == ENOENT ? "CommandNotFound" : "GenericError",
			     err->text);
	} else {
		pass_on(r, result);
	}
	request_free(r);
}

static struct request *unlink_request(struct supervisor_agent *a, struct request **link)
{
	struct request *r = *link;

	*link = r->next;
	a->n_queue--;
	return r;
}

static void fail_queue(struct supervisor_agent *a, const struct error *why)
{
	while (a->queue)
		request_end(unlink_request(a, &a->queue), NULL, why);
}

static int on_deadline(sd_event_source *source, uint64_t usec, void *userdata);

static void arm_timer(struct supervisor *s)
{
	uint64_t nearest = UINT64_MAX;

	for (const struct request *r = s->agent->queue; r; r = r->next)
		if (r->deadline_usec < nearest)
			nearest = r->deadline_usec;
	if (!s->agent->timer &&
	    (nearest == UINT64_MAX || sd_event_add_time(s->event, &s->agent->timer, CLOCK_MONOTONIC,
							nearest, 0, on_deadline, s) < 0))
		return;
	(void)sd_event_source_set_time(s->agent->timer, nearest);
	(void)sd_event_source_set_enabled(s->agent->timer,
					  nearest == UINT64_MAX ? SD_EVENT_OFF : SD_EVENT_ONESHOT);
}

static int on_deadline(sd_event_source *source, uint64_t usec, void *userdata)
{
	struct supervisor *s = userdata;
	struct request **link = &s->agent->queue;
	struct error err = ERROR_INIT;
	uint64_t now = clock_now_usec();

	(void)source;
	(void)usec;
	(void)error_set(&err, ETIMEDOUT, "the agent does not answer in time");
	while (*link) {
		if ((*link)->deadline_usec <= now)
			request_end(unlink_request(s->agent, link), NULL, &err);
		else
			link = &(*link)->next;
	}
	arm_timer(s);
	return 0;
}

/* The link to the one whose turn it is. What the supervisor itself asks comes first. */
static struct request **choose(struct supervisor_agent *a)
{
	struct request **best = &a->queue;

	for (struct request **link = &a->queue; *link; link = &(*link)->next) {
		if (!(*link)->call)
			return link;
		/* Both count from the client behind the last one, around. */
		if ((*link)->client - a->last_client - 1 < (*best)->client - a->last_client - 1)
			best = link;
	}
	return best;
}

static void drop_connection(struct supervisor_agent *a)
{
	agent_free(steal_ptr(&a->connection));
}

static void connect_agent(struct supervisor *s)
{
	if (s->agent->connecting)
		return;
	s->agent->connecting = true;
	supervisor_tell(s, (struct vm_message){.word = KEEPER_CONNECT, .number = VM_SOCKET_AGENT},
			NULL);
}

static void on_answer(json_t *result, const struct error *err, void *arg)
{
	struct request *r = arg;
	struct supervisor *s = r->s;

	s->agent->asked = NULL;
	/* The agent is at the next one while this one is told. */
	if (!err)
		send_next(s);
	request_end(r, result, err);
	if (err && err->code == ECONNRESET)
		drop_connection(s->agent);
	/* Not of one that is being freed, nor of a shutdown that goes first. */
	if (err && err->code != ECANCELED)
		send_next(s);
}

/* Puts one on the wire. false: there is no connection (any more). */
static bool send_request(struct supervisor *s, struct request *r)
{
	struct supervisor_agent *a = s->agent;
	uint64_t now = clock_now_usec(), left = 1;
	struct error err = ERROR_INIT;
	int rc;

	if (r->deadline_usec > now)
		left = (r->deadline_usec - now) / 1000 + 1;
	a->asked = r;
	if (r->text.at)
		rc = agent_call_text(a->connection, r->command, r->text.at, r->text.len, left,
				     on_answer, r, &err);
	else
		rc = agent_call(a->connection, r->command, json_incref(r->args), left, on_answer, r,
				&err);
	if (rc == 0) {
		if (r->call)
			a->last_client = r->client;
		return true;
	}
	a->asked = NULL;
	if (rc == -ECONNRESET && !r->again) {
		r->again = true;
		r->next = a->queue;
		a->queue = r;
		a->n_queue++;
		return false;
	}
	request_end(r, NULL, &err);
	return rc != -ECONNRESET;
}

static void send_next(struct supervisor *s)
{
	struct supervisor_agent *a = s->agent;

	while (a->queue && !a->asked && a->connection && s->state != VM_STATE_STOPPING)
		if (!send_request(s, unlink_request(a, choose(a))))
			drop_connection(a);
	if (a->queue && !a->connection)
		connect_agent(s);
	arm_timer(s);
}

static void add_request(struct supervisor *s, struct request *r)
{
	struct request **end = &s->agent->queue;

	while (*end)
		end = &(*end)->next;
	*end = r;
	s->agent->n_queue++;
	send_next(s);
}

/* Steals args. NULL: out of memory. */
static struct request *new_request(struct supervisor *s, const char *command, json_t *args,
				   uint64_t timeout_ms)
{
	struct request *r = calloc(1, sizeof(*r));

	if (!r) {
		json_decref(args);
		return NULL;
	}
	*r = (struct request){
		.s = s,
		.deadline_usec = clock_now_usec() + timeout_ms * 1000,
		.command = strdup(command),
		.args = args,
	};
	if (r->command)
		return r;
	request_free(r);
	return NULL;
}

/* Why a client's call is not taken; NULL: it is. */
static const char *refusal(const struct supervisor *s, const char *command, unsigned client)
{
	size_t of_client = 0;

	if (!str_after(command, "guest-"))
		return "'command' has to be one of the agent's, guest-…";
	if (str_eq(command, "guest-sync") || str_eq(command, "guest-sync-delimited"))
		return "the supervisor keeps the agent in step by itself";
	if (s->state == VM_STATE_STOPPING)
		return "it is shutting down";
	if (!s->agent_open && !s->vm->agent)
		return "the guest agent is not there: the machine has no channel for one (agent: false)";
	if (!s->agent_open)
		return "the guest agent is not there (qemu-guest-agent has to run in the guest)";
	for (const struct request *r = s->agent->queue; r; r = r->next)
		of_client += r->client == client && r->call;
	if (of_client >= WAITING_OF_CLIENT_MAX)
		return "32 calls of this client wait for the agent already";
	return s->agent->n_queue >= WAITING_MAX ? "128 calls wait for the agent already" : NULL;
}

/* Takes the arguments as text where they are one line, as the agent wants them. */
static void keep_text(struct request *r, const char *arguments)
{
	struct qmp_span span = {0};

	if (arguments)
		span = qmp_text_member(arguments, strlen(arguments), "arguments");
	if (!span.at || memchr(span.at, '\n', span.len) || memchr(span.at, '\r', span.len))
		return;
	r->text = (struct qmp_span){strndup(span.at, span.len), span.len};
	if (!r->text.at)
		return;
	json_decref(r->args);
	r->args = NULL;
}

void supervisor_agent_command(struct supervisor *s, struct control_call *call, json_t *args)
{
	json_int_t timeout_ms = TIMEOUT_MS;
	const char *command = NULL, *why;
	json_t *arguments = NULL;
	struct request *r;
	json_error_t fault;

	if (json_unpack_ex(args, &fault, JSON_STRICT, "{s:s s?o s?I}", "command", &command,
			   "arguments", &arguments, "timeout-ms", &timeout_ms) < 0) {
		control_fail(call, "GenericError", args ? fault.text : "'command' is missing");
		return;
	}
	if (arguments && !json_is_object(arguments)) {
		control_fail(call, "GenericError", "'arguments' has to be an object");
		return;
	}
	if (timeout_ms < 1 || timeout_ms > TIMEOUT_MS_MAX) {
		control_fail(call, "GenericError", "'timeout-ms' has to be between 1 and an hour");
		return;
	}
	why = refusal(s, command, control_call_client(call));
	if (why) {
		control_fail(call, "GenericError", why);
		return;
	}
	r = new_request(s, command, json_incref(arguments), (uint64_t)timeout_ms);
	if (!r) {
		control_fail(call, "GenericError", "out of memory");
		return;
	}
	keep_text(r, control_call_arguments(call));
	r->call = call;
	r->client = control_call_client(call);
	add_request(s, r);
}

void supervisor_agent_client_gone(struct supervisor *s, unsigned client)
{
	struct request **link = &s->agent->queue;
	struct error err = ERROR_INIT;

	(void)error_set(&err, ECONNABORTED, "its client has gone");
	while (*link) {
		if ((*link)->call && (*link)->client == client)
			request_end(unlink_request(s->agent, link), NULL, &err);
		else
			link = &(*link)->next;
	}
	/* The agent may be at it for long yet; the sync of the next one waits for that. */
	if (s->agent->asked && s->agent->asked->call && s->agent->asked->client == client)
		agent_cancel(s->agent->connection, &err);
	arm_timer(s);
}

static void begin_shutdown(struct supervisor *s)
{
	agent_failed_fn failed = steal_ptr(&s->agent->shutdown_failed);
	struct error err = ERROR_INIT;
	int rc = agent_shutdown(s->agent->connection, failed, s, &err);

	if (rc == -ECONNRESET) {
		/* The old connection is broken; a new one may not be. */
		drop_connection(s->agent);
		s->agent->shutdown_failed = failed;
		connect_agent(s);
	} else if (rc < 0) {
		failed(&err, s);
	}
}

void supervisor_agent_shutdown(struct supervisor *s, agent_failed_fn failed)
{
	struct supervisor_agent *a = s->agent;
	struct error err = ERROR_INIT;

	(void)error_set(&err, ECANCELED, "it is shutting down");
	fail_queue(a, &err);
	if (a->connection && a->asked)
		agent_cancel(a->connection, &err);
	a->shutdown_failed = failed;
	if (a->connection)
		begin_shutdown(s);
	else
		connect_agent(s);
}

void supervisor_agent_connected(struct supervisor *s, int fd, const char *why)
{
	struct supervisor_agent *a = s->agent;
	struct error err = ERROR_INIT;
	agent_failed_fn failed;

	a->connecting = false;
	drop_connection(a);
	if (fd < 0)
		(void)error_set(&err, ENOTCONN, "%s", why);
	else
		(void)agent_new(s->event, fd, &a->connection, &err);
	if (!err.code && a->shutdown_failed)
		begin_shutdown(s);
	else if (!err.code)
		send_next(s);
	if (!err.code)
		return;
	fail_queue(a, &err);
	failed = steal_ptr(&a->shutdown_failed);
	if (failed)
		failed(&err, s);
}

void supervisor_agent_port(struct supervisor *s)
{
	struct error err = ERROR_INIT;

	if (s->agent_open)
		return;
	(void)error_set(&err, ECONNABORTED, "the guest agent has gone");
	fail_queue(s->agent, &err);
	/* One that shuts down closes its port on the way. */
	if (s->state == VM_STATE_STOPPING)
		return;
	if (s->agent->connection)
		agent_cancel(s->agent->connection, &err);
	drop_connection(s->agent);
}

void supervisor_agent_stands(struct supervisor *s)
{
	s->agent->stood_usec = clock_now_usec();
}

void supervisor_agent_runs(struct supervisor *s)
{
	uint64_t stood_usec = s->agent->stood_usec;
	struct timespec now;
	struct request *r;

	s->agent->stood_usec = 0;
	if (!s->agent_open || s->state == VM_STATE_STOPPING ||
	    (stood_usec && clock_now_usec() - stood_usec < CLOCK_USEC_MIN) ||
	    clock_gettime(CLOCK_REALTIME, &now) < 0)
		return;
	r = new_request(
		s, "guest-set-time",
		json_pack("{s:I}", "time", (json_int_t)now.tv_sec * 1000000000 + now.tv_nsec),
		CLOCK_TIMEOUT_MS);
	if (r)
		add_request(s, r);
}

void supervisor_agent_ask(struct supervisor *s, const char *command, json_t *args,
			  uint64_t timeout_ms, supervisor_agent_fn done)
{
	struct request *r = args ? new_request(s, command, args, timeout_ms) : NULL;
	struct error err = ERROR_INIT;

	if (r) {
		r->done = done;
		add_request(s, r);
		return;
	}
	(void)error_oom(&err);
	done(s, NULL, &err);
}

struct supervisor_agent *supervisor_agent_new(void)
{
	return calloc(1, sizeof(struct supervisor_agent));
}

void supervisor_agent_free(struct supervisor_agent *a)
{
	struct error err = ERROR_INIT;

	if (!a)
		return;
	(void)error_set(&err, ECANCELED, "the machine has ended");
	a->shutdown_failed = NULL;
	fail_queue(a, &err);
	drop_connection(a);
	sd_event_source_disable_unref(a->timer);
	free(a);
}
