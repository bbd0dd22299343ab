/* SPDX-License-Identifier: MIT */
/*
 * What a network's keeper does with requests of a supervisor that is not itself: it refuses
 * them, and nothing changes. The keeper here has a real folder, channel and loop, and
 * neither a bridge nor a dnsmasq.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/channel.h"
#include "base/cleanup.h"
#include "base/error.h"
#include "base/fd.h"
#include "base/log.h"
#include "base/str.h"
#include "tests/unit/base/scratch.h"
#include "vmm/network/network_private.h"
#include "vmm/supervisor/peer.h"

#include <arpa/inet.h>
#include <errno.h>
#include <sys/socket.h>

struct fixture {
	struct scratch *scratch;
	struct paths paths;
	struct spec_network net;
	struct lab lab;
	struct network_options options;
	struct network n;
	int supervisor; /* its end of the channel */
};

static int setup(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));
	int channel;

	if (!f || scratch_setup(state) < 0)
		return -1;
	f->scratch = *state;
	*state = f;
	log_set_level(LOG_LEVEL_ERROR);
	f->paths = (struct paths){.state = f->scratch->path, .run = f->scratch->path};
	f->net = (struct spec_network){
		.name = (char *)"lab", .bridge = "hv-no-such", .prefix = 24, .dhcp = true};
	assert_int_equal(inet_pton(AF_INET, "10.91.1.1", &f->net.address), 1);
	f->options = (struct network_options){
		.paths = &f->paths, .lab = &f->lab, .net = &f->net, .ready_fd = -1};
	assert_int_equal(channel_pair(&channel, &f->supervisor, NULL), 0);
	f->n = (struct network){
		.options = &f->options,
		.run = {.dirfd = f->scratch->fd, .lockfd = -1, .group = PEER_NO_GROUP},
		.state_dirfd = f->scratch->fd,
		.dnsmasq = CHILD_INIT,
		.supervisor = {.process = CHILD_INIT, .channel = channel},
		.ready = true,
	};
	assert_int_equal(sd_event_new(&f->n.event), 0);
	assert_int_equal(network_write_hosts(&f->n, NULL), 0);
	network_write_status(&f->n);
	return 0;
}

static int teardown(void **state)
{
	struct fixture *f = *state;
	int rc;

	network_drop_users(&f->n);
	free(f->n.hosts);
	close_fd(&f->n.supervisor.channel);
	close_fd(&f->supervisor);
	sd_event_unref(f->n.event);
	*state = f->scratch;
	rc = scratch_teardown(state);
	free(f);
	return rc;
}

/* A client's connection: its own end and the keeper's copy. */
static void connection(int ret_ends[2])
{
	assert_int_equal(fd_socketpair(&ret_ends[0], &ret_ends[1], NULL), 0);
}

static struct network_request attach(const char *vm, const char *address, uint32_t serial)
{
	struct network_request r = {
		.kind = NETWORK_REQUEST_ATTACH,
		.serial = serial,
		.mac = {0x52, 0x54, 0, 0, (uint8_t)(serial >> 8), (uint8_t)serial},
		.has_address = address != NULL,
	};

	(void)str_format(r.vm, sizeof(r.vm), "%s", vm);
	if (address)
		assert_int_equal(inet_pton(AF_INET, address, &r.address), 1);
	return r;
}

/* All that a request could change, as text. */
static char *look(const struct fixture *f)
{
	static const char *const files[] = {"hosts", "addn-hosts", "status.json"};
	cleanup_strbuf struct strbuf all = {0};

	for (size_t i = 0; i < ARRAY_SIZE(files); i++) {
		cleanup_free char *text = NULL;

		assert_int_equal(file_read(f->scratch->fd, files[i], 65536, &text, NULL, NULL), 0);
		strbuf_addf(&all, "%s\n", text);
	}
	strbuf_addf(&all, "%zu users, %zu hosts, %d%d%d%d", f->n.n_users, f->n.n_hosts, f->n.keep,
		    f->n.ending, f->n.dnsmasq_ready, f->n.was_used);
	return strbuf_steal(&all);
}

