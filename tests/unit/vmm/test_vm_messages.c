/* SPDX-License-Identifier: MIT */
/*
 * What a machine's keeper does with words of a supervisor that is not itself: it
 * refuses them, and nothing moves. The keeper here has a real folder, channel and loop;
 * its QEMU is a process that sleeps.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/channel.h"
#include "base/child.h"
#include "base/cleanup.h"
#include "base/fd.h"
#include "base/log.h"
#include "base/str.h"
#include "tests/unit/base/scratch.h"
#include "vmm/keeper/keeper_private.h"
#include "vmm/supervisor/peer.h"

#include <errno.h>
#include <poll.h>
#include <sys/socket.h>

struct fixture {
	struct scratch *scratch;
	struct paths paths;
	struct spec_vm vm;
	struct keeper_options options;
	struct keeper k;
	char cpu[8];
	int supervisor; /* its end of the channel */
};

static int sleep_on(void *arg)
{
	(void)arg;
	(void)poll(NULL, 0, -1);
	return 0;
}

static void start_qemu(struct fixture *f)
{
	const struct child_spec spec = {
		.path = "sleeper",
		.stdin_fd = -1,
		.stdout_fd = -1,
		.stderr_fd = -1,
		.cwd_fd = -1,
		.run = sleep_on,
	};

	assert_int_equal(child_spawn(&spec, &f->k.res.qemu, NULL), 0);
}

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
	f->vm = (struct spec_vm){.name = (char *)"dc01"};
	f->options = (struct keeper_options){.paths = &f->paths, .vm = &f->vm, .ready_fd = -1};
	assert_int_equal(channel_pair(&channel, &f->supervisor, NULL), 0);
	(void)str_format(f->cpu, sizeof(f->cpu), "max");
	f->k = (struct keeper){
		.options = &f->options,
		.run = {.dirfd = f->scratch->fd, .lockfd = -1, .group = PEER_NO_GROUP},
		.control_fd = -1,
		.console_fd = -1,
		.supervisor = CHILD_INIT,
		.saver = CHILD_INIT,
		.supervisor_net_ns = -1,
		.net_ns = {-1, -1},
		.channel = channel,
		.state = VM_STATE_STARTING,
	};
	resources_init(&f->k.res, &f->paths, &f->vm, &f->k.host, f->scratch->fd);
	f->k.res.state_dirfd = f->scratch->fd;
	f->k.res.hw.cpu = f->cpu;
	assert_int_equal(sd_event_new(&f->k.event), 0);
	start_qemu(f);
	keeper_write_status(&f->k);
	return 0;
}

static int teardown(void **state)
{
	struct fixture *f = *state;
	int rc;

	child_destroy(&f->k.res.qemu);
	vm_pins_free(&f->k.res.pins);
	close_fd(&f->k.channel);
	close_fd(&f->supervisor);
	sd_event_unref(f->k.event);
	*state = f->scratch;
	rc = scratch_teardown(state);
	free(f);
	return rc;
}

/* All that a word could change, as text. */
static char *look(const struct fixture *f)
{
	const struct keeper *k = &f->k;
	cleanup_free char *status = NULL, *pins = NULL;
	cleanup_strbuf struct strbuf all = {0};

	(void)file_read(f->scratch->fd, "status.json", 65536, &status, NULL, NULL);
	(void)file_read(f->scratch->fd, "pins.json", 65536, &pins, NULL, NULL);
	strbuf_addf(&all, "%s\n%s\n%s\n", status ? status : "", pins ? pins : "",
		    k->res.pins.machine ? k->res.pins.machine : "");
	strbuf_addf(&all, "state %d, reason %d, agent %d; %d%d%d%d%d%d%d; %s; qemu %d", k->state,
		    k->reason, k->agent_open, k->running_once, k->ready, k->killed, k->stopping,
		    k->reload, k->over, k->sealed, k->failure.text, (int)k->res.qemu.pid);
	return strbuf_steal(&all);
}

