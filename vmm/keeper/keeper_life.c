/* SPDX-License-Identifier: MIT */
/*
 * One life of the machine: from nothing, or from what another keeper left, to the end.
 *
 * That has one cause only: QEMU's pidfd. Whatever is to end a life (the guest, a
 * client, a signal, a dead swtpm) makes QEMU exit. The supervisor then gets a moment to
 * read what QEMU said last, and keeper_finish() does the rest.
 */
#include "vmm/keeper/keeper_private.h"

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/fault.h"
#include "base/log.h"
#include "base/str.h"
#include "vmm/keeper/adopt.h"
#include "vmm/keeper/attach.h"
#include "vmm/keeper/vnc_tcp.h"
#include "vmm/names.h"
#include "vmm/snapshot/saved.h"
#include "vmm/supervisor/peer.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <time.h>

enum {
	SWTPM_END_MS = 2000,
	/* From closed sockets to the end of a QEMU that is on its way out. */
	VANISH_MS = 5000,
	/* For the supervisor to read QEMU's last words. */
	LAST_WORDS_USEC = 2 * 1000 * 1000,
};

/* Without a supervisor, or one that does not answer, QEMU's status has to do. */
static int on_silence(sd_event_source *source, uint64_t usec, void *userdata)
{
	struct keeper *k = userdata;
	char how[64];

	(void)source;
	(void)usec;
	if (!k->failure.code && !k->killed && k->qemu_status) {
		child_describe_status(how, sizeof(how), k->qemu_status);
		(void)error_set(&k->failure, ECONNRESET, "QEMU %s", how);
	}
	keeper_over(k);
	return 0;
}

static int on_qemu_gone(sd_event_source *source, int fd, uint32_t revents, void *userdata)
{
	struct keeper *k = userdata;

	(void)source;
	(void)fd;
	(void)revents;
	k->qemu_source = sd_event_source_disable_unref(k->qemu_source);
	if (child_wait(&k->res.qemu, -1, &k->qemu_status, NULL) < 0)
		return 0;
	keeper_tell(k,
		    (struct vm_message){.word = SUPERVISOR_QEMU_ENDED,
					.number = (uint32_t)k->qemu_status},
		    NULL, -1);
	k->end_timer = sd_event_source_disable_unref(k->end_timer);
	(void)sd_event_add_time_relative(k->event, &k->end_timer, CLOCK_MONOTONIC,
					 k->channel >= 0 ? LAST_WORDS_USEC : 0, 0, on_silence, k);
	return 0;
}

static int on_swtpm_gone(sd_event_source *source, int fd, uint32_t revents, void *userdata)
{
	struct keeper *k = userdata;
	struct error err = ERROR_INIT;
	int status = 0;

	(void)source;
	(void)fd;
	(void)revents;
	k->swtpm_source = sd_event_source_disable_unref(k->swtpm_source);
	if (child_wait(&k->res.swtpm, -1, &status, NULL) < 0)
		return 0;
	/* It ends by itself when QEMU lets go of it. */
	if (k->killed || k->res.qemu.pidfd < 0)
		return 0;
	if (k->channel >= 0) {
		keeper_tell(k,
			    (struct vm_message){.word = SUPERVISOR_SWTPM_ENDED,
						.number = (uint32_t)status},
			    NULL, -1);
		return 0;
	}
	(void)error_set(&err, ECONNRESET,
			"swtpm has ended; a machine does not go on without "
			"its TPM");
	keeper_fail(k, &err);
	return 0;
}