/* The answers that wait; the last one's code. */
static unsigned answers(const struct fixture *f, int *ret_code)
{
	struct network_order order;
	unsigned n = 0;
	int fd = -1;

	while (channel_receive(f->supervisor, &order, sizeof(order), &fd, NULL) == 1) {
		close_fd(&fd);
		if (order.kind != NETWORK_ORDER_RESULT)
			continue;
		*ret_code = order.code;
		n++;
	}
	return n;
}

static void refused(struct fixture *f, const struct network_request *r, int fd, int code)
{
	cleanup_free char *before = look(f), *after = NULL;
	struct error err = ERROR_INIT;
	int ignored;

	(void)answers(f, &ignored);
	assert_int_equal(network_take_request(&f->n, r, fd, &err), -code);
	assert_true(*err.text);
	after = look(f);
	assert_string_equal(after, before);
	assert_int_equal(answers(f, &ignored), 0);
	/* What came along is not kept. */
	assert_true(fd < 0 || (fcntl(fd, F_GETFD) < 0 && errno == EBADF));
}

/* With a connection that is in order. */
static void refused_attach(struct fixture *f, const struct network_request *r, int code)
{
	int ends[2];

	connection(ends);
	refused(f, r, ends[1], code);
	close(ends[0]);
}

static void test_attach(void **state)
{
	struct fixture *f = *state;
	struct network_request r = attach("dc01", "10.91.1.10", 7);
	cleanup_free char *hosts = NULL;
	int ends[2], code = -1;

	connection(ends);
	assert_int_equal(network_take_request(&f->n, &r, ends[1], NULL), 0);
	assert_int_equal(answers(f, &code), 1);
	assert_int_equal(code, 0);
	assert_int_equal(f->n.n_users, 1);
	assert_int_equal(file_read(f->scratch->fd, "hosts", 4096, &hosts, NULL, NULL), 0);
	assert_non_null(strstr(hosts, "10.91.1.10"));
	/* The same call again would be somebody else's user. */
	refused_attach(f, &r, EPROTO);
	/* The use ends with the connection, whatever else came of the supervisor. */
	close_fd(&f->n.supervisor.channel);
	f->n.users[0]->told = true;
	network_disown_users(&f->n);
	assert_int_equal(f->n.n_users, 1);
	f->n.keep = true;
	close(ends[0]);
	assert_int_equal(sd_event_run(f->n.event, 0), 1);
	assert_int_equal(f->n.n_users, 0);
}

/* A user who has no answer hears that the supervisor ended. */
static void test_not_told(void **state)
{
	struct fixture *f = *state;
	struct network_request r = attach("dc01", NULL, 7);
	int ends[2];
	char byte;

	connection(ends);
	assert_int_equal(network_take_request(&f->n, &r, ends[1], NULL), 0);
	network_disown_users(&f->n);
	assert_int_equal(f->n.n_users, 0);
	assert_int_equal(recv(ends[0], &byte, 1, MSG_DONTWAIT), 0);
	close(ends[0]);
}

static void test_names(void **state)
{
	static const char *const names[] = {"",
					    "..",
					    "../../etc/passwd",
					    "a/b",
					    "a b",
					    "a\nb",
					    "a,b",
					    "\x1b[2J",
					    "-a",
					    ".hidden",
					    "a\tb",
					    "10.0.0.1,x=y",
					    "a\"b",
					    "tag:known*",
					    "a;b",
					    ("\xc3\xa4"
					     "b"),
					    "dc01\r\n"};
	struct fixture *f = *state;
	struct network_request r;

	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		r = attach(names[i], NULL, 1);
		refused_attach(f, &r, EPROTO);
	}
	r = attach("", NULL, 1);
	memset(r.vm, 'a', sizeof(r.vm));
	refused_attach(f, &r, EPROTO);
}

static void test_macs(void **state)
{
	struct fixture *f = *state;
	struct network_request r = attach("dc01", NULL, 1);

	memset(r.mac, 0, sizeof(r.mac));
	refused_attach(f, &r, EINVAL);
	memset(r.mac, 0xff, sizeof(r.mac));
	refused_attach(f, &r, EINVAL);
	r.mac[0] = 0x01;
	refused_attach(f, &r, EINVAL);
}

