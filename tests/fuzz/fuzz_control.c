/* SPDX-License-Identifier: MIT */
/*
 * A client of the control socket that says anything, beside one that is honest
 * and has to be served as if it were alone. A byte 0x01 lets the next piece go
 * with descriptors, 0x02 hangs up on one side, 0x03 answers what was held back.
 */
#include "fuzz.h"

#include "base/cleanup.h"
#include "base/error.h"
#include "base/fd.h"
#include "base/log.h"
#include "base/str.h"
#include "vmm/supervisor/control.h"

#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

enum { HELD_MAX = 64, FDS = 3 };

struct service {
	sd_event *event;
	struct control_server *server;
	struct sockaddr_un address;
	socklen_t address_len;
	int null_fd;
	struct control_call *held[HELD_MAX];
	size_t n_held;
};

static struct service service;

static void on_command(struct control_call *call, const char *name, json_t *args, const int *fds,
		       size_t n_fds, void *arg)
{
	(void)arg;
	for (size_t i = 0; i < n_fds; i++)
		fuzz_check(fds[i] >= 0);
	if (str_eq(name, "hold") && service.n_held < HELD_MAX)
		service.held[service.n_held++] = call;
	else if (str_eq(name, "fail"))
		control_fail(call, "GenericError", "no");
	else
		control_reply(call, json_incref(args));
}

static void answer_held(void)
{
	while (service.n_held)
		control_reply(service.held[--service.n_held], NULL);
}

/* A socket that the kernel names, once for all inputs. */
static void start_service(void)
{
	const struct control_handlers handlers = {.command = on_command};
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	log_set_level(LOG_LEVEL_ERROR);
	service.address.sun_family = AF_UNIX;
	service.address_len = sizeof(service.address);
	fuzz_check(bind(fd, (struct sockaddr *)&service.address, sizeof(sa_family_t)) == 0);
	fuzz_check(getsockname(fd, (struct sockaddr *)&service.address, &service.address_len) == 0);
	fuzz_check(listen(fd, 16) == 0 && sd_event_new(&service.event) == 0);
	service.null_fd = dup(STDERR_FILENO);
	fuzz_check(control_server_new(service.event, fd, json_object(), &handlers, &service.server,
				      NULL) == 0);
}

static void spin(void)
{
	while (sd_event_run(service.event, 0) > 0)
		;
}

static int connect_client(void)
{
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	fuzz_check(connect(fd, (struct sockaddr *)&service.address, service.address_len) == 0);
	spin();
	return fd;
}

static void expect_service(int fd, unsigned number)
{
	char request[64], wanted[64], got[64] = "";

	(void)str_format(request, sizeof(request), "{\"execute\": \"echo\", \"id\": %u}\n", number);
	(void)str_format(wanted, sizeof(wanted), "{\"return\":{},\"id\":%u}\r\n", number);
	fuzz_check(send(fd, request, strlen(request), MSG_NOSIGNAL) > 0);
	spin();
	(void)recv(fd, got, sizeof(got) - 1, MSG_DONTWAIT);
	if (!str_eq(got, wanted))
		fprintf(stderr, "asked '%s', told '%s'\n", request, got);
	fuzz_check(str_eq(got, wanted));
}

/* One piece, as far as the server takes it. */
static void say(int fd, const uint8_t *data, size_t len)
{
	int fds[FDS] = {service.null_fd, service.null_fd, service.null_fd};
	char sink[65536];

	if (data[0] == 0x01)
		(void)fd_send(fd, data, 1, fds, FDS, NULL);
	while (len) {
		ssize_t n = send(fd, data, len, MSG_NOSIGNAL | MSG_DONTWAIT);

		if (n <= 0)
			break;
		data += n;
		len -= (size_t)n;
		spin();
	}
	(void)recv(fd, sink, sizeof(sink), MSG_DONTWAIT);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct fuzz_chunks chunks = fuzz_cut(data, size);
	bool half_closed = false;
	unsigned number = 0;
	int honest, fd;
	char sink[1024];
	size_t len;

	if (!service.server)
		start_service();
	honest = connect_client();
	fuzz_check(send(honest, "{\"execute\":\"qmp_capabilities\"}", 30, MSG_NOSIGNAL) == 30);
	spin();
	(void)recv(honest, sink, sizeof(sink), MSG_DONTWAIT);
	fd = connect_client();
	while (fuzz_next(&chunks, &data, &len)) {
		if (data[0] == 0x03)
			answer_held();
		if (!half_closed)
			say(fd, data, len);
		if (data[0] == 0x02 && !half_closed)
			half_closed = shutdown(fd, SHUT_WR) == 0;
		spin();
	}
	expect_service(honest, number++);
	close(fd);
	spin();
	answer_held();
	expect_service(honest, number++);
	close(honest);
	spin();
	fuzz_check(!control_server_is_busy(service.server));
	return 0;
}
