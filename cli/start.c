/* SPDX-License-Identifier: MIT */
#include "cli/start.h"

#include "base/cleanup.h"
#include "base/str.h"
#include "cli/progress.h"
#include "vmm/background.h"
#include "vmm/signals.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <systemd/sd-event.h>

enum { EXIT_MS = 1000 };

struct starting {
	struct start_job *job;
	struct background background;
	sd_event_source *source;
	struct start_all *all;
};

struct start_all {
	sd_event *event;
	struct starting *v;
	size_t n, n_open;
	struct progress progress;
	bool interrupted;
};

static int on_ready(sd_event_source *source, int fd, uint32_t revents, void *userdata)
{
	struct starting *s = userdata;

	(void)source;
	(void)fd;
	(void)revents;
	if (!background_read(&s->background, &s->job->err))
		return 0;
	s->source = sd_event_source_disable_unref(s->source);
	s->job->rc = s->background.rc;
	if (s->job->rc == -EPIPE)
		(void)error_wrap(&s->job->err, s->job->rc, "%s '%s'",
				 s->job->kind == PATHS_VM ? "vm" : "network", s->job->name);
	s->job->ours = s->job->rc == 0;
	/* One that has failed is gone when this is told. */
	if (s->job->rc < 0)
		(void)child_wait(&s->background.child, EXIT_MS, NULL, NULL);
	if (--s->all->n_open == 0)
		(void)sd_event_exit(s->all->event, 0);
	return 0;
}

static int on_interrupt(sd_event_source *source, const struct signalfd_siginfo *info,
			void *userdata)
{
	struct start_all *all = userdata;

	(void)source;
	(void)info;
	all->interrupted = true;
	for (size_t i = 0; i < all->n; i++)
		if (all->v[i].source && !all->v[i].job->adopts)
			(void)child_signal(&all->v[i].background.child, SIGTERM, NULL);
	return 0;
}

static int on_slow(sd_event_source *source, uint64_t usec, void *userdata)
{
	struct start_all *all = userdata;
	cleanup_strbuf struct strbuf names = {0};

	(void)source;
	(void)usec;
	for (size_t i = 0; i < all->n; i++)
		if (all->v[i].source)
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
		background_free(&all->v[i].background);
	}
	sd_event_unref(all->event);
	sigemptyset(&set);
	(void)sigprocmask(SIG_SETMASK, &set, NULL);
}

static int begin(struct cli *cli, struct start_all *all, struct start_job *job)
{
	struct starting *s = &all->v[all->n];
	int rc;

	rc = background_start(&cli->paths, job->kind, job->name, job->keep, &s->background,
			      &job->err);
	if (rc < 0)
		return rc;
	s->job = job;
	s->all = all;
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
