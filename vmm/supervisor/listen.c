/* SPDX-License-Identifier: MIT */
#include "vmm/supervisor/listen.h"

#include "base/fd.h"
#include "base/log.h"

#include <errno.h>
#include <string.h>

enum { REST_USEC = 1000 * 1000 };

static int on_rested(sd_event_source *source, uint64_t usec, void *userdata)
{
	(void)source;
	(void)usec;
	(void)sd_event_source_set_enabled(userdata, SD_EVENT_ON);
	return 0;
}

int listen_rest_prepare(sd_event_source *listening, sd_event_source **ret_timer)
{
	int rc = sd_event_add_time(sd_event_source_get_event(listening), ret_timer, CLOCK_MONOTONIC,
				   UINT64_MAX, 0, on_rested, listening);

	return rc < 0 ? rc : sd_event_source_set_enabled(*ret_timer, SD_EVENT_OFF);
}

void listen_rest(sd_event_source *listening, sd_event_source *timer, int code)
{
	if (code != EMFILE && code != ENFILE && code != ENOBUFS && code != ENOMEM)
		return;
	/* Without a timer to wake it up it may not sleep. */
	if (sd_event_source_set_time_relative(timer, REST_USEC) < 0 ||
	    sd_event_source_set_enabled(timer, SD_EVENT_ONESHOT) < 0)
		return;
	(void)sd_event_source_set_enabled(listening, SD_EVENT_OFF);
	log_warning("a client has to wait: %s", strerror(code));
}

pid_t listen_process(int fd)
{
	pid_t pid;
	uid_t uid;
	gid_t gid;

	return fd_peer(fd, &uid, &gid, &pid, NULL) < 0 ? 0 : pid;
}
