/* SPDX-License-Identifier: MIT */
/*
 * What goes wrong with a network that is up, and is made good: a dnsmasq that dies
 * is started again, a bridge that somebody removes is made anew and its TAPs are
 * put back, so that guests have a gap and no end. Within bounds: what breaks again
 * and again is told and left.
 */
#include "vmm/network_private.h"

#include "base/cleanup.h"
#include "base/log.h"
#include "net/link.h"

#include <errno.h>
#include <net/if.h>
#include <signal.h>
#include <string.h>
#include <time.h>

enum { REPAIRS_MAX = 5, REPAIRS_USEC = 60 * 1000 * 1000 };

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

static void on_dnsmasq_line(const char *line, void *arg)
{
	struct network *n = arg;

	if (!strstr(line, "started, version"))
		return;
	n->dnsmasq_ready = true;
	if (n->hosts_changed)
		(void)child_signal(&n->dnsmasq, SIGHUP, NULL);
	n->hosts_changed = false;
	network_become_ready(n);
}

static void explain_dnsmasq(struct network *n, int status, const char *words, struct error *err)
{
	bool dhcp = strstr(words, "DHCP");
	char how[64];

	child_describe_status(how, sizeof(how), status);
	if (!n->ready && strstr(words, "Address already in use"))
		(void)error_set(
			err, EADDRINUSE,
			"UDP port %s is taken on bridge '%s': another %s server listens on "
			"every interface; `ss -lunp` names it, give it interfaces of its own "
			"(dnsmasq said: %s)",
			dhcp ? "67" : "53", n->options->net->bridge, dhcp ? "DHCP" : "DNS", words);
	else
		(void)error_set(err, ECONNRESET, "dnsmasq %s%s%s", how, *words ? ": " : "", words);
}

static int watch_dnsmasq(struct network *n, struct error *err);

static int on_dnsmasq_gone(sd_event_source *source, int fd, uint32_t revents, void *userdata)
{
	struct network *n = userdata;
	const char *words = last_words_finish(&n->words);
	struct error why = ERROR_INIT;
	int status = 0, rc;

	(void)source;
	(void)fd;
	(void)revents;
	n->dnsmasq_source = sd_event_source_disable_unref(n->dnsmasq_source);
	(void)child_wait(&n->dnsmasq, -1, &status, NULL);
	if (n->ending)
		return 0;
	explain_dnsmasq(n, status, words, &why);
	if (!n->ready) {
		n->failure = why;
		network_end(n);
		return 0;
	}
	log_error("network '%s': %s", n->options->net->name, why.text);
	if (!may_repair(n)) {
		log_error("network '%s': goes on without DHCP and DNS (hv net down and up brings "
			  "them back)",
			  n->options->net->name);
		return 0;
	}
	rc = network_start_dnsmasq(n, &why);
	if (rc == 0)
		rc = watch_dnsmasq(n, &why);
	if (rc < 0)
		log_error("network '%s': %s", n->options->net->name, why.text);
	network_write_status(n);
	return 0;
}

static int watch_dnsmasq(struct network *n, struct error *err)
{
	int rc;

	n->dnsmasq_ready = false;
	last_words_free(&n->words);
	rc = last_words_init(&n->words, n->event, "dnsmasq", steal_fd(&n->dnsmasq_stderr), err);
	if (rc < 0)
		return rc;
	n->words.on_line = on_dnsmasq_line;
	n->words.arg = n;
	if (n->dnsmasq.pidfd < 0)
		return 0;
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
