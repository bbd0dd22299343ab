/* SPDX-License-Identifier: MIT */
/*
 * A supervisor's two ends without a machine between them: what a QMP server says that
 * connects to SOURCE, the clients of the control socket CONTROL hear.
 *
 * usage: event-relay CONTROL SOURCE, as absolute paths
 */
#include "base/cleanup.h"
#include "base/error.h"
#include "base/fd.h"
#include "qmp/client.h"
#include "vmm/supervisor/control.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static struct control_server *server;
static struct qmp_client *qmp;

static void on_event(const char *name, json_t *message, void *arg)
{
	size_t len;
	const char *text = qmp_client_text(qmp, &len);

	(void)name;
	(void)message;
	(void)arg;
	control_server_broadcast(server, text, len);
}

static void on_command(struct control_call *call, const char *name, json_t *args, const int *fds,
		       size_t n_fds, void *arg)
{
	(void)name;
	(void)args;
	(void)fds;
	(void)n_fds;
	(void)arg;
	control_reply(call, NULL);
}

/* In a folder of its own name: FOLDER/NAME. */
static int listen_at(const char *path, struct error *err)
{
	const char *name = strrchr(path, '/');
	cleanup_free char *folder = name ? strndup(path, (size_t)(name - path)) : NULL;
	cleanup_close int dirfd = folder ? open(folder, O_PATH | O_DIRECTORY | O_CLOEXEC) : -1;
	int fd = -1;

	if (dirfd < 0)
		return error_set(err, ENOENT, "socket '%s'", path);
	return fd_listen_unix(dirfd, name + 1, 0600, &fd, err) < 0 ? -1 : fd;
}

static int fail(const struct error *err)
{
	fprintf(stderr, "event-relay: %s\n", err->text);
	return 1;
}

int main(int argc, char **argv)
{
	const struct control_handlers commands = {.command = on_command};
	const struct qmp_handlers events = {.event = on_event};
	struct error err = ERROR_INIT;
	int control, source, peer;
	sd_event *event;

	if (argc != 3 || sd_event_new(&event) < 0)
		return 2;
	source = listen_at(argv[2], &err);
	control = source < 0 ? -1 : listen_at(argv[1], &err);
	if (control < 0)
		return fail(&err);
	(void)fcntl(source, F_SETFL, 0);
	if (control_server_new(event, control, json_object(), &commands, &server, &err) < 0)
		return fail(&err);
	peer = accept4(source, NULL, NULL, SOCK_CLOEXEC);
	if (peer < 0 || qmp_client_new(event, peer, &events, &qmp, &err) < 0)
		return fail(&err);
	return sd_event_loop(event) < 0;
}
