/* SPDX-License-Identifier: MIT */
#include "qmp/outbox.h"

#include "base/cleanup.h"
#include "base/error.h"
#include "base/fd.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

struct qmp_outgoing {
	struct qmp_outgoing *next;
	json_int_t id;
	unsigned owner;
	uint64_t turn; /* they go in the order of these */
	bool urgent;
	char *text;
	size_t len, sent;
	size_t n_fds; /* not yet sent */
	int fds[FD_PASS_MAX];
};

void qmp_outbox_init(struct qmp_outbox *o)
{
	*o = (struct qmp_outbox){0};
	o->end = &o->head;
	o->asked_end = &o->asked;
}

static void close_fds(struct qmp_outgoing *m)
{
	while (m->n_fds)
		close(m->fds[--m->n_fds]);
}

static void outgoing_free(struct qmp_outgoing *m)
{
	close_fds(m);
	free(m->text);
	free(m);
}

static struct qmp_outgoing *take(struct qmp_outgoing **link, struct qmp_outgoing ***end)
{
	struct qmp_outgoing *m = *link;

	*link = m->next;
	if (!m->next)
		*end = link;
	m->next = NULL;
	return m;
}

void qmp_outbox_clear(struct qmp_outbox *o)
{
	while (o->head)
		outgoing_free(take(&o->head, &o->end));
	while (o->asked)
		outgoing_free(take(&o->asked, &o->asked_end));
	o->bytes = 0;
	o->held = false;
	o->in_flight = 0;
}

/* The turn after the last of this owner that waits, or after what goes now. */
static uint64_t turn_of(const struct qmp_outbox *o, unsigned owner)
{
	uint64_t turn = o->turn + 1;

	for (const struct qmp_outgoing *m = o->head; m; m = m->next)
		if (m->owner == owner && m->turn >= turn)
			turn = m->turn + 1;
	return turn;
}

/* Where a message goes: at its turn, or behind what is urgent or half sent. */
static struct qmp_outgoing **place_of(struct qmp_outbox *o, const struct qmp_outgoing *new)
{
	struct qmp_outgoing **link = &o->head;

	if (new->urgent)
		while (*link && ((*link)->urgent || (*link)->sent))
			link = &(*link)->next;
	else
		while (*link && ((*link)->urgent || (*link)->turn <= new->turn))
			link = &(*link)->next;
	return link;
}

int qmp_outbox_add(struct qmp_outbox *o, json_int_t id, unsigned owner, bool urgent, char *text,
		   const int *fds, size_t n_fds, struct error *err)
{
	struct qmp_outgoing *m = NULL, **link;

	if (n_fds > FD_PASS_MAX) {
		free(text);
		return error_set(err, E2BIG, "%zu descriptors with one command, more than %d",
				 n_fds, FD_PASS_MAX);
	}
	m = calloc(1, sizeof(*m));
	if (!m) {
		free(text);
		return error_oom(err);
	}
	m->id = id;
	m->owner = owner;
	m->urgent = urgent && o->window;
	m->turn = m->urgent ? o->turn : turn_of(o, owner);
	m->text = text;
	m->len = strlen(text);
	while (m->n_fds < n_fds) {
		int fd = fcntl(fds[m->n_fds], F_DUPFD_CLOEXEC, 3);

		if (fd < 0) {
			int code = errno;

			outgoing_free(m);
			return error_errno(err, code, "duplicate a descriptor");
		}
		m->fds[m->n_fds++] = fd;
	}
	o->bytes += m->len;
	link = place_of(o, m);
	m->next = *link;
	*link = m;
	if (!m->next)
		o->end = &m->next;
	return 0;
}

/* A peer that goes is the same one, whether it is noticed by what it says or by what it does not
 * hear. */
static int tell_gone(struct error *err)
{
	return error_set(err, ECONNRESET, "the peer closed the connection");
}

/* The number of bytes sent; -EAGAIN where the socket is full, -ECONNRESET where the peer has gone.
 */
static ssize_t send_some(struct qmp_outbox *o, struct qmp_outgoing *m, int sock, struct error *err)
{
	ssize_t n;
	int rc;

	if (m->n_fds) {
		/* One byte is taken whole or not at all. */
		rc = fd_send(sock, m->text, 1, m->fds, m->n_fds, err);
		if (rc < 0)
			return rc == -EPIPE ? tell_gone(err) : rc;
		close_fds(m);
		o->held = true;
		o->holder = m->id;
		return 1;
	}
	do
		n = send(sock, m->text + m->sent, m->len - m->sent, MSG_NOSIGNAL | MSG_DONTWAIT);
	while (n < 0 && errno == EINTR);
	if (n < 0 && errno == EPIPE)
		return tell_gone(err);
	return n < 0 ? error_errno(err, errno, "send") : n;
}

/* Whether it has to wait for an answer to another. */
static bool is_held(const struct qmp_outbox *o, const struct qmp_outgoing *m)
{
	if (m->sent)
		return false;
	if (o->held && (m->n_fds || !m->urgent))
		return true;
	return o->window && !m->urgent && o->in_flight >= o->window;
}

/* The head was sent to its end, and waits for its answer. */
static void to_asked(struct qmp_outbox *o)
{
	struct qmp_outgoing *m = take(&o->head, &o->end);

	free(steal_ptr(&m->text));
	*o->asked_end = m;
	o->asked_end = &m->next;
	o->in_flight += !m->urgent;
}

int qmp_outbox_write(struct qmp_outbox *o, int sock, struct error *err)
{
	while (o->head && !is_held(o, o->head)) {
		struct qmp_outgoing *m = o->head;
		ssize_t n = send_some(o, m, sock, err);

		if (n == -EAGAIN)
			return 1;
		if (n < 0)
			return (int)n;
		if (!m->sent && !m->urgent)
			o->turn = m->turn;
		m->sent += (size_t)n;
		o->bytes -= (size_t)n;
		if (m->sent == m->len)
			to_asked(o);
	}
	return 0;
}

static struct qmp_outgoing **find(struct qmp_outgoing **link, json_int_t id)
{
	while (*link && (*link)->id != id)
		link = &(*link)->next;
	return link;
}

bool qmp_outbox_withdraw(struct qmp_outbox *o, json_int_t id)
{
	struct qmp_outgoing **link = find(&o->head, id), *m;

	if (!*link || (*link)->sent)
		return false;
	m = take(link, &o->end);
	o->bytes -= m->len;
	outgoing_free(m);
	return true;
}

json_int_t qmp_outbox_oldest(const struct qmp_outbox *o)
{
	const struct qmp_outgoing *m = o->asked;

	while (m && m->urgent)
		m = m->next;
	return m ? m->id : 0;
}

enum qmp_asked qmp_outbox_answered(struct qmp_outbox *o, json_int_t id)
{
	struct qmp_outgoing **link = find(&o->asked, id), *m;
	bool overtakes;

	if (!*link)
		return QMP_NOT_ASKED;
	overtakes = !(*link)->urgent && id != qmp_outbox_oldest(o);
	m = take(link, &o->asked_end);
	o->in_flight -= !m->urgent;
	if (o->holder == id)
		o->held = false;
	outgoing_free(m);
	return overtakes ? QMP_ASKED_LATER : QMP_ASKED;
}
