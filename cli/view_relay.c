/* SPDX-License-Identifier: MIT */
#include "cli/view_relay.h"

#include "base/child.h"
#include "base/cleanup.h"
#include "base/error.h"
#include "base/str.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

enum { CHUNK_BYTES = 64 * 1024 };

/* One direction; what was read and not yet written. */
struct stream {
	int from, to;
	size_t begin, end;
	char data[CHUNK_BYTES];
};

struct relay {
	struct child viewer;
	int listener, client, screen;
	struct stream in, out;
};

static int listen_here(int *ret_fd, unsigned *ret_port, struct error *err)
{
	struct sockaddr_in here = {.sin_family = AF_INET,
				   .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	cleanup_close int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	socklen_t len = sizeof(here);

	if (fd < 0 || bind(fd, (struct sockaddr *)&here, len) < 0 || listen(fd, 1) < 0 ||
	    getsockname(fd, (struct sockaddr *)&here, &len) < 0)
		return error_errno(err, errno, "a port on 127.0.0.1");
	*ret_port = ntohs(here.sin_port);
	*ret_fd = steal_fd(&fd);
	return 0;
}

/* Whether the other end of this connection, which is on this host, is a socket of our
 * own user: so says the kernel's table of sockets. */
static bool is_ours(int fd)
{
	cleanup_fclose FILE *table = fopen("/proc/net/tcp", "re");
	struct sockaddr_in near, far;
	socklen_t near_len = sizeof(near), far_len = sizeof(far);
	char line[512];

	if (!table || getsockname(fd, (struct sockaddr *)&near, &near_len) < 0 ||
	    getpeername(fd, (struct sockaddr *)&far, &far_len) < 0)
		return false;
	while (fgets(line, sizeof(line), table)) {
		unsigned local, local_port, remote, remote_port, uid;

		/* As seen from there: its local end is our far one. The kernel's numbers
		 * have these widths.
		 * NOLINTNEXTLINE(cert-err34-c) */
		if (sscanf(line, " %*u: %8X:%4X %8X:%4X %*2X %*8X:%*8X %*2X:%*8X %*8X %u", &local,
			   &local_port, &remote, &remote_port, &uid) == 5 &&
		    local == far.sin_addr.s_addr && local_port == ntohs(far.sin_port) &&
		    remote == near.sin_addr.s_addr && remote_port == ntohs(near.sin_port))
			return uid == geteuid();
	}
	return false;
}

static void take_client(struct relay *r)
{
	cleanup_close int fd = accept4(r->listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);

	if (fd < 0 || !is_ours(fd))
		return;
	r->client = steal_fd(&fd);
	close_fd(&r->listener);
	r->in.from = r->out.to = r->client;
	r->in.to = r->out.from = r->screen;
}

static bool is_empty(const struct stream *s)
{
	return s->begin == s->end;
}

/* False at the end. */
static bool move(struct stream *s)
{
	ssize_t n;

	if (s->from < 0)
		return true;
	if (is_empty(s)) {
		n = recv(s->from, s->data, sizeof(s->data), MSG_DONTWAIT);
		if (n == 0 || (n < 0 && errno != EAGAIN && errno != EINTR))
			return false;
		s->begin = 0;
		s->end = n > 0 ? (size_t)n : 0;
	}
	if (is_empty(s))
		return true;
	n = send(s->to, s->data + s->begin, s->end - s->begin, MSG_NOSIGNAL | MSG_DONTWAIT);
	if (n < 0 && errno != EAGAIN && errno != EINTR)
		return false;
	s->begin += n > 0 ? (size_t)n : 0;
	return true;
}

static short events_of(const struct stream *to, const struct stream *from)
{
	return (short)((is_empty(to) ? POLLIN : 0) | (is_empty(from) ? 0 : POLLOUT));
}

/* Until the viewer has gone, or either end has. */
static int serve(struct relay *r, struct error *err)
{
	for (;;) {
		struct pollfd p[] = {
			{.fd = r->viewer.pidfd, .events = POLLIN},
			{.fd = r->listener, .events = POLLIN},
			{.fd = r->client, .events = events_of(&r->in, &r->out)},
			{.fd = r->client < 0 ? -1 : r->screen,
			 .events = events_of(&r->out, &r->in)},
		};

		if (poll(p, ARRAY_SIZE(p), -1) < 0 && errno != EINTR)
			return error_errno(err, errno, "poll");
		if (p[0].revents)
			return 0;
		if (p[1].revents)
			take_client(r);
		if (!move(&r->in) || !move(&r->out))
			return 0;
	}
}

static int start_viewer(const char *program, unsigned port, struct child *ret_child,
			struct error *err)
{
	cleanup_free char *uri = str_printf("vnc://127.0.0.1:%u", port);
	char *argv[] = {(char *)program, uri, NULL};

	if (!uri)
		return error_oom(err);
	return child_spawn(
		&(struct child_spec){
			.path = program,
			.argv = argv,
			.env = environ,
			.stdin_fd = -1,
			.stdout_fd = -1,
			.stderr_fd = STDERR_FILENO,
			.cwd_fd = -1,
		},
		ret_child, err);
}

int view_relay(const char *program, int screen, struct error *err)
{
	struct relay r = {.viewer = CHILD_INIT,
			  .listener = -1,
			  .client = -1,
			  .screen = screen,
			  .in = {.from = -1, .to = -1},
			  .out = {.from = -1, .to = -1}};
	unsigned port = 0;
	int status = 0, rc;

	rc = listen_here(&r.listener, &port, err);
	if (rc == 0)
		rc = start_viewer(program, port, &r.viewer, err);
	if (rc == 0)
		rc = serve(&r, err);
	close_fd(&r.client);
	(void)shutdown(r.screen, SHUT_RDWR);
	close_fd(&r.listener);
	/* It says by itself that its connection is over, and its user closes it. */
	if (rc == 0)
		rc = child_wait(&r.viewer, -1, &status, err);
	child_destroy(&r.viewer);
	return rc == 0 && status ? error_set(err, EPROTO, "'%s' failed", program) : rc;
}
