/* SPDX-License-Identifier: MIT */
/* The life of the supervisor: started, watched, replaced, and let go. */
#include "vmm/keeper/keeper_private.h"

#include "base/channel.h"
#include "base/cleanup.h"
#include "base/clock.h"
#include "base/fd.h"
#include "base/log.h"
#include "base/str.h"
#include "vmm/json.h"
#include "vmm/keeper/tables.h"
#include "vmm/keeper/unprivileged.h"
#include "vmm/owner.h"
#include "vmm/supervisor/console_log.h"
#include "vmm/supervisor/supervisor.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <systemd/sd-daemon.h>
#include <time.h>
#include <unistd.h>

enum {
	/* One that dies again and again is not replaced at once any more. */
	RESPAWNS_MAX = 5,
	RESPAWNS_USEC = 60 * 1000 * 1000,
	AGAIN_USEC = 10 * 1000 * 1000,
	DISMISS_MS = 3000,
	/* Pings in one watchdog interval: one may be lost. */
	PINGS = 4,
};

static void respawn(struct keeper *k);

static void lose(struct keeper *k)
{
	k->channel_source = sd_event_source_disable_unref(k->channel_source);
	close_fd(&k->channel);
}

static int on_channel(sd_event_source *source, int fd, uint32_t revents, void *userdata)
{
	struct keeper *k = userdata;
	struct error err = ERROR_INIT;
	struct vm_message m;
	int rc = channel_receive(fd, &m, sizeof(m), NULL, &err);

	(void)source;
	(void)revents;
	if (rc == -EAGAIN)
		return 0;
	if (rc > 0)
		rc = keeper_hear(k, &m, &err);
	else if (rc == 0)
		rc = -EPIPE;
	if (rc == 0)
		return 0;
	if (rc != -EPIPE)
		log_error("vm '%s': supervisor: %s; it is ended and replaced", k->options->vm->name,
			  err.text);
	lose(k);
	(void)child_signal(&k->supervisor, SIGKILL, NULL);
	return 0;
}

static int on_gone(sd_event_source *source, int fd, uint32_t revents, void *userdata)
{
	struct keeper *k = userdata;
	char how[64];
	int status = 0;

	(void)source;
	(void)fd;
	(void)revents;
	k->supervisor_source = sd_event_source_disable_unref(k->supervisor_source);
	(void)child_wait(&k->supervisor, -1, &status, NULL);
	lose(k);
	child_describe_status(how, sizeof(how), status);
	/* There is no guest to save, and another spare is soon made. */
	if (k->spare) {
		struct error err = ERROR_INIT;

		(void)error_set(&err, ECONNRESET, "its supervisor %s while it was a spare", how);
		keeper_fail(k, &err);
		return 0;
	}
	log_warning("vm '%s': its supervisor %s; a new one is started, the guest runs on",
		    k->options->vm->name, how);
	respawn(k);
	return 0;
}

static int on_again(sd_event_source *source, uint64_t usec, void *userdata)
{
	struct keeper *k = userdata;

	(void)source;
	(void)usec;
	k->again_timer = sd_event_source_disable_unref(k->again_timer);
	respawn(k);
	return 0;
}

static void respawn(struct keeper *k)
{
	uint64_t now = clock_now_usec();
	struct error err = ERROR_INIT;

	if (now - k->respawns_usec > RESPAWNS_USEC) {
		k->respawns_usec = now;
		k->respawns = 0;
	}
	if (k->respawns++ < RESPAWNS_MAX && keeper_spawn(k, &err) == 0) {
		keeper_write_status(k);
		if (k->stopping)
			keeper_tell(k,
				    (struct vm_message){.word = SUPERVISOR_STOP,
							.number = k->options->vm->stop_timeout_s *
								  1000},
				    NULL, -1);
		return;
	}
	log_error("vm '%s': no supervisor for now%s%s; the guest runs on", k->options->vm->name,
		  err.code ? ": " : "", err.text);
	keeper_write_status(k);
	(void)sd_event_add_time_relative(k->event, &k->again_timer, CLOCK_MONOTONIC, AGAIN_USEC, 0,
					 on_again, k);
}

/* A supervisor that does not answer is as good as dead; systemd hears from us only
 * while it does. */
