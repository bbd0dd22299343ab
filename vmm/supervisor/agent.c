/* SPDX-License-Identifier: MIT */
#include "vmm/supervisor/agent.h"

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/error.h"
#include "base/fd.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <sys/socket.h>

enum { READ_BYTES = 64 * 1024, SHUTDOWN_SYNC_MS = 5000 };

/* A call that waits. */
struct agent_call {
	struct agent_call *next;
	struct agent *agent;
	uint64_t number;
	uint64_t deadline_usec; /* 0: none */
	qmp_agent_reply_fn reply;
	void *arg;
};

struct agent {
	unsigned references;
	sd_event *event;
	sd_event_source *io, *timer;
	int fd; /* -1: the channel was closed */
	struct qmp_agent *protocol;
	struct agent_call *calls;
	agent_failed_fn failed; /* of agent_shutdown() */
	void *failed_arg;
};

static void agent_unref(struct agent *agent)
{
	if (--agent->references)
		return;
	sd_event_unref(agent->event);
	free(agent);
}

static void arm_timer(struct agent *agent)
{
	uint64_t nearest = 0;

	for (const struct agent_call *c = agent->calls; c; c = c->next)
		if (c->deadline_usec && (!nearest || c->deadline_usec < nearest))
			nearest = c->deadline_usec;
	if (!agent->timer)
		return;
	if (nearest)
		(void)sd_event_source_set_time(agent->timer, nearest);
	(void)sd_event_source_set_enabled(agent->timer, nearest ? SD_EVENT_ONESHOT : SD_EVENT_OFF);
}

static void on_answer(json_t *result, const struct error *err, void *arg)
{
	struct agent_call *call = arg, **link = &call->agent->calls;

	while (*link != call)
		link = &(*link)->next;
	*link = call->next;
	if (call->reply)
		call->reply(result, err, call->arg);
	free(call);
}

static void agent_close(struct agent *agent)
{
	agent->io = sd_event_source_disable_unref(agent->io);
	close_fd(&agent->fd);
}

/* Writes what the socket takes; the rest waits for EPOLLOUT. */
static void agent_write(struct agent *agent)
{
	const char *data;
	size_t len;

	if (!agent->protocol || agent->fd < 0)
		return;
	while ((len = qmp_agent_take(agent->protocol, &data))) {
		ssize_t n = send(agent->fd, data, len, MSG_NOSIGNAL | MSG_DONTWAIT);

		/* One that is broken shows when it is read. */
		if (n < 0 && errno != EINTR)
			break;
		qmp_agent_sent(agent->protocol, n > 0 ? (size_t)n : 0);
	}
	(void)sd_event_source_set_io_events(agent->io, EPOLLIN | (len ? EPOLLOUT : 0U));
}

static void agent_read(struct agent *agent)
{
	struct error err = ERROR_INIT;
	char chunk[READ_BYTES];
	ssize_t n = recv(agent->fd, chunk, sizeof(chunk), MSG_DONTWAIT);

	if (n > 0) {
		qmp_agent_push(agent->protocol, chunk, (size_t)n);
	} else if (n == 0 || (errno != EAGAIN && errno != EINTR)) {
		(void)error_errno(&err, n == 0 ? ECONNRESET : errno, "the agent's channel");
		agent_close(agent);
		qmp_agent_fail(agent->protocol, &err);
	}
}

static int on_io(sd_event_source *source, int fd, uint32_t revents, void *userdata)
{
	struct agent *agent = userdata;

	(void)source;
	(void)fd;
	agent->references++;
	if (revents & (EPOLLIN | EPOLLHUP | EPOLLERR))
		agent_read(agent);
	agent_write(agent);
	arm_timer(agent);
	agent_unref(agent);
	return 0;
}

static int on_timer(sd_event_source *source, uint64_t usec, void *userdata)
{
	struct agent *agent = userdata;
	struct error err = ERROR_INIT;
	uint64_t now = clock_now_usec();

	(void)source;
	(void)usec;
	(void)error_set(&err, ETIMEDOUT, "the agent does not answer in time");
	agent->references++;
	for (struct agent_call *c = agent->calls; c && agent->protocol;) {
		if (!c->deadline_usec || c->deadline_usec > now) {
			c = c->next;
			continue;
		}
		qmp_agent_cancel(agent->protocol, c->number, &err);
		/* Its callback may have changed the list. */
		c = agent->calls;
	}
	agent_write(agent);
	arm_timer(agent);
	agent_unref(agent);
	return 0;
}