/* How many messages the supervisor got; the last one in *ret. */
static unsigned told(const struct fixture *f, struct vm_message *ret)
{
	struct vm_message m;
	unsigned n = 0;
	int fd = -1;

	while (channel_receive(f->supervisor, &m, sizeof(m), &fd, NULL) == 1) {
		close_fd(&fd);
		*ret = m;
		n++;
	}
	return n;
}

static void refused(struct fixture *f, const struct vm_message *m)
{
	cleanup_free char *before = look(f), *after = NULL;
	struct error err = ERROR_INIT;
	struct vm_message ignored;
	int code;

	assert_int_equal(keeper_hear(&f->k, m, &err), -EPROTO);
	assert_true(*err.text);
	after = look(f);
	assert_string_equal(after, before);
	assert_int_equal(told(f, &ignored), 0);
	assert_int_equal(sd_event_get_exit_code(f->k.event, &code), -ENODATA);
}

static int hear(struct fixture *f, struct vm_message m)
{
	return keeper_hear(&f->k, &m, NULL);
}

/* A message that is in order, apart from where in life it comes. */
static struct vm_message plain(uint32_t word)
{
	struct vm_message m = {.word = word};

	if (word == KEEPER_STATE)
		m.number = VM_STATE_RUNNING;
	if (word == KEEPER_MACHINE)
		(void)str_format(m.text, sizeof(m.text), "pc-q35-7.2");
	return m;
}

static void test_life(void **state)
{
	struct fixture *f = *state;
	struct vm_message m = {0};

	assert_int_equal(hear(f, plain(KEEPER_MACHINE)), 0);
	assert_string_equal(f->k.res.pins.machine, "pc-q35-7.2");
	assert_int_equal(hear(f, plain(KEEPER_ANSWERED)), 0);
	assert_int_equal(told(f, &m), 1);
	assert_int_equal(m.word, SUPERVISOR_SEALED);
	assert_int_equal(hear(f, plain(KEEPER_RUNS)), 0);
	assert_true(f->k.running_once && f->k.ready);
	assert_int_equal(f->k.state, VM_STATE_RUNNING);
	m = plain(KEEPER_STATE);
	m.number = VM_STATE_PAUSED;
	m.reason = VM_REASON_DISK_FULL;
	m.agent_open = 1;
	assert_int_equal(hear(f, m), 0);
	assert_int_equal(f->k.state, VM_STATE_PAUSED);
	assert_int_equal(told(f, &m), 1);
	assert_int_equal(m.word, SUPERVISOR_NOTED);
	/* What the guest has seen is never pinned anew. */
	m = plain(KEEPER_MACHINE);
	(void)str_format(m.text, sizeof(m.text), "pc-q35-9.9");
	assert_int_equal(hear(f, m), 0);
	assert_string_equal(f->k.res.pins.machine, "pc-q35-7.2");
	/* No monitor listens here: that is told, and no descriptor comes. */
	assert_int_equal(hear(f, plain(KEEPER_CONNECT)), 0);
	assert_int_equal(told(f, &m), 1);
	assert_int_equal(m.word, SUPERVISOR_SOCKET);
	assert_true(*m.text);
	assert_int_equal(hear(f, plain(KEEPER_PONG)), 0);
	assert_int_equal(hear(f, plain(KEEPER_LOG_FULL)), 0);
	/* The last word, when QEMU has gone. */
	m = plain(KEEPER_ENDED);
	(void)str_format(m.text, sizeof(m.text), "QEMU was killed by SIGKILL");
	refused(f, &m);
	child_destroy(&f->k.res.qemu);
	assert_int_equal(hear(f, m), 0);
	assert_true(f->k.over);
	assert_string_equal(f->k.failure.text, "QEMU was killed by SIGKILL");
}