static int on_watchdog(sd_event_source *source, uint64_t usec, void *userdata)
{
	struct keeper *k = userdata;

	(void)usec;
	if (k->pinged && k->supervisor.pidfd >= 0) {
		log_error("vm '%s': its supervisor does not answer", k->options->vm->name);
		(void)child_signal(&k->supervisor, SIGKILL, NULL);
	}
	k->pinged = true;
	keeper_tell(k, (struct vm_message){.word = SUPERVISOR_PING}, NULL, -1);
	(void)sd_event_source_set_time_relative(source, k->watchdog_usec / PINGS);
	(void)sd_event_source_set_enabled(source, SD_EVENT_ONESHOT);
	return 0;
}

static int watch(struct keeper *k, struct error *err)
{
	int rc;

	rc = sd_event_add_io(k->event, &k->channel_source, k->channel, EPOLLIN, on_channel, k);
	if (rc >= 0)
		rc = sd_event_add_io(k->event, &k->supervisor_source, k->supervisor.pidfd, EPOLLIN,
				     on_gone, k);
	/* What it said last is heard first. */
	if (rc >= 0)
		rc = sd_event_source_set_priority(k->supervisor_source, SD_EVENT_PRIORITY_IDLE);
	k->pinged = false;
	if (rc >= 0 && !k->watchdog && sd_watchdog_enabled(0, &k->watchdog_usec) > 0)
		rc = sd_event_add_time_relative(k->event, &k->watchdog, CLOCK_MONOTONIC,
						k->watchdog_usec / PINGS, 0, on_watchdog, k);
	return rc < 0 ? error_errno(err, -rc, "watch the supervisor") : 0;
}

/* The descriptors of a supervisor, which they are ours only until it has them. */
struct endowment {
	struct child_fd v[SUPERVISOR_FD_DISKS + SUPERVISOR_DISKS_MAX];
	size_t n;
	int monitor, serial, disks[SUPERVISOR_DISKS_MAX];
};

static void give(struct endowment *e, int fd, int target)
{
	if (fd >= 0)
		e->v[e->n++] = (struct child_fd){.fd = fd, .target = target};
}

static void endowment_close(struct endowment *e)
{
	close_fd(&e->monitor);
	close_fd(&e->serial);
	for (size_t i = 0; i < SUPERVISOR_DISKS_MAX; i++)
		close_fd(&e->disks[i]);
}

/* Disks by O_PATH: enough to ask for free space, and for nothing else. */
static void give_disks(struct keeper *k, struct endowment *e)
{
	const struct spec_vm *vm = k->options->vm;

	for (size_t i = 0; i < SUPERVISOR_DISKS_MAX; i++)
		e->disks[i] = -1;
	for (size_t i = 0, n = 0; i < vm->n_disks && n < SUPERVISOR_DISKS_MAX; i++) {
		if (vm->disks[i].read_only)
			continue;
		e->disks[n] = open(vm->disks[i].path, O_PATH | O_CLOEXEC);
		give(e, e->disks[n], SUPERVISOR_FD_DISKS + (int)n);
		n++;
	}
}

static int endow(struct keeper *k, int channel, struct endowment *e, struct error *err)
{
	struct resources *r = &k->res;
	int rc = 0;

	*e = (struct endowment){.monitor = -1, .serial = -1};
	give_disks(k, e);
	give(e, channel, SUPERVISOR_FD_CHANNEL);
	give(e, k->control_fd, SUPERVISOR_FD_CONTROL);
	give(e, k->console_fd, SUPERVISOR_FD_CONSOLE);
	for (int i = 0; i < SCREEN_DOOR_COUNT; i++)
		give(e, k->screen_fds[i], SUPERVISOR_FD_SCREEN + i);
	give(e, r->qemu_stderr, SUPERVISOR_FD_QEMU_STDERR);
	give(e, r->swtpm_stderr, SUPERVISOR_FD_SWTPM_STDERR);
	if (r->qemu.pidfd < 0)
		return 0;
	rc = fd_connect_unix(k->run.dirfd, vm_socket_name(VM_SOCKET_MONITOR), &e->monitor, err);
	if (rc == 0)
		rc = fd_connect_unix(k->run.dirfd, vm_socket_name(VM_SOCKET_SERIAL), &e->serial,
				     err);
	give(e, e->monitor, SUPERVISOR_FD_MONITOR);
	give(e, e->serial, SUPERVISOR_FD_SERIAL);
	return rc;
}

