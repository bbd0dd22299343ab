/* SPDX-License-Identifier: MIT */
/*
 * What goes wrong with a network that is up, and is made good: a dnsmasq that dies
 * is started again, a bridge that somebody removes is made anew and its TAPs are
 * put back, so that guests have a gap and no end. Within bounds: what breaks again
 * and again is told and left.
 */
#include "vmm/network/network_private.h"

#include "base/cleanup.h"
#include "base/log.h"
#include "net/link.h"

#include <errno.h>
#include <net/if.h>
#include <signal.h>
#include <time.h>

enum { REPAIRS_MAX = 5, REPAIRS_USEC = 60 * 1000 * 1000, WORDS_USEC = 1000 * 1000 };

static bool may_repair(struct network *n)
{
	uint64_t now = 0;

	(void)sd_event_now(n->event, CLOCK_MONOTONIC, &now);
	if (now - n->repairs_usec > REPAIRS_USEC) {
		n->repairs_usec = now;
		n->repairs = 0;
	}
	return n->repairs++ < REPAIRS_MAX;
}

static int watch_dnsmasq(struct network *n, struct error *err);

static void explain_dnsmasq(struct network *n, enum network_cause cause, const char *words,
			    struct error *err)
{
	bool dhcp = cause == NETWORK_CAUSE_DHCP_PORT;
	char how[64];

	child_describe_status(how, sizeof(how), n->dnsmasq_status);
	if (!n->ready && cause != NETWORK_CAUSE_NONE)
		(void)error_set(
			err, EADDRINUSE,
			"UDP port %s is taken on bridge '%s': another %s server listens on "
			"every interface; `ss -lunp` names it, give it interfaces of its own "
			"(dnsmasq said: %s)",
			dhcp ? "67" : "53", n->options->net->bridge, dhcp ? "DHCP" : "DNS", words);
	else
		(void)error_set(err, ECONNRESET, "dnsmasq %s%s%s", how, *words ? ": " : "", words);
}

void network_dnsmasq_started(struct network *n)
{
	n->dnsmasq_ready = true;
	if (n->hosts_changed)
		(void)child_signal(&n->dnsmasq, SIGHUP, NULL);
	n->hosts_changed = false;
	network_become_ready(n);
}

static void start_dnsmasq_again(struct network *n)
{
	struct error err = ERROR_INIT;
	int rc = network_start_dnsmasq(n, &err);

	if (rc == 0)
		rc = watch_dnsmasq(n, &err);
	if (rc < 0 && !n->ready) {
		n->failure = err;
		network_end(n);
	} else if (rc < 0) {
		log_error("network '%s': %s", n->options->net->name, err.text);
	}
	network_write_status(n);
}

void network_dnsmasq_words(struct network *n, enum network_cause cause, const char *words)
{
	struct error why = ERROR_INIT;

	if (!n->words_source || n->ending)
		return;
	n->words_source = sd_event_source_disable_unref(n->words_source);
	explain_dnsmasq(n, cause, words, &why);
	if (!n->ready) {
		n->failure = why;
		network_end(n);
		return;
	}
	log_error("network '%s': %s", n->options->net->name, why.text);
	if (may_repair(n))
		start_dnsmasq_again(n);
	else
		log_error("network '%s': goes on without DHCP and DNS (hv net down and up brings "
			  "them back)",
			  n->options->net->name);
}

void network_dnsmasq_unheard(struct network *n)
{
	if (n->words_source) {
		network_dnsmasq_words(n, NETWORK_CAUSE_NONE, "");
		return;
	}
	if (n->dnsmasq.pidfd < 0 || n->dnsmasq_ready)
		return;
	n->dnsmasq_source = sd_event_source_disable_unref(n->dnsmasq_source);
	child_destroy(&n->dnsmasq);
	start_dnsmasq_again(n);
}

static int on_no_words(sd_event_source *source, uint64_t usec, void *userdata)
{
	(void)source;
	(void)usec;
	network_dnsmasq_words(userdata, NETWORK_CAUSE_NONE, "");
	return 0;
}

static int on_dnsmasq_gone(sd_event_source *source, int fd, uint32_t revents, void *userdata)
{
	struct network *n = userdata;

	(void)source;
	(void)fd;
	(void)revents;
	n->dnsmasq_source = sd_event_source_disable_unref(n->dnsmasq_source);
	(void)child_wait(&n->dnsmasq, -1, &n->dnsmasq_status, NULL);
	n->dnsmasq_ready = false;
	if (n->ending)
		return 0;
	/* Its last words are the supervisor's to read; they are not waited for long. */
	(void)sd_event_add_time_relative(n->event, &n->words_source, CLOCK_MONOTONIC,
					 n->supervisor.channel >= 0 ? WORDS_USEC : 0, 0,
					 on_no_words, n);
	network_keeper_send(n, NETWORK_ORDER_WORDS, 0, NULL, -1);
	return 0;
}

static int watch_dnsmasq(struct network *n, struct error *err)
{
	int rc;

	n->dnsmasq_ready = false;
	if (n->dnsmasq.pidfd < 0)
		return 0;
	network_keeper_send(n, NETWORK_ORDER_DNSMASQ, 0, NULL, n->dnsmasq_stderr);
	rc = sd_event_add_io(n->event, &n->dnsmasq_source, n->dnsmasq.pidfd, EPOLLIN,
			     on_dnsmasq_gone, n);
	if (rc >= 0)
		rc = sd_event_source_set_priority(n->dnsmasq_source, SD_EVENT_PRIORITY_IDLE);
	return rc < 0 ? error_errno(err, -rc, "watch dnsmasq") : 0;
}

/* Everything hangs on the bridge, so everything is made anew. */
static void repair_bridge(struct network *n)
{
	struct error err = ERROR_INIT;
	int rc;

	log_error("network '%s': somebody removed bridge '%s'; it is made anew",
		  n->options->net->name, n->options->net->bridge);
	if (!may_repair(n)) {
		(void)error_set(&n->failure, ENETDOWN, "bridge '%s' is removed again and again",
				n->options->net->bridge);
		network_end(n);
		return;
	}
	n->dnsmasq_source = sd_event_source_disable_unref(n->dnsmasq_source);
	n->words_source = sd_event_source_disable_unref(n->words_source);
	network_roll_back(n);
	rc = network_execute(n, &err);
	if (rc == 0)
		rc = watch_dnsmasq(n, &err);
	if (rc < 0) {
		n->failure = err;
		network_end(n);
		return;
	}
	n->bridge_index = if_nametoindex(n->options->net->bridge);
	network_rejoin(n);
	network_write_status(n);
}

static int on_link(sd_event_source *source, int fd, uint32_t revents, void *userdata)
{
	struct network *n = userdata;
	bool concerned = true;

	(void)source;
	(void)revents;
	(void)net_watch_drain(fd, n->bridge_index, &concerned, NULL);
	if (!concerned || n->ending)
		return 0;
	network_look_at_taps(n);
	if (if_nametoindex(n->options->net->bridge) != n->bridge_index)
		repair_bridge(n);
	else if (n->was_used)
		network_end_if_unused(n);
	return 0;
}

int network_watch(struct network *n, struct error *err)
{
	int rc = watch_dnsmasq(n, err);

	if (rc < 0)
		return rc;
	n->bridge_index = if_nametoindex(n->options->net->bridge);
	network_rejoin(n);
	rc = sd_event_add_io(n->event, &n->watch_source, n->watch_fd, EPOLLIN, on_link, n);
	return rc < 0 ? error_errno(err, -rc, "watch the network") : 0;
}