/* Every member of every word that has no meaning there. */
static void test_members(void **state)
{
	static const uint32_t numbers[] = {1,          2,          0x7f,       0xff,
					   0x7fffffff, 0x80000000, UINT32_MAX, 1000};
	struct fixture *f = *state;
	struct vm_message m;

	for (uint32_t word = 0; word < KEEPER_WORD_COUNT; word++) {
		uint32_t bound = word == KEEPER_STATE     ? VM_STATE_COUNT
				 : word == KEEPER_CONNECT ? VM_SOCKET_COUNT
							  : 1;

		for (size_t i = 0; i < ARRAY_SIZE(numbers); i++) {
			m = plain(word);
			m.number = numbers[i] < bound ? bound : numbers[i];
			refused(f, &m);
			m = plain(word);
			m.reason = numbers[i] < VM_REASON_COUNT ? VM_REASON_COUNT : numbers[i];
			refused(f, &m);
			m = plain(word);
			m.agent_open = numbers[i] < 2 ? 2 : numbers[i];
			refused(f, &m);
			m = plain(word);
			m.in_order = numbers[i] < 2 ? 2 : numbers[i];
			refused(f, &m);
		}
	}
	for (size_t i = 0; i < ARRAY_SIZE(numbers); i++) {
		m = (struct vm_message){.word = numbers[i]};
		if (m.word < KEEPER_WORD_COUNT)
			m.word = KEEPER_WORD_COUNT;
		refused(f, &m);
	}
}

static void test_texts(void **state)
{
	static const char *const texts[] = {"\n",
					    "a\nb",
					    "\x1b[2J",
					    "a\x7f",
					    "\r",
					    "\x01",
					    "\xff",
					    "\xc3",
					    "\xed\xa0\x80",
					    "a\tb",
					    "\xc0\x80",
					    "\x80",
					    "a\xf8",
					    "\xf4\x90\x80\x80",
					    ("\xc2\x9b"
					     "2J"),
					    "\xe2\x80\xae"};
	static const char *const machines[] = {"",       "pc q35",  "pc,accel=tcg", "pc/..",
					       "PC",     "q35;x",   "pc\"",         "-machine=x,y",
					       "%s%n%n", "\xc3\xa4"};
	struct fixture *f = *state;
	struct vm_message m;

	for (uint32_t word = 0; word < KEEPER_WORD_COUNT; word++) {
		for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
			m = plain(word);
			(void)str_format(m.text, sizeof(m.text), "%s", texts[i]);
			refused(f, &m);
		}
		/* Without an end, and with one behind which nothing is read. */
		m = plain(word);
		memset(m.text, 'x', sizeof(m.text));
		refused(f, &m);
	}
	for (size_t i = 0; i < ARRAY_SIZE(machines); i++) {
		m = plain(KEEPER_MACHINE);
		(void)str_format(m.text, sizeof(m.text), "%s", machines[i]);
		refused(f, &m);
	}
	m = plain(KEEPER_MACHINE);
	memset(m.text, 'a', 64);
	m.text[64] = '\0';
	refused(f, &m);
}

/* What lives has not ended; what is not sealed does not run. */
static void test_wrong_time(void **state)
{
	struct fixture *f = *state;
	struct vm_message m = plain(KEEPER_RUNS);

	refused(f, &m);
	m = plain(KEEPER_STATE);
	refused(f, &m);
	m.number = VM_STATE_PAUSED;
	refused(f, &m);
	assert_int_equal(hear(f, plain(KEEPER_ANSWERED)), 0);
	(void)told(f, &m);
	m = plain(KEEPER_STATE);
	m.number = VM_STATE_STOPPED;
	refused(f, &m);
	m.number = VM_STATE_CRASHED;
	refused(f, &m);
	m = plain(KEEPER_ENDED);
	m.in_order = 1;
	refused(f, &m);
	/* A machine that is still being made is not handed to a new program. */
	assert_int_equal(hear(f, plain(KEEPER_RELOAD)), 0);
	assert_false(f->k.reload);
}

