/* SPDX-License-Identifier: MIT */
/*
 * Theory of operation
 *
 * This is the keeper; who hears clients and reads what dnsmasq says is its supervisor
 * (vmm/network/network_keeper.c tells of the two). The steps are quick and done before the
 * loop starts; only dnsmasq takes its time, and its line "started", which the
 * supervisor reads, makes the network ready. After that the loop waits for what the
 * supervisor asks, for users and links that come and go, and for the end. What an
 * earlier keeper left that was killed is found by its marks and taken over: the
 * bridge with its ports stays, the table is replaced, its dnsmasq is ended and a new
 * one started on the same leases.
 */
#include "vmm/network/network_private.h"

#include "base/cleanup.h"
#include "base/fault.h"
#include "base/log.h"
#include "base/str.h"
#include "net/link.h"
#include "vmm/inspect.h"
#include "vmm/json.h"
#include "vmm/keeper/adopt.h"
#include "vmm/keeper/privilege.h"
#include "vmm/leftovers.h"
#include "vmm/names.h"
#include "vmm/network/network_resolver.h"
#include "vmm/ready.h"
#include "vmm/signals.h"
#include "vmm/supervisor/peer.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <systemd/sd-daemon.h>
#include <unistd.h>

void network_write_status(struct network *n)
{
	cleanup_json json_t *status = network_describe(n->options->net);
	struct child self = {.pid = getpid(), .pidfd = 0};
	json_t *users = network_describe_users(n);
	struct error err = ERROR_INIT;

	(void)sd_notifyf(0, "STATUS=%s, machines: %zu", n->ready ? "up" : "starting",
			 json_array_size(users));
	(void)json_object_set_new(status, "state", json_string(n->ready ? "up" : "starting"));
	(void)json_object_set_new(status, "keep", json_boolean(n->keep));
	(void)json_object_set_new(status, "users", users);
	(void)json_object_set_new(status, "keeper", adopt_describe(&self));
	(void)json_object_set_new(status, "supervisor", adopt_describe(&n->supervisor.process));
	(void)json_object_set_new(status, "dnsmasq", adopt_describe(&n->dnsmasq));
	if (rundir_write_status(&n->run, status, &err) < 0)
		log_error("network '%s': %s", n->options->net->name, err.text);
}

void network_end(struct network *n)
{
	n->ending = true;
	(void)sd_notify(0, "STOPPING=1\nSTATUS=going down");
	(void)sd_event_exit(n->event, 0);
}

void network_become_ready(struct network *n)
{
	if (n->ready)
		return;
	n->ready = true;
	log_info("network '%s': up", n->options->net->name);
	network_write_status(n);
	fault_point("network: up");
	ready_tell(n->options->ready_fd, NULL);
	(void)sd_notify(0, "READY=1");
}

void network_reload(struct network *n)
{
	/* One that is being made or ends cannot be taken over. */
	n->reload = n->ready && !n->ending;
	if (n->reload)
		(void)sd_event_exit(n->event, 0);
}

static int on_reload(sd_event_source *source, const struct signalfd_siginfo *info, void *userdata)
{
	(void)source;
	(void)info;
	network_reload(userdata);
	return 0;
}

static int on_signal(sd_event_source *source, const struct signalfd_siginfo *info, void *userdata)
{
	(void)source;
	(void)info;
	network_end(userdata);
	return 0;
}

/* Ends a process of a keeper that was killed, where it still is that. */
static void end_own(struct network *n, json_t *described, const char *uid_kind)
{
	cleanup_free char *uid = str_printf("%s/%s", uid_kind, n->options->net->name);
	struct child process = CHILD_INIT;

	if (uid && adopt_find_own(n->options->paths, described, n->owner.text,
				  (const char *const[]){uid, NULL}, &process) == 0)
		child_destroy(&process);
}

/* The dnsmasq of a keeper that was killed holds our ports; its supervisor, if it still
 * lives, is on its way or hangs. */
static void end_previous(struct network *n)
{
	cleanup_json json_t *status = rundir_own_status(&n->run);

	if (!status)
		return;
	end_own(n, json_object_get(status, "supervisor"), "net-run");
	end_own(n, json_object_get(status, "dnsmasq"), "net");
	leftovers_end(n->owner.text);
	if (json_is_true(json_object_get(status, "keep")))
		n->keep = true;
}

