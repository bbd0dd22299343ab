/* SPDX-License-Identifier: MIT */
#include "vmm/units/units.h"

#include "base/cleanup.h"
#include "base/error.h"
#include "base/file.h"
#include "base/log.h"
#include "base/str.h"
#include "lab/config.h"
#include "vmm/keeper/adopt.h"
#include "vmm/leftovers.h"
#include "vmm/owner.h"
#include "vmm/ready.h"
#include "vmm/rundir.h"
#include "vmm/signals.h"
#include "vmm/units/unit_bus.h"
#include "vmm/units/unit_files.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <systemd/sd-daemon.h>
#include <systemd/sd-event.h>
#include <unistd.h>

enum { DROP_IN_BYTES_MAX = 1024 * 1024 };

#define GENERATED "/run/systemd/generator"

struct waiting {
	struct unit_bus bus;
	sd_event *event;
	char *job; /* the one that is waited for */
	bool stopped; /* SIGTERM: it is stopped, not started, by now */
	int rc;
	struct error *err;
};

bool units_wanted(const struct paths *paths)
{
	return geteuid() == 0 && str_eq(paths->config, "/etc/hv") &&
	       str_eq(paths->state, "/var/lib/hv") && str_eq(paths->run, "/run/hv") &&
	       access(HV_UNIT_DIR "/hv@.service", F_OK) == 0 && sd_booted() > 0;
}

/* Whether systemd knows of this machine what the configuration says now. */
static bool is_up_to_date(const struct units_start *s)
{
	cleanup_free char *path = str_printf(GENERATED "/hv@%s.service.d/" UNIT_DROP_IN, s->name);
	cleanup_free char *made = paths_machines(s->paths), *found = NULL;
	cleanup_strbuf struct strbuf wanted = {0};
	struct lab_faults faults = {0};
	const struct spec_vm *vm;
	struct lab *lab = NULL;
	bool same = true;

	/* With a fault in the configuration it does not start anyway, and says why. */
	if (!made || lab_load_all(s->paths->config, made, NULL, &lab, &faults, NULL) < 0) {
		lab_faults_free(&faults);
		return true;
	}
	vm = lab_find_vm(lab, s->name);
	if (vm && path) {
		unit_files_vm(vm, &wanted);
		same = !wanted.failed &&
		       file_read(AT_FDCWD, path, DROP_IN_BYTES_MAX, &found, NULL, NULL) == 0 &&
		       str_eq(found, wanted.data);
	}
	lab_free(lab);
	return same;
}

static int on_job_removed(sd_bus_message *m, void *userdata, sd_bus_error *failure)
{
	struct waiting *w = userdata;
	const char *job, *unit, *result;
	uint32_t id;

	(void)failure;
	if (sd_bus_message_read(m, "uoss", &id, &job, &unit, &result) < 0 || !w->job ||
	    !str_eq(job, w->job))
		return 0;
	if (w->stopped)
		w->rc = error_set(w->err, ECANCELED, "%s: stopped before it was up", w->bus.unit);
	else if (!str_eq(result, "done"))
		w->rc = unit_bus_failure(&w->bus, result, w->err);
	(void)sd_event_exit(w->event, 0);
	return 0;
}

static int on_signal(sd_event_source *source, const struct signalfd_siginfo *info, void *userdata)
{
	struct waiting *w = userdata;
	char *job = NULL;

	(void)source;
	(void)info;
	if (w->stopped)
		return 0;
	w->stopped = true;
	w->rc = unit_bus_queue(&w->bus, "StopUnit", &job, w->err);
	if (w->rc < 0) {
		(void)sd_event_exit(w->event, 0);
		return 0;
	}
	free(w->job);
	w->job = job;
	return 0;
}

static int on_hang_up(sd_bus_message *m, void *userdata, sd_bus_error *failure)
{
	struct waiting *w = userdata;

	(void)m;
	(void)failure;
	w->rc = error_set(w->err, EPIPE, "%s: systemd hung up", w->bus.unit);
	(void)sd_event_exit(w->event, 0);
	return 0;
}