static int watch(struct keeper *k, struct error *err)
{
	struct resources *r = &k->res;
	int rc;

	rc = sd_event_add_io(k->event, &k->qemu_source, r->qemu.pidfd, EPOLLIN, on_qemu_gone, k);
	if (rc >= 0 && r->swtpm.pidfd >= 0)
		rc = sd_event_add_io(k->event, &k->swtpm_source, r->swtpm.pidfd, EPOLLIN,
				     on_swtpm_gone, k);
	/* Where both have gone, QEMU is looked at first. */
	if (rc >= 0 && k->swtpm_source)
		rc = sd_event_source_set_priority(k->swtpm_source, SD_EVENT_PRIORITY_IDLE);
	return rc < 0 ? error_errno(err, -rc, "watch QEMU and swtpm") : 0;
}

static int listen_sockets(struct keeper *k, struct error *err)
{
	const struct spec_vm *vm = k->options->vm;
	int rc = 0;

	if (k->control_fd < 0)
		rc = peer_listen(k->run.dirfd, NAME_QMP, k->run.group, &k->control_fd, err);
	if (rc == 0 && k->console_fd < 0)
		rc = peer_listen(k->run.dirfd, NAME_CONSOLE, k->run.group, &k->console_fd, err);
	if (rc == 0 && k->screen_fds[SCREEN_VNC] < 0 && vm->display != SPEC_DISPLAY_NONE)
		rc = peer_listen(k->run.dirfd, NAME_VNC, k->run.group, &k->screen_fds[SCREEN_VNC],
				 err);
	if (rc == 0 && k->screen_fds[SCREEN_SPICE] < 0 && vm->spice)
		rc = peer_listen(k->run.dirfd, NAME_SPICE, k->run.group,
				 &k->screen_fds[SCREEN_SPICE], err);
	return rc;
}

/* The supervisor of a keeper that was killed ends as soon as it sees that, and holds the port
 * until then. A guest that runs goes on without it. */
static int listen_tcp(struct keeper *k, struct error *err)
{
	const struct spec_vnc *vnc = &k->options->vm->vnc;
	int *fd = &k->screen_fds[SCREEN_VNC_TCP], rc;
	struct error why = ERROR_INIT;

	if (!vnc->address || k->options->vm->display == SPEC_DISPLAY_NONE || *fd >= 0)
		return 0;
	rc = vnc_tcp_listen(vnc, fd, &why);
	if (rc == -EADDRINUSE && adopt_await_supervisor(&k->run, VANISH_MS))
		rc = vnc_tcp_listen(vnc, fd, &why);
	if (rc < 0 && k->adopted) {
		log_warning("vm '%s': %s", k->options->vm->name, why.text);
		return 0;
	}
	if (rc < 0)
		*err = why;
	return rc;
}

/* What was taken over could not be reached: a QEMU that shut down at that moment. Not
 * its end, but what comes after it, is what is to be kept now. */
static bool has_vanished(struct keeper *k)
{
	if (!k->adopted || child_wait(&k->res.qemu, VANISH_MS, NULL, NULL) < 0)
		return false;
	log_info("vm '%s': what was to be taken over has just ended", k->options->vm->name);
	k->running_once = false;
	return true;
}

/* What a spare waits with, so that whoever wants it sees whether that is still so. */
static int look_at_state(struct keeper *k, struct error *err)
{
	struct stat st;

	if (!k->res.prepared.name)
		return error_set(err, EINVAL, "it is no spare, for it begins with no state");
	if (fstat(k->res.memory_fd, &st) < 0)
		return error_errno(err, errno, "look at its state");
	k->memory_inode = st.st_ino;
	return 0;
}

