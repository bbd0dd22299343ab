/* SPDX-License-Identifier: MIT */
/*
 * What a machine's keeper does with words of a supervisor that is not itself: it
 * refuses them, and nothing moves. What comes at the wrong time is test_keeper_words.c's.
 */
#include "tests/unit/vmm/heard_keeper.h"

#include <sys/socket.h>

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
		test(members), test(texts),       test(noise),
		test(sizes),   test(descriptors), test(sending),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