/* What was saved is used up once, by a machine that was made for it, is sealed and has not run. */
static void test_resumed(void **state)
{
	struct fixture *f = *state;
	struct vm_message m = plain(KEEPER_RESUMED);

	f->k.sealed = true;
	refused(f, &m);
	f->k.res.resumes = true;
	f->k.sealed = false;
	refused(f, &m);
	f->k.sealed = f->k.running_once = true;
	refused(f, &m);
	f->k.running_once = false;
	assert_int_equal(file_write_volatile(f->scratch->fd, "saved.json", "{}", 2, 0600, NULL), 0);
	assert_int_equal(hear(f, m), 0);
	assert_int_equal(told(f, &m), 1);
	assert_int_equal(m.word, SUPERVISOR_RUN);
	assert_int_equal(faccessat(f->scratch->fd, "saved.json", F_OK, 0), -1);
	assert_int_equal(faccessat(f->scratch->fd, "saved.used", F_OK, 0), 0);
	/* And gone when the guest runs. */
	assert_int_equal(hear(f, plain(KEEPER_RUNS)), 0);
	assert_int_equal(faccessat(f->scratch->fd, "saved.used", F_OK, 0), -1);
}

/* A spare is one that was made so, is sealed, and has not run. */
static void test_spare(void **state)
{
	struct fixture *f = *state;
	struct vm_message m = plain(KEEPER_STATE);

	m.number = VM_STATE_SPARE;
	f->k.sealed = true;
	refused(f, &m);
	f->k.spare = true;
	f->k.sealed = false;
	refused(f, &m);
	f->k.sealed = f->k.running_once = true;
	refused(f, &m);
	f->k.running_once = false;
	assert_int_equal(hear(f, m), 0);
	assert_int_equal(f->k.state, VM_STATE_SPARE);
	assert_true(f->k.told && !f->k.ready);
	/* It begins, and is none any more. */
	m.number = VM_STATE_RUNNING;
	assert_int_equal(hear(f, m), 0);
	assert_true(f->k.started > 0);
	assert_int_equal(hear(f, plain(KEEPER_RUNS)), 0);
	assert_true(f->k.ready && !f->k.spare);
	(void)told(f, &m);
	m = plain(KEEPER_STATE);
	m.number = VM_STATE_SPARE;
	refused(f, &m);
}

/* Between two lives there is nothing to be said of a machine. */
static void test_pause(void **state)
{
	struct fixture *f = *state;
	int code = -1;

	child_destroy(&f->k.res.qemu);
	f->k.state = VM_STATE_CRASHED;
	f->k.sealed = true;
	for (uint32_t word = 0; word < KEEPER_WORD_COUNT; word++) {
		struct vm_message m = plain(word);

		if (word != KEEPER_KILL && word != KEEPER_PONG)
			refused(f, &m);
	}
	assert_int_equal(hear(f, plain(KEEPER_PONG)), 0);
	assert_int_equal(hear(f, plain(KEEPER_KILL)), 0);
	assert_true(f->k.killed);
	assert_int_equal(sd_event_get_exit_code(f->k.event, &code), 0);
}

/* Kill and fail end its own QEMU, and only that. */
static void test_kill(void **state)
{
	struct fixture *f = *state;
	struct vm_message m = plain(KEEPER_FAIL);
	int status;

	(void)str_format(m.text, sizeof(m.text), "it cannot go on");
	assert_int_equal(hear(f, m), 0);
	assert_string_equal(f->k.failure.text, "it cannot go on");
	assert_int_equal(child_wait(&f->k.res.qemu, -1, &status, NULL), 0);
	assert_int_equal(status, SIGKILL);
	/* The first cause is the one that counts. */
	(void)str_format(m.text, sizeof(m.text), "another");
	assert_int_equal(hear(f, m), 0);
	assert_string_equal(f->k.failure.text, "it cannot go on");
}