/* Read again for each supervisor, and kept by nobody. Where that fails, a guest that runs
 * already goes on, and clients by TCP wait for the next one. */
static int read_vnc_password(struct keeper *k, char *buf, struct error *err)
{
	const struct spec_vm *vm = k->options->vm;
	struct error why = ERROR_INIT;
	int rc = 0;

	if (k->screen_fds[SCREEN_VNC_TCP] >= 0 && vm->vnc.password.name)
		rc = tables_read_word(vm, &vm->vnc.password, buf, SUPERVISOR_VNC_PASSWORD_BYTES,
				      &why);
	if (rc == 0)
		return 0;
	if (!k->running_once) {
		*err = why;
		return error_wrap(err, rc, "vnc");
	}
	log_warning("vm '%s': vnc: %s", vm->name, why.text);
	return 0;
}

static int spawn(struct keeper *k, const struct endowment *e, struct error *err)
{
	cleanup_free char *user = str_printf("run/%s", k->options->vm->name);
	cleanup_json json_t *status = keeper_describe(k);
	struct supervisor_start start = {
		.vm = k->options->vm,
		.status = status,
		.state = k->state,
		.adopted = k->running_once,
		.hw = &k->res.hw,
		.status_known = !k->adopted,
		.incoming = k->running_once ? 0 : k->res.incoming,
		.resumes = k->res.resumes,
		.links_up = k->res.pins.next_links_up,
		.waits = k->res.loading,
		.spare = k->spare,
		.wants_machine = !k->res.pins.machine && !k->options->vm->machine,
		.group = k->run.group,
		.log_bytes = console_log_size(k->res.state_dirfd),
	};
	struct owner owner;
	int rc;

	if (!user || !status)
		return error_oom(err);
	rc = read_vnc_password(k, start.vnc_password, err);
	if (rc < 0)
		return rc;
	owner_of_vm(&owner, k->options->paths, k->options->vm->name);
	rc = unprivileged_spawn(k->options->paths,
				&(struct unprivileged){
					.name = "supervisor",
					.owner = owner.text,
					.user = user,
					.fds = e->v,
					.n_fds = e->n,
					.main = supervisor_main,
					.arg = &start,
				},
				&k->supervisor, &k->supervisor_net_ns, err);
	explicit_bzero(start.vnc_password, sizeof(start.vnc_password));
	return rc;
}

int keeper_spawn(struct keeper *k, struct error *err)
{
	cleanup_close int theirs = -1;
	struct endowment e;
	int rc = channel_pair(&k->channel, &theirs, err);

	if (rc < 0)
		return rc;
	rc = endow(k, theirs, &e, err);
	if (rc == 0)
		rc = spawn(k, &e, err);
	endowment_close(&e);
	if (rc == 0)
		rc = watch(k, err);
	if (rc < 0) {
		child_destroy(&k->supervisor);
		keeper_unwatch(k);
		close_fd(&k->channel);
	}
	return rc;
}

void keeper_unwatch(struct keeper *k)
{
	k->channel_source = sd_event_source_disable_unref(k->channel_source);
	k->supervisor_source = sd_event_source_disable_unref(k->supervisor_source);
	k->again_timer = sd_event_source_disable_unref(k->again_timer);
	k->watchdog = sd_event_source_disable_unref(k->watchdog);
}

void keeper_dismiss(struct keeper *k, enum vm_end how)
{
	keeper_tell(k,
		    (struct vm_message){.word = SUPERVISOR_GONE,
					.number = how,
					.reason = keeper_lives_again(k) ? VM_REASON_RESTART
									: VM_REASON_NONE},
		    how == VM_END_CRASHED ? k->failure.text : NULL, -1);
	if (k->supervisor.pidfd >= 0 && child_wait(&k->supervisor, DISMISS_MS, NULL, NULL) < 0)
		child_destroy(&k->supervisor);
	close_fd(&k->channel);
}
