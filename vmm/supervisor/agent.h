/* SPDX-License-Identifier: MIT */
/*
 * The guest agent on an sd-event loop: qmp/agent.h with its socket and its
 * deadlines. The agent is the guest's; no wait for it is without an end.
 */
#ifndef HV_VMM_AGENT_H
#define HV_VMM_AGENT_H

#include "qmp/agent.h"

#include <systemd/sd-event.h>

struct error;
struct agent;

/* Takes over fd, connected to the agent's channel. Sends nothing yet. */
int agent_new(sd_event *event, int fd, struct agent **ret_agent, struct error *err);

/* Calls that wait are completed with -ECANCELED first. Accepts NULL. */
void agent_free(struct agent *agent);

/*
 * One call; as many as qmp/agent.h takes may wait, each is sent when the one
 * before was answered. args is stolen, also on failure. timeout_ms counts from
 * now, 0: for ever. reply as there, and -ETIMEDOUT; -ECONNRESET where the
 * channel was closed. May free the agent. Never called from within agent_call().
 */
int agent_call(struct agent *agent, const char *command, json_t *args, uint64_t timeout_ms,
	       qmp_agent_reply_fn reply, void *arg, struct error *err);

/* The same with arguments as text, as qmp_agent_call_text(); and the text of an answer, within
 * its callback. */
int agent_call_text(struct agent *agent, const char *command, const char *args, size_t len,
		    uint64_t timeout_ms, qmp_agent_reply_fn reply, void *arg, struct error *err);
const char *agent_text(const struct agent *agent, size_t *ret_len);

/* Completes all calls with why: nobody waits for them any more. What the agent yet
 * says to them is passed over. */
void agent_cancel(struct agent *agent, const struct error *why);

/*
 * Asks the guest to power off: a sync first, which an agent that lives answers
 * at once, then guest-shutdown, which one that obeys does not answer at all.
 * failed is called at most once, not from within: no sync in time, or the agent
 * refuses. -ECONNRESET: the channel is closed.
 */
typedef void (*agent_failed_fn)(const struct error *why, void *arg);
int agent_shutdown(struct agent *agent, agent_failed_fn failed, void *arg, struct error *err);

#endif
