/* SPDX-License-Identifier: MIT */
/* QEMU's side of a QMP connection. Each call is completed once, and so is the
 * connection, after them. */
#include "fuzz.h"

#include "base/cleanup.h"
#include "base/error.h"
#include "base/fd.h"
#include "base/log.h"
#include "qmp/client.h"

#include <sys/socket.h>
#include <unistd.h>

enum { CALLS = 4 };

struct talk {
	struct qmp_client *client;
	int done[CALLS], n_done, n_closed;
};

struct call {
	struct talk *talk;
	int index;
};

static void on_reply(json_t *result, const char *class, const struct error *err, void *arg)
{
	struct call *call = arg;

	fuzz_check((result == NULL) != (err == NULL));
	fuzz_check(!class || err);
	fuzz_check(call->talk->done[call->index]++ == 0);
	fuzz_check(!call->talk->n_closed);
	call->talk->n_done++;
}

static void on_event(const char *name, json_t *message, void *arg)
{
	struct talk *talk = arg;

	fuzz_check(name && json_is_object(message) && !talk->n_closed);
}

static void on_closed(const struct error *err, void *arg)
{
	struct talk *talk = arg;

	fuzz_check(err->code > 0 && talk->n_done == CALLS);
	fuzz_check(talk->n_closed++ == 0);
}

static void spin(sd_event *event)
{
	while (sd_event_run(event, 0) > 0)
		;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct fuzz_chunks chunks = fuzz_cut(data, size);
	struct talk talk = {0};
	struct qmp_handlers handlers = {.event = on_event, .closed = on_closed, .arg = &talk};
	struct call calls[CALLS];
	sd_event *event = NULL;
	int ours, theirs;
	size_t len;

	log_set_level(LOG_LEVEL_ERROR);
	fuzz_check(sd_event_new(&event) == 0 && fd_socketpair(&theirs, &ours, NULL) == 0);
	fuzz_check(qmp_client_new(event, theirs, &handlers, &talk.client, NULL) == 0);
	for (int i = 0; i < CALLS; i++) {
		calls[i] = (struct call){&talk, i};
		/* Two with a descriptor: the second waits for the first's answer. */
		fuzz_check(qmp_client_call(talk.client, "query-status", NULL, &ours, i % 2, 0,
					   on_reply, &calls[i], NULL) == 0);
	}
	while (fuzz_next(&chunks, &data, &len)) {
		char sink[4096];

		while (len && !talk.n_closed) {
			ssize_t n = send(ours, data, len, MSG_NOSIGNAL | MSG_DONTWAIT);

			data += n > 0 ? n : 0;
			len -= n > 0 ? (size_t)n : 0;
			spin(event);
		}
		/* Read without its descriptors, which then are closed. */
		(void)recv(ours, sink, sizeof(sink), MSG_DONTWAIT);
	}
	/* The calls hold duplicates of this end: it is closed by hand. */
	(void)shutdown(ours, SHUT_RDWR);
	close_fd(&ours);
	spin(event);
	fuzz_check(talk.n_closed == 1);
	qmp_client_free(talk.client);
	sd_event_unref(event);
	return 0;
}
