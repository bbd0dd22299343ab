/* SPDX-License-Identifier: MIT */
/*
 * Theory of operation
 *
 * Bytes of clients, and of guests by way of dnsmasq's log, become requests of a fixed
 * size here (vmm/network/network_keeper.c tells of the two processes). A command that changes
 * something is sent to the keeper and waits in `calls` for its answer; those that ask for
 * the end wait until the keeper says that all is gone. Nothing is kept here that would be
 * missed.
 */
#include "vmm/network/network_supervisor.h"

#include "base/channel.h"
#include "base/cleanup.h"
#include "base/error.h"
#include "base/fd.h"
#include "base/log.h"
#include "base/str.h"
#include "vmm/json.h"
#include "vmm/network/network_messages.h"
#include "vmm/supervisor/control.h"
#include "vmm/supervisor/last_words.h"

#include <arpa/inet.h>
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

/*
 * So few are under way that the keeper's answers always find room; the others wait
 * their turn, and who has too many is told so, and not the next one.
 */
enum { CALLS_MAX = 512, CLIENT_CALLS_MAX = 8, UNDER_WAY_MAX = 32, USERS_MAX = 64 };

struct waiting {
	struct network_request request;
	struct control_call *call;
};

struct announced {
	uint32_t serial;
	unsigned client;
};

struct listener {
	const struct network_supervisor_options *options;
	sd_event *event;
	struct control_server *control;
	struct last_words words; /* of dnsmasq */
	uint32_t last_serial;
	struct waiting calls[CALLS_MAX]; /* in their order; the first n_under_way were sent */
	size_t n_calls, n_under_way;
	struct announced users[USERS_MAX];
	size_t n_users;
	bool done; /* the keeper has said so */
};

/* What the keeper has to hear. If it cannot, one that starts anew knows as much. */
static void tell(struct listener *l, const struct network_request *r)
{
	if (channel_send(NETWORK_CHANNEL_FD, r, sizeof(*r), -1, NULL) < 0)
		(void)sd_event_exit(l->event, 1);
}

static struct waiting take_call(struct listener *l, size_t i)
{
	struct waiting w = l->calls[i];

	l->n_under_way -= i < l->n_under_way;
	l->n_calls--;
	memmove(&l->calls[i], &l->calls[i + 1], (l->n_calls - i) * sizeof(w));
	return w;
}

/* Those whose turn it is. A client that has gone meanwhile uses nothing. */
static void send_waiting(struct listener *l)
{
	while (l->n_under_way < l->n_calls && l->n_under_way < UNDER_WAY_MAX) {
		struct waiting *w = &l->calls[l->n_under_way];
		bool attach = w->request.kind == NETWORK_REQUEST_ATTACH;
		int fd = attach ? control_call_socket(w->call) : -1;
		struct error err = ERROR_INIT;
		int rc = attach && fd < 0 ? error_set(&err, EPIPE, "it has gone")
					  : channel_send(NETWORK_CHANNEL_FD, &w->request,
							 sizeof(w->request), fd, &err);

		if (rc < 0)
			control_fail(take_call(l, l->n_under_way).call, "GenericError", err.text);
		else
			l->n_under_way++;
	}
}

static size_t count_calls(const struct listener *l, unsigned client)
{
	size_t n = 0;

	for (size_t i = 0; i < l->n_calls; i++)
		n += control_call_client(l->calls[i].call) == client;
	return n;
}

/* A request on behalf of a client, who is answered when the keeper has answered. */
static void ask(struct listener *l, struct control_call *call, struct network_request *r)
{
	struct error err = ERROR_INIT;

	if (l->n_calls == CALLS_MAX ||
	    count_calls(l, control_call_client(call)) == CLIENT_CALLS_MAX) {
		control_fail(call, "GenericError", "too many commands in flight; wait for answers");
		return;
	}
	if (++l->last_serial == 0)
		l->last_serial = 1;
	r->serial = l->last_serial;
	if (network_request_check(l->options->net, r, r->kind == NETWORK_REQUEST_ATTACH, &err) <
	    0) {
		control_fail(call, "GenericError", err.text);
		return;
	}
	l->calls[l->n_calls++] = (struct waiting){.request = *r, .call = call};
	send_waiting(l);
}