int agent_new(sd_event *event, int fd, struct agent **ret_agent, struct error *err)
{
	struct agent *agent = calloc(1, sizeof(*agent));
	int rc;

	if (!agent) {
		close(fd);
		return error_oom(err);
	}
	*agent = (struct agent){.references = 1, .event = sd_event_ref(event), .fd = fd};
	rc = fd_set_nonblock(fd, err);
	/* The clock tells this connection's syncs from older ones. */
	if (rc == 0 &&
	    qmp_agent_new(QMP_AGENT_LINE_BYTES, (uint32_t)clock_now_usec(), &agent->protocol) < 0)
		rc = error_oom(err);
	if (rc == 0) {
		rc = sd_event_add_io(event, &agent->io, fd, EPOLLIN, on_io, agent);
		if (rc >= 0)
			rc = sd_event_add_time(event, &agent->timer, CLOCK_MONOTONIC, UINT64_MAX, 0,
					       on_timer, agent);
		rc = rc < 0 ? error_errno(err, -rc, "watch the guest agent") : 0;
	}
	if (rc < 0) {
		agent_free(agent);
		return rc;
	}
	arm_timer(agent);
	*ret_agent = agent;
	return 0;
}

void agent_free(struct agent *agent)
{
	if (!agent)
		return;
	agent->failed = NULL;
	agent_close(agent);
	agent->timer = sd_event_source_disable_unref(agent->timer);
	qmp_agent_free(steal_ptr(&agent->protocol));
	agent_unref(agent);
}

/* Takes the call over where it was made. */
static int register_call(struct agent *agent, struct agent_call *call, int rc)
{
	if (rc < 0) {
		free(call);
		return rc;
	}
	call->next = agent->calls;
	agent->calls = call;
	agent_write(agent);
	arm_timer(agent);
	return 0;
}

static struct agent_call *new_call(struct agent *agent, uint64_t timeout_ms,
				   qmp_agent_reply_fn reply, void *arg, struct error *err)
{
	struct agent_call *call = NULL;

	if (!agent->protocol || agent->fd < 0) {
		(void)error_set(err, ECONNRESET, "the agent's channel is closed");
		return NULL;
	}
	call = calloc(1, sizeof(*call));
	if (!call) {
		(void)error_oom(err);
		return NULL;
	}
	*call = (struct agent_call){
		.agent = agent,
		.deadline_usec = timeout_ms ? clock_now_usec() + timeout_ms * 1000 : 0,
		.reply = reply,
		.arg = arg,
	};
	return call;
}

int agent_call(struct agent *agent, const char *command, json_t *args, uint64_t timeout_ms,
	       qmp_agent_reply_fn reply, void *arg, struct error *err)
{
	struct agent_call *call = new_call(agent, timeout_ms, reply, arg, err);

	if (!call) {
		json_decref(args);
		return agent->fd < 0 ? -ECONNRESET : -ENOMEM;
	}
	return register_call(agent, call,
			     qmp_agent_call(agent->protocol, command, args, on_answer, call,
					    &call->number, err));
}

int agent_call_text(struct agent *agent, const char *command, const char *args, size_t len,
		    uint64_t timeout_ms, qmp_agent_reply_fn reply, void *arg, struct error *err)
{
	struct agent_call *call = new_call(agent, timeout_ms, reply, arg, err);

	if (!call)
		return agent->fd < 0 ? -ECONNRESET : -ENOMEM;
	return register_call(agent, call,
			     qmp_agent_call_text(agent->protocol, command, args, len, on_answer,
						 call, &call->number, err));
}

const char *agent_text(const struct agent *agent, size_t *ret_len)
{
	return qmp_agent_text(agent->protocol, ret_len);
}

static void fail_shutdown(struct agent *agent, const struct error *why)
{
	agent_failed_fn failed = agent->failed;

	agent->failed = NULL;
	if (failed)
		failed(why, agent->failed_arg);
}

static void on_shutdown_answer(json_t *result, const struct error *err, void *arg)
{
	(void)result;
	/* Whether the guest ends is seen elsewhere; so is an end of QEMU. */
	if (err && err->code != ECONNRESET && err->code != ECANCELED)
		fail_shutdown(arg, err);
}

static void on_shutdown_sync(json_t *result, const struct error *err, void *arg)
{
	struct agent *agent = arg;
	struct error failure = ERROR_INIT;

	(void)result;
	if (err && err->code == ECANCELED)
		return;
	if (err)
		fail_shutdown(agent, err);
	else if (agent_call(agent, "guest-shutdown", json_pack("{s:s}", "mode", "powerdown"), 0,
			    on_shutdown_answer, agent, &failure) < 0)
		fail_shutdown(agent, &failure);
}

void agent_cancel(struct agent *agent, const struct error *why)
{
	agent->references++;
	if (agent->protocol)
		qmp_agent_fail(agent->protocol, why);
	agent_write(agent);
	arm_timer(agent);
	agent_unref(agent);
}

int agent_shutdown(struct agent *agent, agent_failed_fn failed, void *arg, struct error *err)
{
	struct agent_call *call;

	call = new_call(agent, SHUTDOWN_SYNC_MS, on_shutdown_sync, agent, err);
	if (!call)
		return agent->fd < 0 ? -ECONNRESET : -ENOMEM;
	agent->failed = failed;
	agent->failed_arg = arg;
	return register_call(agent, call,
			     qmp_agent_sync(agent->protocol, on_answer, call, &call->number, err));
}