static int wait_for_start(struct waiting *w, struct error *err)
{
	int rc = sd_event_new(&w->event);

	if (rc >= 0)
		rc = sd_bus_match_signal(w->bus.bus, NULL, NULL, "/org/freedesktop/systemd1",
					 "org.freedesktop.systemd1.Manager", "JobRemoved",
					 on_job_removed, w);
	if (rc >= 0)
		rc = sd_bus_match_signal(w->bus.bus, NULL, NULL, "/org/freedesktop/DBus/Local",
					 "org.freedesktop.DBus.Local", "Disconnected", on_hang_up,
					 w);
	if (rc >= 0)
		rc = signals_watch(w->event, on_signal, w, err);
	if (rc >= 0)
		rc = sd_bus_attach_event(w->bus.bus, w->event, 0);
	if (rc < 0)
		return error_errno(err, -rc, "event loop");
	/* Typed by a person, not by a supervisor that dies over and over. */
	unit_bus_reset(&w->bus);
	rc = unit_bus_queue(&w->bus, "StartUnit", &w->job, err);
	if (rc < 0)
		return rc;
	rc = sd_event_loop(w->event);
	return rc < 0 ? error_errno(err, -rc, "event loop") : w->rc;
}

int units_start_run(void *arg)
{
	const struct units_start *s = arg;
	struct error err = ERROR_INIT;
	struct waiting w = {.err = &err};
	int rc;

	signals_block();
	rc = unit_bus_open(s->kind, s->name, &w.bus, &err);
	if (rc == 0 && s->kind == PATHS_VM && !is_up_to_date(s))
		rc = unit_bus_reload(&w.bus, &err);
	if (rc == 0)
		rc = wait_for_start(&w, &err);
	ready_tell(s->ready_fd, rc < 0 ? &err : NULL);
	sd_event_unref(w.event);
	unit_bus_close(&w.bus);
	free(w.job);
	return rc < 0;
}

/* Whether somebody asked for the end. Without systemd's word: nobody. */
static bool is_asked_to_end(struct unit_bus *b)
{
	cleanup_free char *type = b->bus ? unit_bus_job_type(b) : NULL;

	return type && (str_eq(type, "stop") || str_eq(type, "restart"));
}

static bool was_killed(const char *result)
{
	return str_eq(result, "signal") || str_eq(result, "core-dump") ||
	       str_eq(result, "watchdog") || str_eq(result, "oom-kill");
}

static int end_rest(const struct paths *paths, enum paths_kind kind, const char *name,
		    struct error *err)
{
	enum rundir_state state;
	struct owner owner;
	int rc = rundir_look(paths, kind, name, &state, err);

	if (rc < 0 || state != RUNDIR_LEFT)
		return rc;
	log_warning("%s '%s': its supervisor ended and left something; that is ended",
		    kind == PATHS_VM ? "vm" : "network", name);
	if (kind == PATHS_VM)
		return adopt_end(paths, name, err);
	/* Bridge and rules go with the next `hv net down`; they hold nothing up. */
	owner_of_network(&owner, paths, name);
	leftovers_end(owner.text);
	return 0;
}

int units_after_end(const struct paths *paths, enum paths_kind kind, const char *name,
		    const char *result, struct error *err)
{
	cleanup_free char *job = NULL;
	struct unit_bus b = {0};
	int rc = 0;

	(void)unit_bus_open(kind, name, &b, NULL);
	if (!was_killed(result) || is_asked_to_end(&b))
		rc = end_rest(paths, kind, name, err);
	else if (kind == PATHS_NET)
		rc = b.bus ? unit_bus_queue(&b, "StartUnit", &job, err)
			   : error_set(err, ENOTCONN, "systemd does not answer");
	unit_bus_close(&b);
	return rc;
}
