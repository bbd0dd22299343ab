/* SPDX-License-Identifier: MIT */
/*
 * Theory of operation
 *
 * A network is two processes. The keeper is what `hv net run` starts; it has the
 * privilege, the lock, the bridge and dnsmasq, and hears nobody but the kernel and its
 * supervisor. The supervisor is a copy of it that gave up all of that and hears everybody.
 * This file is the keeper's end of the channel between them.
 *
 * A supervisor is worth nothing by itself: what it knows that has to last (users, hosts,
 * whether dnsmasq has started) it has told, the socket that clients connect to is its
 * keeper's, and so is a copy of each connection that stands for a use. One that ends, that
 * hangs, or that asks what no supervisor asks is replaced at once, and neither machines nor
 * the network notice. Only a client that waits for an answer at that moment hears that its
 * connection ends.
 *
 * The other way round the supervisor ends when the channel does. Bridge, rules and dnsmasq
 * stay, and the next keeper takes them over.
 */
#include "vmm/network/network_private.h"

#include "base/channel.h"
#include "base/cleanup.h"
#include "base/log.h"
#include "vmm/keeper/unprivileged.h"
#include "vmm/network/network_supervisor.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <systemd/sd-daemon.h>
#include <time.h>

/* Beyond so many in so long it gets a pause, so that one that dies of what it is
 * always told again costs little. */
enum { STARTS_MAX = 5, STARTS_USEC = 10 * 1000 * 1000, PAUSE_USEC = 1000 * 1000, END_MS = 3000 };

/* Lets go of one that has ended or is to end. */
static void forget(struct network_supervisor *s)
{
	s->channel_source = sd_event_source_disable_unref(s->channel_source);
	s->gone_source = sd_event_source_disable_unref(s->gone_source);
	s->again_source = sd_event_source_disable_unref(s->again_source);
	close_fd(&s->channel);
	s->asked = false;
}

/* Nothing more is heard of it, or told to it; when it has ended, another one comes. */
static void give_up(struct network_supervisor *s)
{
	s->channel_source = sd_event_source_disable_unref(s->channel_source);
	close_fd(&s->channel);
	(void)child_signal(&s->process, SIGKILL, NULL);
}

void network_keeper_send(struct network *n, enum network_order_kind kind, uint32_t serial,
			 const struct error *result, int fd)
{
	struct network_supervisor *s = &n->supervisor;
	struct network_order order = {.kind = kind, .serial = serial};
	struct error err = ERROR_INIT;

	if (s->channel < 0)
		return;
	if (result) {
		order.code = result->code;
		(void)str_format(order.text, sizeof(order.text), "%s", result->text);
	}
	if (channel_send(s->channel, &order, sizeof(order), fd, &err) == 0 || err.code == EPIPE)
		return;
	log_error("network '%s': its supervisor does not listen (%s); it is replaced",
		  n->options->net->name, err.text);
	give_up(s);
}

static int on_message(sd_event_source *source, int channel, uint32_t revents, void *userdata)
{
	struct network *n = userdata;
	struct network_request request;
	struct error err = ERROR_INIT;
	int fd = -1, rc;

	(void)source;
	(void)revents;
	rc = channel_receive(channel, &request, sizeof(request), &fd, &err);
	/* One that ended with orders unread says that first; what it sent is there. */
	if (rc == -EAGAIN || rc == -ECONNRESET)
		return 0;
	if (rc > 0)
		rc = network_take_request(n, &request, fd, &err) < 0 ? -EPROTO : 1;
	if (rc > 0)
		return 0;
	if (rc < 0)
		log_error("network '%s': its supervisor is not itself (%s); it is replaced",
			  n->options->net->name, err.text);
	give_up(&n->supervisor);
	return 0;
}

static void replace(struct network *n);

static int on_again(sd_event_source *source, uint64_t usec, void *userdata)
{
	(void)source;
	(void)usec;
	replace(userdata);
	return 0;
}

static bool may_start(struct network *n)
{
	struct network_supervisor *s = &n->supervisor;
	uint64_t now = 0;

	(void)sd_event_now(n->event, CLOCK_MONOTONIC, &now);
	if (now - s->starts_usec > STARTS_USEC) {
		s->starts_usec = now;
		s->starts = 0;
	}
	return s->starts++ < STARTS_MAX;
}

static void replace(struct network *n)
{
	struct network_supervisor *s = &n->supervisor;
	struct error err = ERROR_INIT;

	forget(s);
	if (network_keeper_start(n, &err) == 0) {
		network_dnsmasq_unheard(n);
		network_write_status(n);
		return;
	}
	log_error("network '%s': %s", n->options->net->name, err.text);
	(void)sd_event_add_time_relative(n->event, &s->again_source, CLOCK_MONOTONIC, PAUSE_USEC, 0,
					 on_again, n);
}