/* From nothing, or from what another keeper left, to a QEMU that runs. */
int keeper_begin(struct keeper *k, struct error *err)
{
	struct adopted adopted;
	int rc;

	rc = listen_sockets(k, err);
	if (rc < 0)
		return rc;
	rc = k->failures ? 0 : adopt_machine(&k->run, k->options->paths, &k->res, &adopted, err);
	if (rc < 0)
		return rc;
	k->adopted = k->running_once = k->sealed = rc > 0;
	k->spare = k->spare && !k->adopted;
	rc = listen_tcp(k, err);
	if (rc < 0)
		return rc;
	if (k->adopted) {
		k->started = adopted.started;
		/* As it was left; QEMU will say if it is not so. */
		k->state = adopted.paused ? VM_STATE_PAUSED : VM_STATE_RUNNING;
		log_info("vm '%s': taken over, QEMU is process %d", k->options->vm->name,
			 (int)k->res.qemu.pid);
		rc = 0;
	} else {
		k->started = (uint64_t)time(NULL);
		k->state = VM_STATE_STARTING;
		log_info("vm '%s': %s", k->options->vm->name, vm_state_name(k->state));
		keeper_write_status(k);
		fault_point("status written");
		rc = resources_start(&k->res, err);
		if (rc == 0 && k->spare)
			rc = look_at_state(k, err);
		keeper_write_status(k);
		fault_point("processes written down");
	}
	if (rc == 0)
		rc = keeper_open_gates(k, err);
	if (rc == 0)
		rc = watch(k, err);
	if (rc == 0)
		rc = keeper_feed(k, err);
	fault_point("watched");
	if (rc == 0)
		rc = keeper_spawn(k, err);
	if (rc < 0)
		k->vanished = has_vanished(k);
	fault_point("supervisor started");
	if (rc == 0)
		keeper_write_status(k);
	if (rc == 0) {
		attachments_free(k->held);
		k->held = NULL;
		/* QEMU has them; only another life would need them again. */
		if (k->options->vm->restart == SPEC_RESTART_NO)
			spec_credentials_wipe(k->options->vm);
	}
	return rc;
}

/* A QEMU that ends in order tells swtpm to end. Otherwise it is killed: what it has
 * written is whole, for it renames. */
static void end_swtpm(struct keeper *k)
{
	bool in_order = !k->failure.code && !k->killed && k->running_once;

	if (k->res.swtpm.pidfd < 0)
		return;
	if (!in_order || child_wait(&k->res.swtpm, SWTPM_END_MS, NULL, NULL) < 0)
		child_destroy(&k->res.swtpm);
}

/* The last thing a state file tells: how it ended. */
static void remember_end(struct keeper *k)
{
	struct vm_pins *pins = &k->res.pins;

	if (k->res.state_dirfd < 0 || !k->running_once || !k->failure.code)
		return;
	pins->crashed = true;
	free(pins->last_error);
	pins->last_error = strdup(k->failure.text);
	keeper_save_pins(k);
}

bool keeper_lives_again(const struct keeper *k)
{
	return k->failure.code && k->ready && !k->killed && !k->stopping &&
	       k->options->vm->restart == SPEC_RESTART_ON_FAILURE;
}

/* Ends what is left of this life. Its networks would end with their last user: where
 * it is to live again, it stays one. */
void keeper_finish(struct keeper *k)
{
	child_destroy(&k->res.qemu);
	fault_point("qemu gone");
	end_swtpm(k);
	fault_point("swtpm gone");
	if (!k->failure.code && !k->running_once && !k->spare)
		(void)error_set(&k->failure, ECANCELED, "stopped before its guest ran");
	remember_end(k);
	if (k->taken)
		saved_put_back(k->res.state_dirfd);
	if (!k->running_once)
		resources_roll_back(&k->res);
	k->agent_open = false;
	k->state = k->failure.code ? VM_STATE_CRASHED : VM_STATE_STOPPED;
	log_info("vm '%s': %s", k->options->vm->name, vm_state_name(k->state));
	if (keeper_lives_again(k) && k->res.attachments) {
		attachments_free(k->held);
		k->held = steal_ptr(&k->res.attachments);
	}
	for (size_t i = 0; i < ARRAY_SIZE(k->net_ns); i++)
		close_fd(&k->net_ns[i]);
	k->net_ns[0] = steal_fd(&k->res.qemu_net_ns);
	k->net_ns[1] = steal_fd(&k->res.swtpm_net_ns);
	resources_free(&k->res);
}