static void test_addresses(void **state)
{
	static const char *const addresses[] = {"10.91.2.10", "10.91.1.0",  "10.91.1.255",
						"10.91.1.1",  "0.0.0.0",    "255.255.255.255",
						"127.0.0.1",  "10.91.0.255"};
	struct fixture *f = *state;
	struct network_request r;

	for (size_t i = 0; i < ARRAY_SIZE(addresses); i++) {
		r = attach("dc01", addresses[i], 1);
		refused_attach(f, &r, EINVAL);
	}
	/* Neither there nor not. */
	r = attach("dc01", "10.91.1.10", 1);
	r.has_address = 0;
	refused_attach(f, &r, EPROTO);
	r.has_address = 2;
	refused_attach(f, &r, EPROTO);
}

static void test_kinds(void **state)
{
	static const uint32_t kinds[] = {NETWORK_REQUEST_COUNT, NETWORK_REQUEST_COUNT + 1,
					 0x7fffffff, 0x80000000, UINT32_MAX};
	struct fixture *f = *state;
	struct network_request r;
	int ends[2];

	for (size_t i = 0; i < ARRAY_SIZE(kinds); i++) {
		r = (struct network_request){.kind = kinds[i], .serial = 1};
		refused(f, &r, -1, EPROTO);
	}
	/* A descriptor, a name, a force, a cause, a text, a number where none belongs. */
	for (uint32_t kind = 0; kind < NETWORK_REQUEST_COUNT; kind++) {
		if (kind == NETWORK_REQUEST_ATTACH)
			continue;
		connection(ends);
		r = (struct network_request){.kind = kind};
		r.serial = kind >= NETWORK_REQUEST_ATTACHED && kind <= NETWORK_REQUEST_STATUS;
		refused(f, &r, ends[1], EPROTO);
		close(ends[0]);
		r.vm[40] = 'x';
		refused(f, &r, -1, EPROTO);
		r.vm[40] = '\0';
		r.serial = !r.serial;
		refused(f, &r, -1, EPROTO);
		r.serial = !r.serial;
		r.force = kind == NETWORK_REQUEST_DOWN ? 2 : 1;
		refused(f, &r, -1, EPROTO);
		r.force = 0;
		r.cause = NETWORK_CAUSE_COUNT;
		refused(f, &r, -1, EPROTO);
		r.cause = 0;
		r.text[0] = kind == NETWORK_REQUEST_WORDS ? '\n' : 'x';
		refused(f, &r, -1, EPROTO);
		memset(r.text, 'x', sizeof(r.text));
		refused(f, &r, -1, EPROTO);
	}
	r = attach("dc01", NULL, 1);
	refused(f, &r, -1, EPROTO);
	/* Alive, and nobody has asked. */
	r = (struct network_request){.kind = NETWORK_REQUEST_ALIVE};
	refused(f, &r, -1, EPROTO);
	/* What a network without DHCP never hears. */
	f->net.dhcp = false;
	r.kind = NETWORK_REQUEST_STARTED;
	refused(f, &r, -1, EPROTO);
	r.kind = NETWORK_REQUEST_WORDS;
	refused(f, &r, -1, EPROTO);
}

static void test_descriptors(void **state)
{
	struct fixture *f = *state;
	struct network_request r = attach("dc01", NULL, 1);
	int fds[2];

	refused(f, &r, open("/dev/null", O_RDWR | O_CLOEXEC), EPROTO);
	refused(f, &r, open("/proc/self/mem", O_RDWR | O_CLOEXEC), EPROTO);
	assert_int_equal(pipe2(fds, O_CLOEXEC), 0);
	refused(f, &r, fds[0], EPROTO);
	close(fds[1]);
	refused(f, &r, socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), EPROTO);
	assert_int_equal(socketpair(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0, fds), 0);
	refused(f, &r, fds[0], EPROTO);
	close(fds[1]);
	assert_int_equal(fd_listen_unix(f->scratch->fd, "socket", 0600, &fds[0], NULL), 0);
	refused(f, &r, fds[0], EPROTO);
	refused(f, &r, dup(f->n.supervisor.channel), EPROTO);
}

