/* SPDX-License-Identifier: MIT */
/* A machine's life as its keeper is told of it: what each word does, and when it may come. */
#include "tests/unit/vmm/heard_keeper.h"

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

#define test(name) cmocka_unit_test_setup_teardown(test_##name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		test(life), test(wrong_time), test(resumed), test(spare), test(pause), test(kill),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
