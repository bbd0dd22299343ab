/* SPDX-License-Identifier: MIT */
/* A job is a process that tells by a pipe when it is ready, or, where the machine waits as a spare,
 * a command on its control socket, which is answered when its guest runs. */
#include "cli/start.h"

#include "base/cleanup.h"
#include "base/str.h"
#include "cli/program.h"
#include "cli/progress.h"
#include "qmp/client.h"
#include "vmm/names.h"
#include "vmm/rundir.h"
#include "vmm/signals.h"
#include "vmm/units/background.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <systemd/sd-event.h>

enum { EXIT_MS = 1000, BEGIN_MS = 60 * 1000 };

struct starting {
	struct start_job *job;
	struct background background;
	sd_event_source *source;
	struct qmp_client *client; /* of a spare; NULL: it is none */
	bool done;
	struct start_all *all;
};

struct start_all {
	sd_event *event;
	struct starting *v;
	size_t n, n_open;
	struct progress progress;
	bool interrupted;
};

static void finish(struct starting *s, int rc)
{
	s->done = true;
	s->job->rc = rc;
	s->job->ours = rc == 0;
	if (--s->all->n_open == 0)
		(void)sd_event_exit(s->all->event, 0);
}

static int on_ready(sd_event_source *source, int fd, uint32_t revents, void *userdata)
{
	struct starting *s = userdata;

	(void)source;
	(void)fd;
	(void)revents;
	if (!background_read(&s->background, &s->job->err))
		return 0;
	s->source = sd_event_source_disable_unref(s->source);
	if (s->background.rc == -EPIPE)
		(void)error_wrap(&s->job->err, s->background.rc, "%s '%s'",
				 s->job->kind == PATHS_VM ? "vm" : "network", s->job->name);
	/* One that has failed is gone when this is told. */
	if (s->background.rc < 0)
		(void)child_wait(&s->background.child, EXIT_MS, NULL, NULL);
	finish(s, s->background.rc);
	return 0;
}

static void on_closed(const struct error *err, void *arg)
{
	struct starting *s = arg;

	if (s->done)
		return;
	s->job->err = *err;
	finish(s, error_wrap(&s->job->err, -err->code, "vm '%s'", s->job->name));
}

static void on_begun(json_t *result, const char *class, const struct error *err, void *arg)
{
	struct starting *s = arg;

	(void)result;
	(void)class;
	if (err)
		on_closed(err, s);
	else if (!s->done)
		finish(s, 0);
}

static int on_interrupt(sd_event_source *source, const struct signalfd_siginfo *info,
			void *userdata)
{
	struct start_all *all = userdata;

	(void)source;
	(void)info;
	all->interrupted = true;
	for (size_t i = 0; i < all->n; i++) {
		struct starting *s = &all->v[i];

		if (s->done || s->job->adopts)
			continue;
		if (s->client)
			(void)qmp_client_call(s->client, "hv-kill", NULL, NULL, 0, 0, NULL, NULL,
					      NULL);
		else
			(void)child_signal(&s->background.child, SIGTERM, NULL);
	}
	return 0;
}

static int on_slow(sd_event_source *source, uint64_t usec, void *userdata)
{
	struct start_all *all = userdata;
	cleanup_strbuf struct strbuf names = {0};

	(void)source;
	(void)usec;
	for (size_t i = 0; i < all->n; i++)
		if (!all->v[i].done)
			strbuf_addf(&names, " %s", all->v[i].job->name);
	if (names.data)
		progress_show(&all->progress, "waiting for%s to start", names.data);
	return 0;
}

static int watch_all(struct start_all *all, struct error *err)
{
	int rc;

	signals_block();
	rc = sd_event_new(&all->event);
	if (rc < 0)
		return error_errno(err, -rc, "event loop");
	rc = signals_watch(all->event, on_interrupt, all, err);
	progress_begin(&all->progress);
	if (rc >= 0 && all->progress.terminal)
		rc = sd_event_add_time_relative(all->event, NULL, CLOCK_MONOTONIC,
						(uint64_t)PROGRESS_AFTER_MS * 1000 + 1000, 1000,
						on_slow, all);
	return rc < 0 ? error_errno(err, -rc, "event loop") : 0;
}

static void unwatch(struct start_all *all)
{
	sigset_t set;

	progress_end(&all->progress);
	for (size_t i = 0; i < all->n; i++) {
		sd_event_source_disable_unref(all->v[i].source);
		qmp_client_free(all->v[i].client);
		background_free(&all->v[i].background);
	}
	sd_event_unref(all->event);
	sigemptyset(&set);
	(void)sigprocmask(SIG_SETMASK, &set, NULL);
}

/* A spare is told to begin; its answer is that its guest runs. */
static int begin_spare(struct cli *cli, struct starting *s)
{
	const struct qmp_handlers handlers = {.closed = on_closed, .arg = s};
	struct start_job *job = s->job;
	int fd, rc;

	rc = rundir_connect(&cli->paths, PATHS_VM, job->name, NAME_QMP, &fd, &job->err);
	if (rc == 0)
		rc = qmp_client_new(s->all->event, fd, &handlers, &s->client, &job->err);
	if (rc == 0)
		rc = qmp_client_call(s->client, "hv-begin", NULL, NULL, 0, BEGIN_MS, on_begun, s,
				     &job->err);
	if (rc == 0)
		s->all->n_open++;
	else
		s->done = true;
	return error_wrap_if(&job->err, rc, "vm '%s'", job->name);
}

static int begin(struct cli *cli, struct start_all *all, struct start_job *job)
{
	struct starting *s = &all->v[all->n];
	const char *option = job->keep ? "--keep" : job->spare ? "--spare" : NULL;
	int rc;

	*s = (struct starting){
		.job = job,
		.background = {.child = CHILD_INIT, .ready_fd = -1},
		.all = all,
	};
	if (job->begins) {
		all->n++;
		return begin_spare(cli, s);
	}
	rc = background_start(
		&(struct background_request){
			.paths = &cli->paths,
			.kind = job->kind,
			.name = job->name,
			.option = option,
			.program = cli_program_call,
			.program_arg = cli,
		},
		&s->background, &job->err);
	if (rc < 0)
		return rc;
	all->n++;
	rc = sd_event_add_io(all->event, &s->source, s->background.ready_fd, EPOLLIN, on_ready, s);
	if (rc < 0)
		return error_errno(&job->err, -rc, "event loop");
	all->n_open++;
	return 0;
}

int cli_start_all(struct cli *cli, struct start_job *jobs, size_t n)
{
	struct start_all all = {.v = calloc(n + 1, sizeof(*all.v))};
	int rc;

	if (!all.v)
		return error_oom(&cli->err);
	rc = watch_all(&all, &cli->err);
	for (size_t i = 0; rc == 0 && i < n; i++)
		if (!jobs[i].skip)
			jobs[i].rc = begin(cli, &all, &jobs[i]);
	if (rc == 0 && all.n_open)
		(void)sd_event_loop(all.event);
	unwatch(&all);
	free(all.v);
	if (rc == 0 && all.interrupted)
		rc = error_set(&cli->err, EINTR, "interrupted; what was starting is undone");
	return rc;
}

int cli_start_one(struct cli *cli, struct start_job *job)
{
	int rc = cli_start_all(cli, job, 1);

	if (rc == 0 && job->rc < 0) {
		cli->err = job->err;
		rc = job->rc;
	}
	return rc;
}
