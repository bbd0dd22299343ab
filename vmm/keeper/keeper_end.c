/* SPDX-License-Identifier: MIT */
/* The end of a machine that was asked for by a signal, as when its unit stops or the host shuts
 * down. A save is done by `hv save`, as if somebody had called it, in a process of its own: it
 * takes long, and talks to the supervisor as any client does. Where it fails, the guest is shut
 * down. */
#include "vmm/keeper/keeper_private.h"

#include "base/cleanup.h"
#include "base/log.h"
#include "base/str.h"

#include <fcntl.h>
#include <stdlib.h>
#include <systemd/sd-daemon.h>
#include <time.h>
#include <unistd.h>

/* For the supervisor to stop the guest. */
enum { STOP_MARGIN_MS = 5000 };

/* The guest had its time, and the supervisor some more. */
static int on_stop_overdue(sd_event_source *source, uint64_t usec, void *userdata)
{
	struct keeper *k = userdata;

	(void)source;
	(void)usec;
	log_warning("vm '%s': not stopped in time; it is ended", k->options->vm->name);
	keeper_kill(k);
	return 0;
}

static void shut_down(struct keeper *k)
{
	(void)sd_notifyf(0, "STOPPING=1\nSTATUS=the guest is shutting down");
	keeper_tell(k,
		    (struct vm_message){.word = SUPERVISOR_STOP,
					.number = k->options->vm->stop_timeout_s * 1000},
		    NULL, -1);
}

static int on_saver_gone(sd_event_source *source, int fd, uint32_t revents, void *userdata)
{
	struct keeper *k = userdata;
	int status = 0;

	(void)source;
	(void)fd;
	(void)revents;
	k->saver_source = sd_event_source_disable_unref(k->saver_source);
	/* What went wrong it has told by itself. */
	if (child_wait(&k->saver, -1, &status, NULL) == 0 && status && k->res.qemu.pidfd >= 0) {
		log_warning("vm '%s': it could not be saved; it is shut down instead",
			    k->options->vm->name);
		shut_down(k);
	}
	return 0;
}

static int start_saver(struct keeper *k, struct error *err)
{
	const struct paths *paths = k->options->paths;
	/* The configuration's path may be relative. */
	cleanup_close int cwd = open(".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	cleanup_strv struct strv argv = {0}, env = {0};
	int rc;

	strv_add(&argv, "hv");
	strv_add(&argv, "-c");
	strv_add(&argv, paths->config);
	strv_add(&argv, "save");
	strv_add(&argv, "--by-keeper");
	strv_add(&argv, "--");
	strv_add(&argv, k->options->vm->name);
	strv_addf(&env, "HV_STATE=%s", paths->state);
	strv_addf(&env, "HV_RUN=%s", paths->run);
	if (argv.failed || env.failed)
		return error_oom(err);
	rc = child_spawn(
		&(struct child_spec){
			.path = "/proc/self/exe",
			.argv = argv.v,
			.env = env.v,
			.stdin_fd = -1,
			.stdout_fd = -1,
			.stderr_fd = STDERR_FILENO,
			.cwd_fd = cwd,
			.new_session = true,
		},
		&k->saver, err);
	if (rc < 0)
		return rc;
	rc = sd_event_add_io(k->event, &k->saver_source, k->saver.pidfd, EPOLLIN, on_saver_gone, k);
	return rc < 0 ? error_errno(err, -rc, "event loop") : 0;
}

void keeper_end(struct keeper *k)
{
	uint64_t timeout_ms = (uint64_t)k->options->vm->stop_timeout_s * 1000;
	bool saves = k->options->vm->on_shutdown == SPEC_ON_SHUTDOWN_SAVE &&
		     (k->state == VM_STATE_RUNNING || k->state == VM_STATE_PAUSED);
	struct error err = ERROR_INIT;

	if (saves && start_saver(k, &err) < 0) {
		log_warning("vm '%s': it could not be saved: %s; it is shut down instead",
			    k->options->vm->name, err.text);
		saves = false;
	}
	if (saves)
		(void)sd_notifyf(0, "STOPPING=1\nSTATUS=the guest is suspended to disk");
	else
		shut_down(k);
	(void)sd_event_add_time_relative(k->event, &k->end_timer, CLOCK_MONOTONIC,
					 (timeout_ms + STOP_MARGIN_MS) * 1000, 0, on_stop_overdue,
					 k);
}