/* All that it said before was heard by now. */
static int on_gone(sd_event_source *source, int fd, uint32_t revents, void *userdata)
{
	struct network *n = userdata;
	struct network_supervisor *s = &n->supervisor;
	char how[64];
	int status = 0;

	(void)source;
	(void)fd;
	(void)revents;
	forget(s);
	(void)child_wait(&s->process, -1, &status, NULL);
	if (n->ending)
		return 0;
	child_describe_status(how, sizeof(how), status);
	log_error("network '%s': its supervisor %s; a new one takes its place",
		  n->options->net->name, how);
	network_disown_users(n);
	if (may_start(n))
		replace(n);
	else
		(void)sd_event_add_time_relative(n->event, &s->again_source, CLOCK_MONOTONIC,
						 PAUSE_USEC, 0, on_again, n);
	if (n->was_used)
		network_end_if_unused(n);
	return 0;
}

static int spawn(struct network *n, int channel, struct error *err)
{
	struct network_supervisor_options options = {
		.net = n->options->net,
		.group = n->run.group,
	};
	cleanup_free char *name = str_printf("net-run/%s", n->options->net->name);

	if (!name)
		return error_oom(err);
	return unprivileged_spawn(
		n->options->paths,
		&(struct unprivileged){
			.name = "the network's supervisor",
			.owner = n->owner.text,
			.user = name,
			.fds = (struct child_fd[]){{channel, NETWORK_CHANNEL_FD},
						   {n->control_fd, NETWORK_CONTROL_FD}},
			.n_fds = 2,
			.main = network_supervisor_main,
			.arg = &options,
		},
		&n->supervisor.process, &n->supervisor.net_ns, err);
}

int network_keeper_start(struct network *n, struct error *err)
{
	struct network_supervisor *s = &n->supervisor;
	cleanup_close int ours = -1, theirs = -1;
	int rc = channel_pair(&ours, &theirs, err);

	if (rc < 0)
		return rc;
	rc = spawn(n, theirs, err);
	if (rc < 0)
		return error_wrap(err, rc, "its supervisor");
	s->channel = steal_fd(&ours);
	rc = sd_event_add_io(n->event, &s->channel_source, s->channel, EPOLLIN, on_message, n);
	if (rc >= 0)
		rc = sd_event_add_io(n->event, &s->gone_source, s->process.pidfd, EPOLLIN, on_gone,
				     n);
	if (rc >= 0)
		rc = sd_event_source_set_priority(s->gone_source, SD_EVENT_PRIORITY_IDLE);
	if (rc < 0) {
		forget(s);
		child_destroy(&s->process);
		return error_errno(err, -rc, "watch its supervisor");
	}
	if (n->dnsmasq_stderr >= 0)
		network_keeper_send(n, NETWORK_ORDER_DNSMASQ, 0, NULL, n->dnsmasq_stderr);
	return 0;
}

void network_keeper_alive(struct network *n)
{
	n->supervisor.asked = false;
	(void)sd_notify(0, "WATCHDOG=1");
}

static int on_watchdog(sd_event_source *source, uint64_t usec, void *userdata)
{
	struct network *n = userdata;
	struct network_supervisor *s = &n->supervisor;

	(void)usec;
	(void)sd_event_source_set_time_relative(source, s->watchdog_usec);
	(void)sd_event_source_set_enabled(source, SD_EVENT_ONESHOT);
	if (s->channel < 0)
		return 0;
	if (s->asked) {
		log_error("network '%s': its supervisor does not answer; it is replaced",
			  n->options->net->name);
		give_up(s);
		return 0;
	}
	s->asked = true;
	network_keeper_send(n, NETWORK_ORDER_PING, 0, NULL, -1);
	return 0;
}

int network_keeper_watch(struct network *n, struct error *err)
{
	struct network_supervisor *s = &n->supervisor;
	uint64_t usec = 0;
	int rc;

	if (sd_watchdog_enabled(0, &usec) <= 0)
		return 0;
	/* So that one that hangs is replaced, and the new one asked, in time. */
	s->watchdog_usec = usec / 4;
	rc = sd_event_add_time_relative(n->event, &s->watchdog_source, CLOCK_MONOTONIC, 0, 0,
					on_watchdog, n);
	return rc < 0 ? error_errno(err, -rc, "watchdog") : 0;
}

void network_keeper_end(struct network *n)
{
	network_keeper_send(n, NETWORK_ORDER_DONE, 0, NULL, -1);
	network_keeper_leave(n);
}

/* The end of the channel is its own, too. */
void network_keeper_leave(struct network *n)
{
	struct network_supervisor *s = &n->supervisor;

	s->watchdog_source = sd_event_source_disable_unref(s->watchdog_source);
	s->gone_source = sd_event_source_disable_unref(s->gone_source);
	s->channel_source = sd_event_source_disable_unref(s->channel_source);
	close_fd(&s->channel);
	if (s->process.pidfd >= 0 && child_wait(&s->process, END_MS, NULL, NULL) < 0)
		child_destroy(&s->process);
	forget(s);
}
