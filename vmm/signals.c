/* SPDX-License-Identifier: MIT */
#include "vmm/signals.h"

#include "base/cleanup.h"
#include "base/error.h"
#include "base/interrupt.h"

#include <signal.h>

static const int signals[] = {SIGTERM, SIGINT, SIGHUP};

void signals_block(void)
{
	sigset_t set;

	sigemptyset(&set);
	for (size_t i = 0; i < ARRAY_SIZE(signals); i++)
		sigaddset(&set, signals[i]);
	sigaddset(&set, SIGUSR1);
	(void)sigprocmask(SIG_BLOCK, &set, NULL);
}

int signals_watch(sd_event *event, sd_event_signal_handler_t handler, void *arg, struct error *err)
{
	int rc = 0;

	for (size_t i = 0; i < ARRAY_SIZE(signals) && rc >= 0; i++)
		rc = sd_event_add_signal(event, NULL, signals[i], handler, arg);
	return rc < 0 ? error_errno(err, -rc, "watch signals") : 0;
}

static int on_interrupt(sd_event_source *source, const struct signalfd_siginfo *info, void *arg)
{
	(void)source;
	(void)info;
	(void)arg;
	interrupt_note();
	return 0;
}

int signals_note(sd_event *event, struct error *err)
{
	return signals_watch(event, on_interrupt, NULL, err);
}

int signals_watch_reload(sd_event *event, sd_event_signal_handler_t handler, void *arg,
			 struct error *err)
{
	int rc = sd_event_add_signal(event, NULL, SIGUSR1, handler, arg);

	return rc < 0 ? error_errno(err, -rc, "watch signals") : 0;
}