static void test_users_overflow(void **state)
{
	struct fixture *f = *state;
	struct network_request r;
	int held[NETWORK_USERS_MAX], ends[2], code;

	for (unsigned i = 0; i < NETWORK_USERS_MAX; i++) {
		r = attach("dc01", NULL, i + 1);
		connection(ends);
		held[i] = ends[0];
		assert_int_equal(network_take_request(&f->n, &r, ends[1], NULL), 0);
		assert_int_equal(answers(f, &code), 1);
		assert_int_equal(code, 0);
	}
	for (unsigned i = 0; i < 3; i++) {
		cleanup_free char *before = look(f), *after = NULL;

		r = attach("one-more", "10.91.1.77", NETWORK_USERS_MAX + 1 + i);
		connection(ends);
		assert_int_equal(network_take_request(&f->n, &r, ends[1], NULL), 0);
		close(ends[0]);
		assert_int_equal(answers(f, &code), 1);
		assert_int_equal(code, EUSERS);
		after = look(f);
		assert_string_equal(after, before);
	}
	for (unsigned i = 0; i < NETWORK_USERS_MAX; i++)
		close(held[i]);
}

/* A supervisor that announces and drops, over and over, fills no list. */
static void test_hosts_overflow(void **state)
{
	struct fixture *f = *state;
	struct network_request r;
	int ends[2], code = 0;
	unsigned i;

	f->n.keep = true;
	f->n.n_hosts = NETWORK_HOSTS_MAX - 2;
	f->n.hosts = calloc(f->n.n_hosts, sizeof(*f->n.hosts));
	for (i = 0; i < f->n.n_hosts; i++)
		memcpy(f->n.hosts[i].host.mac, &i, sizeof(i));
	for (i = 1; i <= 6; i++) {
		r = attach("dc01", NULL, i);
		connection(ends);
		assert_int_equal(network_take_request(&f->n, &r, ends[1], NULL), 0);
		close(ends[0]);
		assert_int_equal(answers(f, &code), 1);
		assert_int_equal(code, i <= 2 ? 0 : E2BIG);
		r = (struct network_request){.kind = NETWORK_REQUEST_DETACH, .serial = i};
		assert_int_equal(network_take_request(&f->n, &r, -1, NULL), 0);
		assert_int_equal(f->n.n_users, 0);
	}
	assert_int_equal(f->n.n_hosts, NETWORK_HOSTS_MAX);
}

/* Any bytes at all: refused, or one of the few requests that any supervisor may make. */
static void test_noise(void **state)
{
	struct fixture *f = *state;
	uint64_t seed = 0x9e3779b97f4a7c15;
	unsigned n_refused = 0;

	for (unsigned i = 0; i < 200000; i++) {
		cleanup_free char *before = NULL, *after = NULL;
		struct network_request r = {0};
		unsigned char *bytes = (unsigned char *)&r;

		for (size_t j = 0; j < sizeof(r); j++) {
			seed ^= seed << 13;
			seed ^= seed >> 7;
			seed ^= seed << 17;
			bytes[j] = (unsigned char)(seed >> 32);
			/* Much of it zero, so that it gets beyond the first look. */
			if (seed & 0x7000)
				bytes[j] = 0;
		}
		r.kind %= NETWORK_REQUEST_COUNT + 1;
		if (i % 16 == 0)
			before = look(f);
		if (network_take_request(&f->n, &r, -1, NULL) == 0) {
			f->n.ending = f->n.keep = false;
			continue;
		}
		n_refused++;
		after = before ? look(f) : NULL;
		if (before)
			assert_string_equal(after, before);
	}
	assert_int_equal(f->n.n_users, 0);
	assert_int_equal(f->n.n_hosts, 0);
	assert_true(n_refused > 190000);
}

static void test_sizes(void **state)
{
	struct fixture *f = *state;
	struct network_request r = {0};
	char longer[sizeof(r) + 1] = {0};

	const size_t sizes[] = {1, 4, sizeof(r) / 2, sizeof(r) - 1, sizeof(r) + 1};

	for (size_t i = 0; i < ARRAY_SIZE(sizes); i++) {
		assert_int_equal(send(f->supervisor, longer, sizes[i], MSG_NOSIGNAL),
				 (int)sizes[i]);
		assert_true(channel_receive(f->n.supervisor.channel, &r, sizeof(r), NULL, NULL) <
			    0);
	}
}

#define test(name) cmocka_unit_test_setup_teardown(test_##name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		test(attach),         test(not_told), test(names),       test(macs),
		test(addresses),      test(kinds),    test(descriptors), test(users_overflow),
		test(hosts_overflow), test(noise),    test(sizes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
