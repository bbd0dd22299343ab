/* SPDX-License-Identifier: MIT */
/* Conditions within a guest, of which no file tells: each is looked at once. */
#include "cli/wait.h"

#include "base/cleanup.h"
#include "base/str.h"
#include "cli/address.h"
#include "cli/agent.h"
#include "cli/common.h"
#include "cli/vsock.h"

#include <arpa/inet.h>
#include <errno.h>
#include <poll.h>
#include <sys/socket.h>

enum { CONNECT_MS = 1000, GREETING_MS = 2000, ANSWER_MS = 5000, SSH_PORT = 22 };

static socklen_t parse_address(const char *text, unsigned port, struct sockaddr_storage *ret)
{
	struct sockaddr_in *four = (struct sockaddr_in *)ret;
	struct sockaddr_in6 *six = (struct sockaddr_in6 *)ret;

	*ret = (struct sockaddr_storage){0};
	if (inet_pton(AF_INET, text, &four->sin_addr) == 1) {
		four->sin_family = AF_INET;
		four->sin_port = htons((uint16_t)port);
		return sizeof(*four);
	}
	if (inet_pton(AF_INET6, text, &six->sin6_addr) != 1)
		return 0;
	six->sin6_family = AF_INET6;
	six->sin6_port = htons((uint16_t)port);
	return sizeof(*six);
}

/* Whether a connection that was made is greeted as by SSH. */
static bool greets(int fd)
{
	struct pollfd p = {.fd = fd, .events = POLLIN};
	char greeting[4];

	return poll(&p, 1, GREETING_MS) > 0 &&
	       recv(fd, greeting, sizeof(greeting), 0) == sizeof(greeting) &&
	       memcmp(greeting, "SSH-", sizeof(greeting)) == 0;
}

/* Whether a connection is taken, and where wanted greeted as by SSH. */
static bool answers(const char *address, unsigned port, bool ssh)
{
	struct sockaddr_storage to;
	socklen_t len = parse_address(address, port, &to);
	cleanup_close int fd =
		len ? socket(to.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0) : -1;
	struct pollfd p = {.fd = fd, .events = POLLOUT};
	socklen_t size = sizeof(int);
	int failure = 0;

	if (fd < 0 || (connect(fd, (struct sockaddr *)&to, len) < 0 && errno != EINPROGRESS) ||
	    poll(&p, 1, CONNECT_MS) <= 0 ||
	    getsockopt(fd, SOL_SOCKET, SO_ERROR, &failure, &size) < 0 || failure)
		return false;
	return !ssh || greets(fd);
}

static bool answers_by_vsock(uint32_t cid, unsigned port, bool ssh)
{
	cleanup_close int fd = -1;

	return cid && cli_vsock_connect(cid, port, CONNECT_MS, &fd, NULL) == 0 &&
	       (!ssh || greets(fd));
}

static int ask_port(struct cli *cli, const struct spec_vm *vm, json_t *status, unsigned port,
		    bool ssh)
{
	cleanup_free char *address = NULL;

	/* One without an address has none yet, or is reached by vsock, as hv ssh does. */
	return cli_find_address(cli, vm, status, &address, NULL) == 0
		       ? answers(address, port, ssh)
		       : ssh && answers_by_vsock(cli_vsock_of(status), port, ssh);
}

static int ask_unit(struct cli_agent *agent, const char *unit, struct error *err)
{
	const char *const argv[] = {"systemctl", "is-active", "--", unit, NULL};
	cleanup_ran struct cli_agent_ran ran = {0};
	json_int_t pid;
	int rc = cli_agent_begin_run(agent, argv, NULL, 0, &pid, NULL);

	/* A guest that starts may be slow, or its agent begin anew; one without systemd stays so.
	 */
	if (rc == -EREMOTEIO)
		return error_set(err, EREMOTEIO,
				 "unit '%s' cannot be waited for: its agent finds no systemctl to "
				 "ask",
				 unit);
	if (rc < 0 || cli_agent_finish_run(agent, pid, CLI_AGENT_MS, &ran, NULL) < 0)
		return 0;
	if (str_after(ran.out, "failed"))
		return error_set(err, EREMOTEIO, "unit '%s' has failed", unit);
	return str_eq(ran.out, "active\n");
}

int cli_wait_ask(struct cli *cli, const struct spec_vm *vm, json_t *status,
		 const struct wait_condition *condition, uint64_t deadline_usec, struct error *err)
{
	cleanup_agent struct cli_agent agent = {0};

	if (condition->what == WAIT_PORT || condition->what == WAIT_SSH)
		return ask_port(cli, vm, status,
				condition->what == WAIT_SSH ? SSH_PORT : condition->port,
				condition->what == WAIT_SSH);
	/* Of one that ends meanwhile its status tells. */
	if (!json_is_true(json_object_get(status, "agent")) ||
	    cli_agent_open(cli, vm->name, &agent, err) < 0)
		return 0;
	agent.deadline_usec = deadline_usec;
	if (condition->what == WAIT_UNIT)
		return ask_unit(&agent, condition->text, err);
	return cli_agent_call(&agent, "guest-ping", NULL, ANSWER_MS, NULL, NULL) == 0;
}
