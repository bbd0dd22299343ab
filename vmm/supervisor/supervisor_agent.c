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
#include "vmm/supervisor/supervisor_agent_private.h"

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/log.h"

#include <errno.h>
#include <stdlib.h>
#include <time.h>

enum {
	CLOCK_TIMEOUT_MS = 10 * 1000,
	/* A guest that stood for less than this keeps its own idea of the time. */
	CLOCK_USEC_MIN = 1000 * 1000,
};

static void send_next(struct supervisor *s);

static void request_free(struct agent_request *r)
{
	free(r->command);
	free((char *)r->text.at);
	json_decref(r->args);
	free(r);
}

/* Answers whoever asked, and frees the request. */
static void request_end(struct agent_request *r, json_t *result, const struct error *err)
{
	if (r->done) {
		r->done(r->s, result, err);
	} else if (!r->call) {
		if (err)
			log_info("vm '%s': guest agent: %s: %s", r->s->vm->name, r->command,
				 err->text);
	} else {
		supervisor_agent_answer(r, result, err);
	}
	request_free(r);
}

static struct agent_request *unlink_request(struct supervisor_agent *a, struct agent_request **link)
{
	struct agent_request *r = *link;

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

	for (const struct agent_request *r = s->agent->queue; r; r = r->next)
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
	struct agent_request **link = &s->agent->queue;
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
static struct agent_request **choose(struct supervisor_agent *a)
{
	struct agent_request **best = &a->queue;

	for (struct agent_request **link = &a->queue; *link; link = &(*link)->next) {
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
	struct agent_request *r = arg;
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
static bool send_request(struct supervisor *s, struct agent_request *r)
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

void agent_request_add(struct supervisor *s, struct agent_request *r)
{
	struct agent_request **end = &s->agent->queue;

	while (*end)
		end = &(*end)->next;
	*end = r;
	s->agent->n_queue++;
	send_next(s);
}

struct agent_request *agent_request_new(struct supervisor *s, const char *command, json_t *args,
					uint64_t timeout_ms)
{
	struct agent_request *r = calloc(1, sizeof(*r));

	if (!r) {
		json_decref(args);
		return NULL;
	}
	*r = (struct agent_request){
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

void supervisor_agent_client_gone(struct supervisor *s, unsigned client)
{
	struct agent_request **link = &s->agent->queue;
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

void supervisor_agent_goes_on(struct supervisor *s)
{
	struct error err = ERROR_INIT;

	(void)error_set(&err, ECANCELED, "the guest goes on");
	s->agent->shutdown_failed = NULL;
	if (s->agent->connection)
		agent_cancel(s->agent->connection, &err);
	send_next(s);
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
	struct agent_request *r;

	s->agent->stood_usec = 0;
	if (!s->agent_open || s->state == VM_STATE_STOPPING ||
	    (stood_usec && clock_now_usec() - stood_usec < CLOCK_USEC_MIN) ||
	    clock_gettime(CLOCK_REALTIME, &now) < 0)
		return;
	r = agent_request_new(
		s, "guest-set-time",
		json_pack("{s:I}", "time", (json_int_t)now.tv_sec * 1000000000 + now.tv_nsec),
		CLOCK_TIMEOUT_MS);
	if (r)
		agent_request_add(s, r);
}

void supervisor_agent_ask(struct supervisor *s, const char *command, json_t *args,
			  uint64_t timeout_ms, supervisor_agent_fn done)
{
	struct agent_request *r = args ? agent_request_new(s, command, args, timeout_ms) : NULL;
	struct error err = ERROR_INIT;

	if (r) {
		r->done = done;
		agent_request_add(s, r);
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
