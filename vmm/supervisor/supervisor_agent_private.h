/* SPDX-License-Identifier: MIT */
/* What the queue for the agent and the command that fills it share. */
#ifndef HV_VMM_SUPERVISOR_AGENT_PRIVATE_H
#define HV_VMM_SUPERVISOR_AGENT_PRIVATE_H

#include "qmp/text.h"
#include "vmm/supervisor/supervisor_private.h"

struct agent_request {
	struct agent_request *next;
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
	struct agent_request *queue, *asked; /* asked: the one on the wire */
	size_t n_queue;
	unsigned last_client;
	sd_event_source *timer; /* of the queue */
	agent_failed_fn shutdown_failed; /* an orderly shutdown waits for the connection */
	uint64_t stood_usec; /* since when the guest stands; 0: not known */
};

/* supervisor_agent.c */
/* Steals args. NULL: out of memory. */
struct agent_request *agent_request_new(struct supervisor *s, const char *command, json_t *args,
					uint64_t timeout_ms);
/* Takes it over: it is answered and freed, also from within. */
void agent_request_add(struct supervisor *s, struct agent_request *r);

/* supervisor_agent_command.c */
/* Answers the client of one; err is NULL on success. */
void supervisor_agent_answer(struct agent_request *r, json_t *result, const struct error *err);

#endif
