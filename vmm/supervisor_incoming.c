/* SPDX-License-Identifier: MIT */
/*
 * A guest that does not boot, but goes on: from what was suspended to disk, or from the state
 * of another one. QEMU is sealed by then, for a QEMU wrote that state whose guest may have
 * taken it over. The commands go out together; QEMU reads by a socket that it holds already,
 * while the keeper writes, and says by an event when all is in.
 */
#include "vmm/supervisor_private.h"

#include "base/log.h"
#include "base/str.h"

#include <errno.h>

enum { ANSWER_MS = 60 * 1000 };

void supervisor_on_answer(json_t *result, const char *class, const struct error *err, void *arg)
{
	struct supervisor *s = arg;

	(void)result;
	(void)class;
	/* QEMU that died has more to say than its monitor. */
	if (err && err->code != ECONNRESET)
		supervisor_fail(s, err);
}

void supervisor_take_in(struct supervisor *s)
{
	struct error err = ERROR_INIT;
	char uri[24];
	int rc;

	if (!s->qmp)
		return;
	s->comes_in = true;
	(void)str_format(uri, sizeof(uri), "fd:%d", s->start->incoming);
	/* The memory that a fork has mapped is not in the stream. */
	rc = qmp_client_call(s->qmp, "migrate-set-capabilities",
			     json_pack("{s:[{s:s s:b} {s:s s:b}]}", "capabilities", "capability",
				       "x-ignore-shared", "state", !s->start->resumes, "capability",
				       "events", "state", true),
			     NULL, 0, ANSWER_MS, supervisor_on_answer, s, &err);
	if (rc == 0)
		rc = qmp_client_call(s->qmp, "migrate-incoming", json_pack("{s:s}", "uri", uri),
				     NULL, 0, ANSWER_MS, supervisor_on_answer, s, &err);
	if (rc < 0)
		supervisor_fail(s, &err);
}

void supervisor_incoming_event(struct supervisor *s, const char *status)
{
	struct error err = ERROR_INIT;

	if (!s->comes_in)
		return;
	if (str_eq(status, "failed")) {
		(void)error_set(&err, EIO, "QEMU could not take in what the guest goes on from");
		supervisor_fail(s, &err);
	}
	if (!str_eq(status, "completed"))
		return;
	s->comes_in = false;
	if (s->start->resumes) {
		s->resumed = true;
		supervisor_tell(s, (struct vm_message){.word = KEEPER_RESUMED}, NULL);
	} else {
		supervisor_fork_arrived(s);
	}
}

void supervisor_may_run(struct supervisor *s)
{
	if (!s->resumed || s->running_once)
		return;
	log_info("vm '%s': goes on where it was suspended", s->vm->name);
	supervisor_run(s);
}