/* Any bytes at all: refused, or one of the few words that any supervisor may say. */
static void test_noise(void **state)
{
	struct fixture *f = *state;
	uint64_t seed = 0x9e3779b97f4a7c15;
	unsigned n_refused = 0, n_heard = 0;
	struct vm_message ignored;

	f->k.sealed = true;
	for (unsigned i = 0; i < 200000; i++) {
		cleanup_free char *before = NULL, *after = NULL;
		struct vm_message m = {0};
		unsigned char *bytes = (unsigned char *)&m;

		for (size_t j = 0; j < sizeof(m); j++) {
			seed ^= seed << 13;
			seed ^= seed >> 7;
			seed ^= seed << 17;
			bytes[j] = (unsigned char)(seed >> 32);
			/* Much of it zero, so that it gets beyond the first look. */
			if (seed & 0x7000 || (i % 2 && j >= sizeof(m.word)))
				bytes[j] = 0;
		}
		m.word %= KEEPER_WORD_COUNT + 1;
		/* What ends the machine has a test of its own. */
		if (m.word == KEEPER_KILL || m.word == KEEPER_FAIL)
			m.word = KEEPER_ENDED;
		if (i % 16 == 0)
			before = look(f);
		if (keeper_hear(&f->k, &m, NULL) == 0) {
			n_heard++;
			(void)told(f, &ignored);
			assert_int_equal(vm_message_check(&m, NULL), 0);
			assert_false(f->k.over || f->k.killed || f->k.failure.code);
			assert_true(f->k.state != VM_STATE_STOPPED &&
				    f->k.state != VM_STATE_CRASHED);
			f->k.reload = false;
			continue;
		}
		n_refused++;
		after = before ? look(f) : NULL;
		if (before)
			assert_string_equal(after, before);
	}
	assert_true(f->k.res.qemu.pidfd >= 0);
	assert_null(f->k.res.pins.machine);
	assert_true(n_refused > 100000);
	assert_true(n_heard > 1000);
}

/* What a supervisor that is itself sends is heard, whatever QEMU made it say. */
static void test_sending(void **state)
{
	struct fixture *f = *state;
	char longest[3000];
	const char *const texts[] = {"\n\x1b[2J", "\xff\xfe", "\xc3\xa4", longest, longest + 1, ""};
	struct vm_message m;

	for (size_t i = 0; i + 1 < sizeof(longest); i += 2)
		memcpy(longest + i, "\xc3\xa4", 2);
	longest[sizeof(longest) - 1] = longest[sizeof(longest) - 2] = '\0';
	for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
		assert_int_equal(
			vm_message_send(f->supervisor, plain(KEEPER_FAIL), texts[i], -1, NULL), 0);
		assert_int_equal(channel_receive(f->k.channel, &m, sizeof(m), NULL, NULL), 1);
		assert_int_equal(vm_message_check(&m, NULL), 0);
	}
}

static void test_sizes(void **state)
{
	struct fixture *f = *state;
	struct vm_message m;
	char longer[sizeof(m) + 1] = {0};
	const size_t sizes[] = {1, 4, sizeof(m) / 2, sizeof(m) - 1, sizeof(m) + 1};

	for (size_t i = 0; i < ARRAY_SIZE(sizes); i++) {
		assert_int_equal(send(f->supervisor, longer, sizes[i], MSG_NOSIGNAL),
				 (int)sizes[i]);
		assert_true(channel_receive(f->k.channel, &m, sizeof(m), NULL, NULL) < 0);
	}
}

/* No descriptor ever comes from there. */
static void test_descriptors(void **state)
{
	struct fixture *f = *state;
	struct vm_message m = plain(KEEPER_PONG);

	assert_int_equal(channel_send(f->supervisor, &m, sizeof(m), STDIN_FILENO, NULL), 0);
	assert_int_equal(channel_receive(f->k.channel, &m, sizeof(m), NULL, NULL), -EPROTO);
}

#define test(name) cmocka_unit_test_setup_teardown(test_##name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		test(life),  test(members),     test(texts),   test(wrong_time),
		test(pause), test(resumed),     test(kill),    test(noise),
		test(sizes), test(descriptors), test(sending), test(spare),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
