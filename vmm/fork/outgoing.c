/* SPDX-License-Identifier: MIT */
#include "vmm/fork/outgoing.h"

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/fault.h"
#include "base/str.h"
#include "vmm/json.h"
#include "vmm/names.h"

#include <errno.h>

/* Under emulation what was written to is sent again once. */
enum { ONE_PASS_MS = 0, BEGINNING_USEC = 1000 * 1000 };

/* Nothing but the machine itself is in its way. */
static const json_int_t no_bound = (json_int_t)1 << 40;

/* With the last one QEMU stops before it gives up the disks, and waits for a word. */
static const char *const capabilities[] = {"events", "auto-converge", NULL};
static const char *const disk_capabilities[] = {"events", "auto-converge",
						"pause-before-switchover", NULL};

static int set_parameters(struct outgoing *o, json_int_t bandwidth, json_int_t downtime_ms,
			  struct error *err)
{
	return line_call(
		&o->line, "migrate-set-parameters",
		json_pack("{s:I s:I}", "max-bandwidth", bandwidth, "downtime-limit", downtime_ms),
		NULL, err);
}

int outgoing_open(struct outgoing *o, sd_event *event, const struct paths *paths, const char *vm,
		  struct error *err)
{
	cleanup_json json_t *kvm = NULL, *was = NULL;
	int rc;

	*o = (struct outgoing){.paths = paths, .vm = vm};
	rc = line_open_vm(&o->line, event, paths, vm, err);
	/* From here on the supervisor looks after the guest, should we not. */
	if (rc == 0)
		rc = line_call(&o->line, "hv-copy", NULL, &was, err);
	if (rc == 0)
		rc = line_call(&o->line, "query-migrate-parameters", NULL, &o->parameters, err);
	if (rc == 0)
		rc = line_call(&o->line, "query-kvm", NULL, &kvm, err);
	o->paused = json_is_true(json_object_get(was, "paused"));
	o->emulated = !json_is_true(json_object_get(kvm, "enabled"));
	return rc;
}

void outgoing_close(struct outgoing *o)
{
	line_close(&o->line);
	json_decref(steal_ptr(&o->parameters));
}

int outgoing_ask(struct outgoing *o, uint64_t *ret_done_bytes, uint64_t *ret_total_bytes)
{
	json_int_t remaining = -1, total = 0;
	cleanup_json json_t *info = NULL;
	int rc = line_call(&o->line, "query-migrate", NULL, &info, NULL);

	if (rc == 0 &&
	    json_unpack(info, "{s:{s:I s:I}}", "ram", "remaining", &remaining, "total", &total) < 0)
		rc = -EAGAIN;
	if (rc < 0)
		return rc;
	*ret_done_bytes = (uint64_t)(total - remaining);
	*ret_total_bytes = (uint64_t)total;
	return 0;
}

/* As it was found: others migrate by other rules. */
static void restore(struct outgoing *o)
{
	json_t *bandwidth = json_object_get(o->parameters, "max-bandwidth"),
	       *downtime = json_object_get(o->parameters, "downtime-limit");
	struct error err = ERROR_INIT;

	(void)line_set_capabilities(&o->line, disk_capabilities, false, &err);
	(void)set_parameters(o, json_integer_value(bandwidth), json_integer_value(downtime), &err);
}

static bool has_transaction(const struct outgoing_request *rq)
{
	return json_object_size(rq->transaction) > 0;
}

static int prepare(struct outgoing *o, const struct outgoing_request *rq, struct error *err)
{
	int rc;

	rc = line_set_capabilities(&o->line, has_transaction(rq) ? disk_capabilities : capabilities,
				   true, err);
	if (rc == 0)
		rc = set_parameters(o, no_bound, o->emulated ? ONE_PASS_MS : rq->downtime_ms, err);
	if (rc == 0)
		rc = line_call_fd(&o->line, "getfd", json_pack("{s:s}", "fdname", NAME_COPY_FD),
				  rq->fd, err);
	return rc;
}

/*
 * Before 9.0 QEMU that emulates the CPU loses pages: where it asks which ones were written to, it
 * does not look again at those that the CPU has at hand, until that one has dropped them for
 * another reason. So it asks while the guest stands, at the beginning, when nothing is at hand
 * any more, and at the end; and not in between.
 */
static int begin(struct outgoing *o, const struct outgoing_request *rq, struct error *err)
{
	json_t *args = rq->transaction ? json_incref(rq->transaction) : json_object();

	(void)json_object_set_new(args, "stand", json_boolean(rq->standing || o->emulated));
	(void)json_object_set_new(args, "throughout", json_boolean(rq->standing));
	(void)json_object_set_new(args, "stay", json_boolean(rq->stay));
	return line_call(&o->line, "hv-copy-begin", args, NULL, err);
}

/* QEMU waits for whoever is to read, as soon as a socket is full; so this has an end, too, where
 * the guest does not go on. */
static int await_beginning(struct outgoing *o, const struct outgoing_request *rq, struct error *err)
{
	bool stands = o->emulated && !rq->standing && !o->paused;
	uint64_t end = clock_now_usec() + BEGINNING_USEC, now;
	int rc = 0;

	if (!rq->begun)
		return 0;
	while (rc == 0 && stands && !o->line.stood_usec &&
	       line_status_is_under_way(o->line.migration) && (now = clock_now_usec()) < end)
		rc = line_turn(&o->line, end - now, err);
	return rc < 0 ? rc : rq->begun(rq->arg, err);
}

/* Until all is written. */
static int await(struct outgoing *o, const struct outgoing_request *rq, struct error *err)
{
	int rc = await_beginning(o, rq, err);

	fault_point("machine is being copied");
	if (rc == 0 && has_transaction(rq))
		rc = line_await_migration(&o->line, "pre-switchover", rq->tick, rq->arg, err);
	fault_point("machine stands for its disks");
	if (rc == 0)
		rc = line_await_migration(&o->line, "completed", rq->tick, rq->arg, err);
	fault_point("machine was copied");
	return rc;
}

/* Whatever became of the state. Another supervisor than the one that was told does not know that it
 * is to see to the guest. */
static int go_on(struct outgoing *o, bool failed, bool known, struct error *err)
{
	if (failed)
		(void)line_cancel_migration(&o->line, err);
	if (known)
		return line_call(&o->line, "hv-copy-end", NULL, NULL, err);
	return o->paused ? 0 : line_run_on(&o->line, err);
}

int outgoing_send(struct outgoing *o, const struct outgoing_request *rq, struct error *err)
{
	struct error other = ERROR_INIT;
	int rc = prepare(o, rq, err), ended;
	bool known = true;

	if (rc == 0)
		rc = begin(o, rq, err);
	if (rc == 0)
		rc = await(o, rq, err);
	json_decref(rq->transaction);
	if (rc == 0 && rq->stay)
		return 0;
	/* A supervisor that was killed forgot whose stand this is; the next one listens. */
	if (rc < 0 && line_is_closed(&o->line)) {
		sd_event *event = o->line.event;

		line_close(&o->line);
		(void)line_open_vm(&o->line, event, o->paths, o->vm, &other);
		known = false;
	}
	ended = go_on(o, rc < 0, known, &other);
	restore(o);
	/* Where its disks could not follow, that is why it was cancelled. */
	if (ended < 0 && (rc == 0 || known))
		return error_copy(err, &other);
	return rc;
}

int outgoing_end(struct outgoing *o, bool stay, struct error *err)
{
	int rc = line_call(&o->line, "hv-copy-end", json_pack("{s:b}", "stay", stay), NULL, err);

	if (!stay)
		restore(o);
	return rc;
}
