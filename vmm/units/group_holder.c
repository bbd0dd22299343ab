/* SPDX-License-Identifier: MIT */
#include "vmm/units/group_holder.h"

#include "base/error.h"
#include "jail/cgroup.h"
#include "vmm/signals.h"

#include <systemd/sd-daemon.h>

static int on_signal(sd_event_source *source, const struct signalfd_siginfo *info, void *userdata)
{
	(void)info;
	(void)userdata;
	return sd_event_exit(sd_event_source_get_event(source), 0);
}

int group_holder_run(struct error *err)
{
	sd_event *event = NULL;
	int rc;

	signals_block();
	rc = cgroup_hold(err);
	if (rc < 0)
		return rc;
	rc = sd_event_new(&event);
	if (rc < 0)
		return error_errno(err, -rc, "event loop");
	rc = signals_watch(event, on_signal, NULL, err);
	if (rc == 0) {
		(void)sd_notify(0, "READY=1\nSTATUS=holding");
		rc = sd_event_loop(event);
		if (rc < 0)
			(void)error_errno(err, -rc, "event loop");
	}
	sd_event_unref(event);
	return rc < 0 ? rc : 0;
}
