/* SPDX-License-Identifier: MIT */
/*
 * The way to a guest that has no network: ssh runs this verb as its ProxyCommand, which
 * connects, hands the socket over (ProxyUseFdpass) and goes, so nothing is copied.
 */
#include "cli/vsock.h"

#include "base/cleanup.h"
#include "base/fd.h"
#include "base/str.h"

#include <errno.h>
#include <linux/vm_sockets.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

enum { CONNECT_MS = 30 * 1000 };

uint32_t cli_vsock_of(json_t *status)
{
	json_t *cid = json_object_get(status, "vsock");

	return json_is_integer(cid) && json_integer_value(cid) >= 3 &&
			       json_integer_value(cid) < UINT32_MAX
		       ? (uint32_t)json_integer_value(cid)
		       : 0;
}

/* That nobody listens there is told at once; a guest without a driver says nothing. */
int cli_vsock_connect(uint32_t cid, unsigned port, int timeout_ms, int *ret_fd, struct error *err)
{
	const struct sockaddr_vm to = {.svm_family = AF_VSOCK, .svm_cid = cid, .svm_port = port};
	cleanup_close int fd = socket(AF_VSOCK, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	const struct timeval patience = {.tv_sec = timeout_ms / 1000 + 1};
	struct pollfd p = {.fd = fd, .events = POLLOUT};
	socklen_t len = sizeof(int);
	int code = 0;

	if (fd < 0)
		return error_errno(err, errno, "vsock");
	/* By itself the kernel waits for two seconds only. */
	(void)setsockopt(fd, AF_VSOCK, SO_VM_SOCKETS_CONNECT_TIMEOUT, &patience, sizeof(patience));
	if (connect(fd, (const struct sockaddr *)&to, sizeof(to)) < 0)
		code = errno;
	if (code == EINPROGRESS)
		code = poll(&p, 1, timeout_ms) == 0                            ? ETIMEDOUT
		       : getsockopt(fd, SOL_SOCKET, SO_ERROR, &code, &len) < 0 ? errno
									       : code;
	if (code)
		return error_errno(err, code, "vsock: context id %u, port %u", cid, port);
	*ret_fd = steal_fd(&fd);
	return 0;
}

static int run(struct cli *cli)
{
	cleanup_close int fd = -1;
	uint64_t cid, port;
	int rc;

	if (!str_parse_u64(cli->names[0], UINT32_MAX - 1, &cid) ||
	    !str_parse_u64(cli->names[1], UINT32_MAX - 1, &port))
		return cli_usage(cli, &verb_vsock_connect, "a context id and a port are numbers");
	rc = cli_vsock_connect((uint32_t)cid, (unsigned)port, CONNECT_MS, &fd, &cli->err);
	return rc < 0 ? rc : fd_send(STDOUT_FILENO, "", 1, &fd, 1, &cli->err);
}

const struct verb verb_vsock_connect = {
	.name = "vsock-connect",
	.args = "CID PORT",
	.summary = "connect to a guest by vsock and pass the socket on standard output",
	.min_names = 2,
	.max_names = 2,
	.names = CLI_NAMES_NONE,
	.lab = CLI_LAB_NONE,
	.hidden = true,
	.run = run,
};