static int start(struct network *n, struct error *err)
{
	const struct network_options *o = n->options;
	cleanup_free char *parent = str_printf("%s/net", o->paths->run);
	int rc;

	if (!parent)
		return error_oom(err);
	rc = inspect_network(o->net, &n->host, err);
	if (rc == 0)
		rc = peer_listen(n->run.dirfd, NAME_CONTROL, n->run.group, &n->control_fd, err);
	if (rc < 0)
		return rc;
	end_previous(n);
	n->net_run_dirfd = open(parent, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (n->net_run_dirfd < 0)
		return error_errno(err, errno, "open folder '%s'", parent);
	rc = paths_open_state(o->paths, PATHS_NET, o->net->name, 1, &n->state_dirfd, err);
	if (rc == 0)
		rc = net_watch_open(&n->watch_fd, err);
	if (rc == 0)
		rc = plan_add_network(&n->plan, o->net, err);
	/* From here on there is something to undo, also where this process is killed. */
	if (rc == 0)
		network_write_status(n);
	fault_point("network: status written");
	if (rc == 0)
		rc = network_execute(n, err);
	if (rc == 0)
		rc = network_watch(n, err);
	if (rc == 0 && o->net->dhcp && o->net->nat)
		rc = network_resolver_watch(n->event, n->state_dirfd, &n->resolver, err);
	if (rc == 0)
		rc = network_keeper_start(n, err);
	fault_point("network: supervisor started");
	if (rc == 0)
		rc = network_keeper_watch(n, err);
	if (rc == 0)
		network_write_status(n);
	if (rc == 0 && !o->net->dhcp)
		network_become_ready(n);
	return rc;
}

static void unwatch(struct network *n)
{
	n->ending = true;
	sd_event_source_disable_unref(n->dnsmasq_source);
	sd_event_source_disable_unref(n->words_source);
	sd_event_source_disable_unref(n->watch_source);
	network_resolver_free(n->resolver);
}

static void let_go(struct network *n)
{
	close_fd(&n->dnsmasq_stderr);
	close_fd(&n->watch_fd);
	close_fd(&n->state_dirfd);
	close_fd(&n->net_run_dirfd);
	plan_free(&n->plan);
	free(n->hosts);
}

/* All stays as if this process had been killed, and is taken over by itself. dnsmasq
 * serves until the next one is started in its place. */
static void leave(struct network *n)
{
	unwatch(n);
	network_keeper_leave(n);
	network_drop_users(n);
	close_fd(&n->control_fd);
	close_fd(&n->dnsmasq.pidfd);
	let_go(n);
	rundir_release(&n->run);
}

static void end(struct network *n)
{
	unwatch(n);
	network_roll_back(n);
	log_info("network '%s': down", n->options->net->name);
	let_go(n);
	fault_point("network: rolled back");
	rundir_remove(&n->run, n->options->paths, PATHS_NET, n->options->net->name);
	fault_point("network: run folder gone");
	/* Who asked for the end hears of it when all is gone. */
	network_keeper_end(n);
	network_drop_users(n);
	close_fd(&n->control_fd);
}

static int serve(struct network *n, struct error *err)
{
	int rc = sd_event_new(&n->event);

	if (rc < 0)
		return error_errno(err, -rc, "event loop");
	(void)sd_event_set_watchdog(n->event, 1);
	rc = signals_watch(n->event, on_signal, n, err);
	if (rc == 0)
		rc = signals_watch_reload(n->event, on_reload, n, err);
	if (rc == 0)
		rc = start(n, &n->failure);
	if (rc == 0) {
		/* What was tried in vain on the way is no failure. */
		n->failure = (struct error)ERROR_INIT;
		rc = sd_event_loop(n->event);
	}
	if (rc < 0 && !n->failure.code)
		(void)error_errno(&n->failure, -rc, "event loop");
	if (!n->ready && !n->failure.code)
		(void)error_set(&n->failure, ECANCELED, "stopped before it was up");
	if (n->reload && !n->failure.code)
		leave(n);
	else
		end(n);
	sd_event_unref(n->event);
	if (n->failure.code) {
		*err = n->failure;
		return -n->failure.code;
	}
	return n->reload ? NETWORK_AGAIN : 0;
}

int network_run(const struct network_options *options, struct error *err)
{
	struct network *n = calloc(1, sizeof(*n));
	int rc;

	if (!n)
		return error_oom(err);
	*n = (struct network){
		.options = options,
		.run = RUNDIR_INIT,
		.state_dirfd = -1,
		.net_run_dirfd = -1,
		.dnsmasq = CHILD_INIT,
		.dnsmasq_stderr = -1,
		.control_fd = -1,
		.supervisor = {.process = CHILD_INIT, .net_ns = -1, .channel = -1},
		.watch_fd = -1,
		.keep = options->keep,
	};
	privilege_narrow(PATHS_NET);
	signals_block();
	host_probe(&n->host);
	owner_of_network(&n->owner, options->paths, options->net->name);
	rc = rundir_acquire(options->paths, PATHS_NET, options->net->name, &n->run, err);
	fault_point("network: run folder made");
	if (rc == 0)
		rc = serve(n, err);
	rc = error_wrap_if(err, rc, "network '%s'", options->net->name);
	if (!n->ready)
		ready_tell(options->ready_fd, err);
	host_free(&n->host);
	free(n);
	return rc;
}