static void cmd_attach(struct listener *l, struct control_call *call, json_t *args)
{
	struct network_request r = {.kind = NETWORK_REQUEST_ATTACH};
	const char *vm = NULL, *mac = NULL, *address = NULL;
	json_error_t fault;

	if (json_unpack_ex(args, &fault, JSON_STRICT, "{s:s s:s s?s}", "vm", &vm, "mac", &mac,
			   "address", &address) < 0 ||
	    !str_is_name(vm) || !json_parse_mac(mac, r.mac) ||
	    (address && inet_pton(AF_INET, address, &r.address) != 1)) {
		control_fail(call, "GenericError", "hv-net-attach takes vm, mac and address");
		return;
	}
	if (l->n_users == USERS_MAX) {
		control_fail(call, "GenericError", "it has too many users");
		return;
	}
	r.has_address = address != NULL;
	(void)str_format(r.vm, sizeof(r.vm), "%s", vm);
	ask(l, call, &r);
}

static void cmd_keep(struct listener *l, struct control_call *call, json_t *args)
{
	(void)args;
	ask(l, call, &(struct network_request){.kind = NETWORK_REQUEST_KEEP});
}

static void cmd_release(struct listener *l, struct control_call *call, json_t *args)
{
	(void)args;
	ask(l, call, &(struct network_request){.kind = NETWORK_REQUEST_RELEASE});
}

static void cmd_down(struct listener *l, struct control_call *call, json_t *args)
{
	struct network_request r = {.kind = NETWORK_REQUEST_DOWN};
	int force = 0;

	if (args && json_unpack(args, "{s?b}", "force", &force) < 0) {
		control_fail(call, "GenericError", "hv-net-down takes force");
		return;
	}
	r.force = force != 0;
	ask(l, call, &r);
}

static void cmd_reload(struct listener *l, struct control_call *call, json_t *args)
{
	(void)args;
	ask(l, call, &(struct network_request){.kind = NETWORK_REQUEST_RELOAD});
}

static void cmd_status(struct listener *l, struct control_call *call, json_t *args)
{
	(void)args;
	ask(l, call, &(struct network_request){.kind = NETWORK_REQUEST_STATUS});
}

static const struct {
	const char *name;
	void (*run)(struct listener *l, struct control_call *call, json_t *args);
} commands[] = {
	{"hv-net-attach", cmd_attach},   {"hv-net-keep", cmd_keep},
	{"hv-net-release", cmd_release}, {"hv-net-down", cmd_down},
	{"hv-net-reload", cmd_reload},   {"hv-status", cmd_status},
};

static void on_command(struct control_call *call, const char *name, json_t *args, const int *fds,
		       size_t n_fds, void *arg)
{
	char desc[300];

	(void)fds;
	(void)n_fds;
	for (size_t i = 0; i < ARRAY_SIZE(commands); i++)
		if (str_eq(name, commands[i].name)) {
			commands[i].run(arg, call, args);
			return;
		}
	(void)str_format(desc, sizeof(desc), "The command %s has not been found", name);
	control_fail(call, "CommandNotFound", desc);
}

/* The keeper sees it, too, unless it was us who hung up. */
static void on_client_gone(unsigned client, void *arg)
{
	struct listener *l = arg;

	for (size_t i = l->n_users; i-- > 0;)
		if (l->users[i].client == client) {
			tell(l, &(struct network_request){.kind = NETWORK_REQUEST_DETACH,
							  .serial = l->users[i].serial});
			l->users[i] = l->users[--l->n_users];
		}
}

/* The keeper is told that its user knows; one that has gone by now is none. */
static void attached(struct listener *l, const struct waiting *w)
{
	bool here = control_call_socket(w->call) >= 0 && l->n_users < USERS_MAX;

	if (here)
		l->users[l->n_users++] = (struct announced){.serial = w->request.serial,
							    .client = control_call_client(w->call)};
	control_reply(w->call, NULL);
	tell(l, &(struct network_request){.kind = here ? NETWORK_REQUEST_ATTACHED
						       : NETWORK_REQUEST_DETACH,
					  .serial = w->request.serial});
}

static void show_status(struct control_call *call, int fd)
{
	json_t *status = fd >= 0 ? json_loadfd(fd, 0, NULL) : NULL;

	if (status)
		control_reply(call, status);
	else
		control_fail(call, "GenericError", "no status yet");
}

static void on_result(struct listener *l, const struct network_order *order, int fd)
{
	struct waiting w;
	size_t i = 0;

	while (i < l->n_under_way && l->calls[i].request.serial != order->serial)
		i++;
	if (i == l->n_under_way)
		return;
	w = take_call(l, i);
	if (order->code)
		control_fail(w.call, "GenericError", order->text);
	else if (w.request.kind == NETWORK_REQUEST_ATTACH)
		attached(l, &w);
	else if (w.request.kind == NETWORK_REQUEST_STATUS)
		show_status(w.call, fd);
	else
		control_reply(w.call, NULL);
	send_waiting(l);
}

