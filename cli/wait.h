/* SPDX-License-Identifier: MIT */
/* Waiting for what a VM or network becomes, by the files that tell it. */
#ifndef HV_CLI_WAIT_H
#define HV_CLI_WAIT_H

#include "cli/verb.h"

#include <jansson.h>
#include <regex.h>

enum wait_for {
	WAIT_RUNNING, /* the guest runs or is paused */
	WAIT_AGENT, /* the guest's agent has opened its port */
	WAIT_IP, /* a NIC has a lease of its network */
	WAIT_CONSOLE, /* a text was seen on the console since the start */
	WAIT_DOWN, /* it has stopped */
	WAIT_REPLACED, /* another supervisor than that of pid looks after it */
	WAIT_FREE, /* no verb holds it */
	/* Nothing tells these: they are asked again twice a second. */
	WAIT_ANSWER, /* the guest's agent answers */
	WAIT_PORT, /* a port of the guest takes connections */
	WAIT_SSH, /* an SSH server greets on port 22 */
	WAIT_UNIT, /* a systemd unit of the guest is active */
};

struct wait_condition {
	enum wait_for what;
	const char *text; /* of WAIT_CONSOLE, WAIT_UNIT */
	const regex_t *regex; /* of WAIT_CONSOLE, in place of text: a line that matches */
	unsigned port; /* of WAIT_PORT */
	int pid; /* of WAIT_REPLACED */
};

/* "running", "agent", "ip", "console:TEXT"; false for anything else. */
bool cli_wait_parse(const char *s, struct wait_condition *ret_condition);

/*
 * Waits until the condition holds for a VM. deadline_usec: CLOCK_MONOTONIC.
 * -ETIMEDOUT, or -ECONNRESET where the VM has ended; was_up false: it is only
 * being started, so that it is not up yet says nothing.
 */
int cli_wait_vm(struct cli *cli, const struct spec_vm *vm, const struct wait_condition *condition,
		bool was_up, uint64_t deadline_usec);

/* Waits until no verb works on the files of a machine that is stopped (vmm/layers/hold.h), for a
 * few seconds at most: -EBUSY says which one does. */
int cli_wait_free(struct cli *cli, const struct spec_vm *vm, uint64_t deadline_usec);

/* Looks once whether a condition that nothing tells holds: 1, or 0; status is the VM's. An agent is
 * asked until the deadline at most. */
int cli_wait_ask(struct cli *cli, const struct spec_vm *vm, json_t *status,
		 const struct wait_condition *condition, uint64_t deadline_usec, struct error *err);

/* Waits until a network that somebody starts is up. */
int cli_wait_network(struct cli *cli, const struct spec_network *net, uint64_t deadline_usec);

/* Waits until a network that starts anew is up under another supervisor than that of pid. */
int cli_wait_network_replaced(struct cli *cli, const struct spec_network *net, int pid,
			      uint64_t deadline_usec);

#endif
