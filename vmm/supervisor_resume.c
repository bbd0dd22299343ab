/* SPDX-License-Identifier: MIT */
/*
 * A guest that was suspended to disk goes on.
 *
 * QEMU would read its state from a file by a call that it otherwise has no use for, so it gets it
 * by a socket, from here. It is sealed by then: the state is what a QEMU wrote that its guest may
 * have taken over. When QEMU has taken it in, the keeper makes what was saved void, and only then
 * the guest runs.
 */
#include "vmm/supervisor_private.h"

#include "base/cleanup.h"
#include "base/fd.h"
#include "base/log.h"
#include "base/str.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

enum { ANSWER_MS = 60 * 1000, CHUNK_BYTES = 64 * 1024 };

static void fail(struct supervisor *s, const struct error *why)
{
	/* QEMU that died has more to say than its monitor. */
	if (why->code != ECONNRESET)
		supervisor_fail(s, why);
}

static void stop_pump(struct supervisor *s)
{
	s->pump_source = sd_event_source_disable_unref(s->pump_source);
	/* Once, and their numbers are nobody else's. */
	(void)shutdown(SUPERVISOR_FD_PUMP, SHUT_WR);
}

/* As much as the socket takes, and then what else there is to do. What it did not take is read
 * once more. */
static int on_pump(sd_event_source *source, int fd, uint32_t revents, void *userdata)
{
	uint8_t chunk[CHUNK_BYTES];
	struct supervisor *s = userdata;
	struct error err = ERROR_INIT;
	ssize_t n = read(SUPERVISOR_FD_SAVED, chunk, sizeof(chunk)), sent;

	(void)source;
	(void)revents;
	if (n < 0) {
		(void)error_errno(&err, errno, "read the saved state");
		supervisor_fail(s, &err);
	}
	if (n <= 0) {
		stop_pump(s);
		return 0;
	}
	sent = send(fd, chunk, (size_t)n, MSG_NOSIGNAL | MSG_DONTWAIT);
	if (sent < 0 && errno != EAGAIN && errno != EINTR) {
		/* QEMU has all that it wants, or has ended, and tells so by itself. */
		stop_pump(s);
		return 0;
	}
	sent = sent < 0 ? 0 : sent;
	if (sent < n && lseek(SUPERVISOR_FD_SAVED, sent - n, SEEK_CUR) < 0) {
		(void)error_errno(&err, errno, "read the saved state");
		supervisor_fail(s, &err);
		stop_pump(s);
	}
	return 0;
}

static void on_incoming(json_t *result, const char *class, const struct error *err, void *arg)
{
	struct supervisor *s = arg;
	int rc;

	(void)result;
	(void)class;
	if (err) {
		fail(s, err);
		return;
	}
	rc = sd_event_add_io(s->event, &s->pump_source, SUPERVISOR_FD_PUMP, EPOLLOUT, on_pump, s);
	if (rc < 0) {
		struct error why = ERROR_INIT;

		(void)error_errno(&why, -rc, "event loop");
		supervisor_fail(s, &why);
	}
}

static void on_events(json_t *result, const char *class, const struct error *err, void *arg)
{
	struct supervisor *s = arg;
	struct error why = ERROR_INIT;
	char uri[24];

	(void)result;
	(void)class;
	if (err) {
		fail(s, err);
		return;
	}
	(void)str_format(uri, sizeof(uri), "fd:%d", s->start->incoming);
	if (qmp_client_call(s->qmp, "migrate-incoming", json_pack("{s:s}", "uri", uri), NULL, 0,
			    ANSWER_MS, on_incoming, s, &why) < 0)
		supervisor_fail(s, &why);
}

void supervisor_resume(struct supervisor *s)
{
	struct error err = ERROR_INIT;

	if (!s->qmp || fd_set_nonblock(SUPERVISOR_FD_PUMP, &err) < 0 ||
	    qmp_client_call(s->qmp, "migrate-set-capabilities",
			    json_pack("{s:[{s:s s:b}]}", "capabilities", "capability", "events",
				      "state", 1),
			    NULL, 0, ANSWER_MS, on_events, s, &err) < 0)
		supervisor_fail(s, &err);
}

void supervisor_migration(struct supervisor *s, const char *status)
{
	struct error err = ERROR_INIT;

	if (s->start->incoming < 0 || s->resumed)
		return;
	if (str_eq(status, "completed")) {
		s->resumed = true;
		stop_pump(s);
		supervisor_tell(s, (struct vm_message){.word = KEEPER_RESUMED}, NULL);
	} else if (str_eq(status, "failed")) {
		(void)error_set(&err, EIO, "QEMU could not take in what was saved");
		supervisor_fail(s, &err);
	}
}

void supervisor_may_run(struct supervisor *s)
{
	if (!s->resumed || s->running_once)
		return;
	log_info("vm '%s': goes on where it was suspended", s->vm->name);
	supervisor_sealed(s);
}
