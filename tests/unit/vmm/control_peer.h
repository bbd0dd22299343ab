/* SPDX-License-Identifier: MIT */
/*
 * A control socket with its clients in the test's own hand: the server runs on
 * the test's loop, clients are sockets that the test writes to and reads from.
 *
 * Commands: `echo` gives its arguments back, `fail` fails, `hold` is answered
 * when the test says so, `fds` tells how many descriptors came along and keeps
 * the inode of the first, `oob` tells whether it came out of band, `text` gives its
 * arguments back as they were written, `much` answers with 64 KiB.
 */
#ifndef HV_TESTS_CONTROL_PEER_H
#define HV_TESTS_CONTROL_PEER_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/cleanup.h"
#include "base/error.h"
#include "base/fd.h"
#include "base/file.h"
#include "base/log.h"
#include "base/str.h"
#include "vmm/supervisor/control.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/socket.h>
#include <sys/stat.h>

enum { CONTROL_PEER_MUCH = 64 * 1024 };

#define NEGOTIATE "{\"execute\": \"qmp_capabilities\"}\r\n"

struct control_peer {
	char dir[64];
	int dirfd;
	sd_event *event;
	struct control_server *server;
	struct control_call *held[1100];
	size_t n_held;
	unsigned gone[300]; /* numbers, in their order */
	size_t n_gone;
	unsigned last_client;
	int n_commands;
	size_t last_n_fds;
	ino_t last_inode;
};

static inline void control_peer_on_command(struct control_call *call, const char *name,
					   json_t *args, const int *fds, size_t n_fds, void *arg)
{
	struct control_peer *p = arg;
	struct stat st = {0};

	p->n_commands++;
	p->last_client = control_call_client(call);
	p->last_n_fds = n_fds;
	if (n_fds)
		assert_int_equal(fstat(fds[0], &st), 0);
	p->last_inode = st.st_ino;
	if (str_eq(name, "hold")) {
		assert_true(p->n_held < ARRAY_SIZE(p->held));
		p->held[p->n_held++] = call;
	} else if (str_eq(name, "fail")) {
		control_fail(call, "DeviceNotFound", "no \"such\" device");
	} else if (str_eq(name, "much")) {
		cleanup_free char *blob = malloc(CONTROL_PEER_MUCH);

		assert_non_null(blob);
		memset(blob, 'x', CONTROL_PEER_MUCH);
		control_reply(call, json_stringn(blob, CONTROL_PEER_MUCH));
	} else if (str_eq(name, "fds")) {
		control_reply(call, json_integer((json_int_t)n_fds));
	} else if (str_eq(name, "oob")) {
		control_reply(call, json_boolean(control_call_is_oob(call)));
	} else if (str_eq(name, "text")) {
		const char *text = control_call_arguments(call) ?: "null";

		control_reply_text(call, text, strlen(text));
	} else {
		control_reply(call, json_incref(args));
	}
}

static inline void control_peer_on_gone(unsigned client, void *arg)
{
	struct control_peer *p = arg;

	assert_true(p->n_gone < ARRAY_SIZE(p->gone));
	p->gone[p->n_gone++] = client;
}

static inline void control_peer_open(struct control_peer *p)
{
	const struct control_handlers handlers = {
		.command = control_peer_on_command,
		.gone = control_peer_on_gone,
		.arg = p,
	};
	int fd;

	*p = (struct control_peer){.dir = "/tmp/hv-test-control-XXXXXX"};
	log_set_level(LOG_LEVEL_ERROR);
	assert_non_null(mkdtemp(p->dir));
	p->dirfd = open(p->dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	assert_int_equal(fd_listen_unix(p->dirfd, "qmp", 0600, &fd, NULL), 0);
	assert_int_equal(sd_event_new(&p->event), 0);
	assert_int_equal(control_server_new(p->event, fd, json_pack("{s:s}", "package", "test"),
					    &handlers, &p->server, NULL),
			 0);
}

static inline void control_peer_close(struct control_peer *p)
{
	control_server_free(steal_ptr(&p->server));
	sd_event_unref(p->event);
	close_fd(&p->dirfd);
	assert_int_equal(file_remove_tree(AT_FDCWD, p->dir, NULL), 0);
}

static inline void control_peer_spin(struct control_peer *p)
{
	int rc;

	do
		rc = sd_event_run(p->event, 0);
	while (rc > 0);
	assert_int_equal(rc, 0);
}

/* A client; what it hears waits in its socket. */
static inline void control_peer_broadcast(struct control_peer *p, json_t *event)
{
	cleanup_free char *text = json_dumps(event, JSON_COMPACT);

	assert_non_null(text);
	control_server_broadcast(p->server, text, strlen(text));
	control_peer_spin(p);
}

static inline int control_peer_connect(struct control_peer *p)
{
	int fd;

	assert_int_equal(fd_connect_unix(p->dirfd, "qmp", &fd, NULL), 0);
	control_peer_spin(p);
	return fd;
}

static inline void control_peer_say(struct control_peer *p, int client, const char *text)
{
	assert_int_equal(send(client, text, strlen(text), MSG_NOSIGNAL | MSG_DONTWAIT),
			 (int)strlen(text));
	control_peer_spin(p);
}

/* All that the client has heard since the last look. */
static inline const char *control_peer_heard(int client)
{
	static char heard[256 * 1024];
	size_t len = 0;
	ssize_t n;

	while ((n = recv(client, heard + len, sizeof(heard) - 1 - len, MSG_DONTWAIT)) > 0)
		len += (size_t)n;
	heard[len] = '\0';
	return heard;
}

static inline bool control_peer_hung_up(int client)
{
	char byte;
	ssize_t n;

	while ((n = recv(client, &byte, 1, MSG_DONTWAIT)) > 0)
		;
	return n == 0 || errno == ECONNRESET;
}

/* A client that has negotiated. */
static inline int control_peer_ready(struct control_peer *p)
{
	int fd = control_peer_connect(p);

	(void)control_peer_heard(fd);
	control_peer_say(p, fd, NEGOTIATE);
	assert_string_equal(control_peer_heard(fd), "{\"return\":{}}\r\n");
	return fd;
}

#endif
