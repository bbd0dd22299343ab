/* SPDX-License-Identifier: MIT */
#include "vmm/agent.h"

#include "base/cleanup.h"
#include "base/error.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/socket.h>

struct agent {
	int fd;
	sd_event_source *source;
};

/* The channel has to be read, or the guest's side fills up; nothing it says is
 * needed. */
static int on_readable(sd_event_source *source, int fd, uint32_t revents, void *userdata)
{
	char chunk[4096];
	ssize_t n = recv(fd, chunk, sizeof(chunk), MSG_DONTWAIT);

	(void)revents;
	(void)userdata;
	if (n == 0 || (n < 0 && errno != EAGAIN && errno != EINTR))
		(void)sd_event_source_set_enabled(source, SD_EVENT_OFF);
	return 0;
}

int agent_shutdown(sd_event *event, int fd, struct agent **ret_agent, struct error *err)
{
	/* 0xff can be in no JSON text: what came before is forgotten. */
	static const char request[] =
		"\xff{\"execute\": \"guest-shutdown\", \"arguments\": {\"mode\": \"powerdown\"}}\n";
	struct agent *agent = calloc(1, sizeof(*agent));
	int rc;

	if (!agent) {
		close(fd);
		return error_oom(err);
	}
	agent->fd = fd;
	if (send(fd, request, sizeof(request) - 1, MSG_DONTWAIT | MSG_NOSIGNAL) < 0) {
		rc = error_errno(err, errno, "send to the guest agent");
		agent_free(agent);
		return rc;
	}
	rc = sd_event_add_io(event, &agent->source, fd, EPOLLIN, on_readable, agent);
	if (rc < 0) {
		agent_free(agent);
		return error_errno(err, -rc, "watch the guest agent");
	}
	*ret_agent = agent;
	return 0;
}

void agent_free(struct agent *agent)
{
	if (!agent)
		return;
	sd_event_source_disable_unref(agent->source);
	close_fd(&agent->fd);
	free(agent);
}
