/* SPDX-License-Identifier: MIT */
#include "vmm/fork/line.h"

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/interrupt.h"
#include "base/str.h"
#include "vmm/json.h"
#include "vmm/rundir.h"

#include <errno.h>

enum {
	TICK_USEC = 250 * 1000,
	/* QEMU says that a migration is over a moment before it lets a guest run. */
	RESUME_TRIES = 1000,
};

static uint64_t time_of(json_t *message)
{
	json_t *stamp = json_object_get(message, "timestamp");

	return (uint64_t)json_integer_value(json_object_get(stamp, "seconds")) * 1000000 +
	       (uint64_t)json_integer_value(json_object_get(stamp, "microseconds"));
}

static void stand(struct line *l, bool stands)
{
	l->stands = stands;
	if (l->on_stand)
		l->on_stand(stands, l->on_stand_arg);
}

static void on_event(const char *name, json_t *message, void *arg)
{
	struct line *l = arg;
	const char *status = json_get_string(json_object_get(message, "data"), "status");

	if (str_eq(name, "MIGRATION") && status) {
		(void)str_format(l->migration, sizeof(l->migration), "%s", status);
	} else if (str_eq(name, "STOP")) {
		stand(l, true);
		l->stop_usec = time_of(message);
	} else if (str_eq(name, "RESUME") && l->stands) {
		stand(l, false);
		l->stood_usec += time_of(message) - l->stop_usec;
	}
}

int line_open(struct line *l, sd_event *event, const char *who, int fd, struct error *err)
{
	*l = (struct line){.event = event, .who = who};
	return qmp_sync_open_on(event, fd, on_event, l, &l->sync, err);
}

int line_open_vm(struct line *l, sd_event *event, const struct paths *paths, const char *vm,
		 struct error *err)
{
	cleanup_close int fd = -1;
	int rc = rundir_connect_vm(paths, vm, &fd, err);

	return rc < 0 ? rc : line_open(l, event, "QEMU", steal_fd(&fd), err);
}

void line_close(struct line *l)
{
	qmp_sync_close(steal_ptr(&l->sync));
}

bool line_is_closed(const struct line *l)
{
	return qmp_sync_is_closed(l->sync);
}

int line_turn(struct line *l, uint64_t usec, struct error *err)
{
	return error_wrap_if(err, qmp_sync_turn(l->sync, usec, err), "%s", l->who);
}

static int call(struct line *l, const char *command, json_t *args, const int *fds, size_t n_fds,
		json_t **ret_result, struct error *err)
{
	if (!l->sync) {
		json_decref(args);
		return error_set(err, ENOTCONN, "%s is not connected", l->who);
	}
	return error_wrap_if(
		err, qmp_sync_call_fds(l->sync, command, args, fds, n_fds, 0, ret_result, err),
		"%s: %s", l->who, command);
}

int line_call(struct line *l, const char *command, json_t *args, json_t **ret_result,
	      struct error *err)
{
	return call(l, command, args, NULL, 0, ret_result, err);
}

int line_call_fd(struct line *l, const char *command, json_t *args, int fd, struct error *err)
{
	return call(l, command, args, &fd, 1, NULL, err);
}

static int fail(struct line *l, struct error *err)
{
	cleanup_json json_t *info = NULL;
	const char *why = NULL;

	if (line_call(l, "query-migrate", NULL, &info, NULL) == 0)
		why = json_get_string(info, "error-desc");
	return error_set(err, EIO, "%s: copying its state %s%s%s", l->who, l->migration,
			 why ? ": " : "", why ?: "");
}

int line_await_migration(struct line *l, const char *status, void (*tick)(void *arg), void *arg,
			 struct error *err)
{
	uint64_t next = clock_now_usec() + TICK_USEC;

	while (!str_eq(l->migration, status) && !str_eq(l->migration, "completed")) {
		uint64_t now = clock_now_usec();
		int rc;

		if (str_eq(l->migration, "failed") || str_eq(l->migration, "cancelled"))
			return fail(l, err);
		rc = tick ? interrupt_check(err) : 0;
		if (rc < 0)
			return rc;
		rc = line_turn(l, !tick ? UINT64_MAX : now < next ? next - now : 0, err);
		if (rc < 0)
			return rc;
		/* Not with each event: a guest may stand at that moment, and what tick asks is in
		 * the way of what it waits for. */
		if (!tick || str_eq(l->migration, status) || clock_now_usec() < next)
			continue;
		tick(arg);
		next = clock_now_usec() + TICK_USEC;
	}
	return 0;
}

bool line_status_is_under_way(const char *status)
{
	static const char *const over[] = {"none", "completed", "cancelled", "failed"};

	for (size_t i = 0; status && i < ARRAY_SIZE(over); i++)
		if (str_eq(status, over[i]))
			return false;
	return status != NULL;
}

int line_cancel_migration(struct line *l, struct error *err)
{
	bool under_way = true;
	int rc = line_call(l, "migrate_cancel", NULL, NULL, err);

	/* A migration that was about to wait for this word waits for ever, where QEMU was told to
	 * cancel it between its last look and the wait. Refused wherever that is not so. */
	if (rc == 0)
		(void)line_call(l, "migrate-continue", json_pack("{s:s}", "state", "cancelling"),
				NULL, NULL);
	while (rc == 0 && under_way) {
		cleanup_json json_t *info = NULL;

		rc = line_call(l, "query-migrate", NULL, &info, err);
		under_way = line_status_is_under_way(json_get_string(info, "status"));
		/* The event may have come with the answer. */
		if (rc == 0 && under_way)
			rc = line_turn(l, TICK_USEC, err);
	}
	return rc;
}

int line_run_on(struct line *l, struct error *err)
{
	int rc, tries = 0;

	do
		rc = line_call(l, "cont", NULL, NULL, err);
	while (rc == -EREMOTEIO && tries++ < RESUME_TRIES);
	while (rc == 0 && l->stands)
		rc = line_turn(l, UINT64_MAX, err);
	return rc;
}

int line_set_capabilities(struct line *l, const char *const names[], bool on, struct error *err)
{
	json_t *list = json_array();

	for (; *names; names++)
		(void)json_array_append_new(
			list, json_pack("{s:s s:b}", "capability", *names, "state", on));
	return line_call(l, "migrate-set-capabilities", json_pack("{s:o}", "capabilities", list),
			 NULL, err);
}
