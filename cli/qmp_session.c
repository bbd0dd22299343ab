/* SPDX-License-Identifier: MIT */
#include "cli/qmp_session.h"

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/error.h"
#include "base/file.h"
#include "cli/common.h"
#include "qmp/decode.h"
#include "qmp/framer.h"
#include "qmp/text.h"
#include "vmm/names.h"
#include "vmm/rundir.h"

#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/socket.h>

enum { LINE_BYTES_MAX = 16 * 1024 * 1024, HANDSHAKE_MS = 30 * 1000 };

struct qmp_session {
	int fd;
	struct qmp_framer *framer;
	const sigset_t *waiting;
	qmp_event_fn on_event;
	void *arg;
	unsigned n_stale; /* answers that nobody waits for any more */
	bool answered, greeted;
	struct strbuf answer;
};

static int take_line(struct qmp_session *s, const char *line, size_t len, struct error *err)
{
	cleanup_json json_t *message = NULL;
	const char *event;
	int rc = qmp_decode(line, len, &message, err);

	if (rc < 0)
		return rc;
	event = json_get_string(message, "event");
	if (event) {
		if (s->on_event)
			s->on_event(event, line, len, s->arg);
		return 0;
	}
	if (s->greeted && s->n_stale) {
		s->n_stale--;
		return 0;
	}
	s->greeted = s->answered = true;
	s->answer.len = 0;
	strbuf_add(&s->answer, line, len);
	return s->answer.failed ? error_oom(err) : 0;
}

static int take_lines(struct qmp_session *s, struct error *err)
{
	const char *line;
	size_t len;
	int rc = 0;

	while (rc == 0 && qmp_framer_next(s->framer, &line, &len))
		rc = take_line(s, line, len, err);
	return rc;
}

int qmp_session_read(struct qmp_session *s, struct error *err)
{
	char chunk[65536];
	ssize_t n = recv(s->fd, chunk, sizeof(chunk), MSG_DONTWAIT);
	int rc;

	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return 0;
	if (n < 0)
		return error_errno(err, errno, "receive");
	if (n == 0)
		return error_set(err, ECONNRESET, "the machine has hung up");
	rc = qmp_framer_push(s->framer, chunk, (size_t)n);
	if (rc < 0)
		return error_errno(err, -rc, "an answer of more than %d MiB", LINE_BYTES_MAX >> 20);
	return take_lines(s, err);
}

int qmp_session_wait(struct qmp_session *s, int timeout_ms, struct error *err)
{
	struct pollfd p = {.fd = s->fd, .events = POLLIN};
	struct timespec time = {timeout_ms / 1000, timeout_ms % 1000 * 1000000L};
	int n = ppoll(&p, 1, timeout_ms < 0 ? NULL : &time, s->waiting);

	if (n < 0 && errno == EINTR)
		return error_set(err, EINTR, "interrupted");
	if (n < 0)
		return error_errno(err, errno, "wait");
	return n;
}

static int await_answer(struct qmp_session *s, uint64_t timeout_ms, struct error *err)
{
	uint64_t deadline = clock_now_usec() + timeout_ms * 1000;
	int rc = 0;

	while (rc >= 0 && !s->answered) {
		uint64_t now = clock_now_usec(), left = deadline > now ? deadline - now : 0;

		if (timeout_ms && !left)
			return error_set(err, ETIMEDOUT, "no answer in time");
		rc = qmp_session_wait(
			s, timeout_ms ? (int)((left < INT_MAX ? left : INT_MAX) / 1000 + 1) : -1,
			err);
		if (rc > 0)
			rc = qmp_session_read(s, err);
	}
	return rc < 0 ? rc : 0;
}

int qmp_session_ask(struct qmp_session *s, const char *request, uint64_t timeout_ms,
		    struct strbuf *ret_answer, struct error *err)
{
	int rc;

	s->answered = false;
	rc = file_write_all(s->fd, request, strlen(request), err);
	if (rc == 0)
		rc = file_write_all(s->fd, "\n", 1, err);
	/* What it said before it hung up tells more than that it did. */
	if (rc == 0)
		rc = await_answer(s, timeout_ms, err);
	if (rc == -EINTR || rc == -ETIMEDOUT)
		s->n_stale++;
	if (rc < 0)
		return rc;
	*ret_answer = s->answer;
	s->answer = (struct strbuf){0};
	return 0;
}

static int greet(struct qmp_session *s, struct error *err)
{
	cleanup_strbuf struct strbuf answer = {0};
	int rc = await_answer(s, HANDSHAKE_MS, err);

	if (rc < 0)
		return rc;
	if (!qmp_text_member(s->answer.data, s->answer.len, "QMP").at) {
		cleanup_strbuf struct strbuf said = {0};

		strbuf_add_printable(&said, s->answer.data, s->answer.len, false);
		return error_set(err, EPROTO, "no greeting: %s", said.data ? said.data : "");
	}
	if (strstr(s->answer.data, "\"oob\""))
		return qmp_session_ask(s,
				       "{\"execute\": \"qmp_capabilities\", \"arguments\": "
				       "{\"enable\": [\"oob\"]}}",
				       HANDSHAKE_MS, &answer, err);
	return qmp_session_ask(s, "{\"execute\": \"qmp_capabilities\"}", HANDSHAKE_MS, &answer,
			       err);
}

int qmp_session_open(struct cli *cli, const char *vm, struct qmp_session **ret_session)
{
	struct qmp_session *s = calloc(1, sizeof(*s));
	int rc;

	if (!s)
		return error_oom(&cli->err);
	rc = rundir_connect(&cli->paths, PATHS_VM, vm, NAME_QMP, &s->fd, &cli->err);
	if (rc < 0) {
		free(s);
		return rc == -ENOENT || rc == -ECONNREFUSED
			       ? error_set(&cli->err, ENOTCONN, "vm '%s' is not up (hv up %s)", vm,
					   vm)
			       : error_wrap(&cli->err, rc, "vm '%s'", vm);
	}
	rc = qmp_framer_new(LINE_BYTES_MAX, &s->framer);
	rc = rc < 0 ? error_oom(&cli->err) : greet(s, &cli->err);
	if (rc < 0) {
		qmp_session_close(s);
		return error_wrap(&cli->err, rc, "vm '%s'", vm);
	}
	*ret_session = s;
	return 0;
}

void qmp_session_close(struct qmp_session *s)
{
	if (!s)
		return;
	close_fd(&s->fd);
	qmp_framer_free(s->framer);
	strbuf_free(&s->answer);
	free(s);
}

void qmp_session_on_event(struct qmp_session *s, qmp_event_fn on_event, void *arg)
{
	s->on_event = on_event;
	s->arg = arg;
}

int qmp_session_fd(const struct qmp_session *s)
{
	return s->fd;
}

void qmp_session_set_signals(struct qmp_session *s, const sigset_t *waiting)
{
	s->waiting = waiting;
}
