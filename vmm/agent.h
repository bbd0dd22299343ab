/* SPDX-License-Identifier: MIT */
/*
 * Asking the guest agent to shut the guest down. The agent is the guest's: it
 * may say anything, or nothing. Its answer is read and thrown away within a
 * bound; whether the guest ends is seen elsewhere.
 */
#ifndef HV_VMM_AGENT_H
#define HV_VMM_AGENT_H

#include <systemd/sd-event.h>

struct error;
struct agent;

/*
 * Takes over fd, connected to the agent's channel, and sends guest-shutdown
 * behind a delimiter that resets the agent's parser. Never blocks.
 */
int agent_shutdown(sd_event *event, int fd, struct agent **ret_agent, struct error *err);
void agent_free(struct agent *agent); /* accepts NULL */

#endif