static void on_line(const char *line, void *arg)
{
	if (strstr(line, "started, version"))
		tell(arg, &(struct network_request){.kind = NETWORK_REQUEST_STARTED});
}

static void read_dnsmasq(struct listener *l, int fd)
{
	struct error err = ERROR_INIT;

	last_words_free(&l->words);
	if (last_words_init(&l->words, l->event, "dnsmasq", fd, &err) < 0) {
		log_error("network '%s': %s", l->options->net->name, err.text);
		return;
	}
	l->words.on_line = on_line;
	l->words.arg = l;
}

static void tell_words(struct listener *l)
{
	struct network_request r = {.kind = NETWORK_REQUEST_WORDS};
	const char *words = last_words_finish(&l->words);

	(void)str_format(r.text, sizeof(r.text), "%s", words);
	for (char *c = r.text; *c; c++)
		if (*c < 0x20 || *c > 0x7e)
			*c = '?';
	if (strstr(words, "Address already in use"))
		r.cause = strstr(words, "DHCP") ? NETWORK_CAUSE_DHCP_PORT : NETWORK_CAUSE_DNS_PORT;
	tell(l, &r);
}

static void take_order(struct listener *l, const struct network_order *order, int *fd)
{
	switch ((enum network_order_kind)order->kind) {
	case NETWORK_ORDER_RESULT:
		on_result(l, order, *fd);
		break;
	case NETWORK_ORDER_DNSMASQ:
		read_dnsmasq(l, steal_fd(fd));
		break;
	case NETWORK_ORDER_WORDS:
		tell_words(l);
		break;
	case NETWORK_ORDER_PING:
		tell(l, &(struct network_request){.kind = NETWORK_REQUEST_ALIVE});
		break;
	case NETWORK_ORDER_DONE:
		l->done = true;
		(void)sd_event_exit(l->event, 0);
		break;
	case NETWORK_ORDER_COUNT:
		break;
	}
}

static int on_order(sd_event_source *source, int channel, uint32_t revents, void *userdata)
{
	struct listener *l = userdata;
	struct network_order order;
	cleanup_close int fd = -1;
	int rc;

	(void)source;
	(void)revents;
	rc = channel_receive(channel, &order, sizeof(order), &fd, NULL);
	if (rc == -EAGAIN)
		return 0;
	/* Without its keeper it can do nothing, and the next one brings its own. */
	if (rc <= 0)
		return sd_event_exit(l->event, 1);
	take_order(l, &order, &fd);
	return 0;
}

static int serve(struct listener *l, struct error *err)
{
	const struct control_handlers handlers = {
		.command = on_command, .gone = on_client_gone, .arg = l};
	int rc = sd_event_new(&l->event);

	if (rc < 0)
		return error_errno(err, -rc, "event loop");
	rc = sd_event_add_io(l->event, NULL, NETWORK_CHANNEL_FD, EPOLLIN, on_order, l);
	if (rc < 0)
		return error_errno(err, -rc, "watch the keeper");
	rc = control_server_new(l->event, NETWORK_CONTROL_FD,
				json_pack("{s:s}", "package", "hvup " HV_VERSION), &handlers,
				&l->control, err);
	if (rc < 0)
		return rc;
	control_server_allow(l->control, l->options->group);
	return sd_event_loop(l->event);
}

/* Who asked for the end has it; all others hear that the connection ends. */
static void answer_all(struct listener *l)
{
	for (size_t i = 0; i < l->n_calls; i++)
		if (l->calls[i].request.kind == NETWORK_REQUEST_RELEASE ||
		    l->calls[i].request.kind == NETWORK_REQUEST_DOWN)
			control_reply(l->calls[i].call, NULL);
}

int network_supervisor_main(void *arg)
{
	struct listener *l = calloc(1, sizeof(*l));
	struct error err = ERROR_INIT;
	int rc;

	if (!l)
		return 1;
	l->options = arg;
	l->words.fd = -1;
	/* Its end is its keeper's to say, also where somebody ends all processes of a
	 * session; and what systemd gave is not its own. */
	(void)signal(SIGTERM, SIG_IGN);
	(void)signal(SIGINT, SIG_IGN);
	(void)signal(SIGHUP, SIG_IGN);
	(void)unsetenv("NOTIFY_SOCKET");
	rc = serve(l, &err);
	if (rc < 0 && err.code)
		log_error("network '%s': its supervisor: %s", l->options->net->name, err.text);
	if (l->done)
		answer_all(l);
	rc = rc == 0 && l->done ? 0 : 1;
	control_server_free(l->control);
	last_words_free(&l->words);
	sd_event_unref(l->event);
	free(l);
	return rc;
}
