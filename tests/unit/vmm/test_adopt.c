/* SPDX-License-Identifier: MIT */
/* Which processes that a status file names are taken for one's own. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/child.h"
#include "base/cleanup.h"
#include "base/log.h"
#include "tests/unit/base/scratch.h"
#include "vmm/json.h"
#include "vmm/keeper/adopt.h"
#include "vmm/owner.h"
#include "vmm/uids.h"

#include <errno.h>
#include <signal.h>

static struct child spawn(const char *mark)
{
	char *argv[] = {(char *)"sleep", (char *)"1000", NULL}, *env[] = {(char *)mark, NULL};
	const struct child_spec spec = {
		.path = "/bin/sleep",
		.argv = argv,
		.env = env,
		.stdin_fd = -1,
		.stdout_fd = -1,
		.stderr_fd = -1,
		.cwd_fd = -1,
	};
	struct child c;

	assert_int_equal(child_spawn(&spec, &c, NULL), 0);
	return c;
}

static int find(const struct scratch *s, json_t *described, const char *vm, struct child *ret)
{
	const struct paths paths = {.state = (char *)s->path, .run = (char *)s->path};
	struct owner owner;

	owner_of_vm(&owner, &paths, vm);
	return adopt_find_own(&paths, described, owner.text, (const char *const[]){"vm/dc01", NULL},
			      ret);
}

static void test_own(void **state)
{
	struct scratch *s = *state;
	const struct paths paths = {.run = s->path};
	cleanup_free char *mark = NULL;
	struct owner owner;
	cleanup_json json_t *described = NULL, *later = NULL;
	struct child c, found = CHILD_INIT;

	log_set_level(LOG_LEVEL_ERROR);
	owner_of_vm(&owner, &paths, "dc01");
	assert_true(asprintf(&mark, "HV_OWNER=%s", owner.text) > 0);
	c = spawn(mark);
	described = adopt_describe(&c);
	assert_int_equal(find(s, described, "dc01", &found), 0);
	assert_int_equal(found.pid, c.pid);
	close_fd(&found.pidfd);
	/* Another machine's, or one that began at another time. */
	assert_int_equal(find(s, described, "dc02", &found), -ESRCH);
	later = json_copy(described);
	(void)json_object_set_new(
		later, "start",
		json_integer(json_integer_value(json_object_get(described, "start")) + 1));
	assert_int_equal(find(s, later, "dc01", &found), -ESRCH);
	assert_int_equal(child_wait(&c, 0, NULL, NULL), -ETIMEDOUT);
	child_destroy(&c);
	assert_int_equal(find(s, described, "dc01", &found), -ESRCH);
	assert_false(adopt_lives(described));
}

/* Pid and start time are right, and it is nobody's. */
static void test_stranger(void **state)
{
	static const char *const marks[] = {"A=b", "HV_OWNER=", "XHV_OWNER=vm=dc01",
					    "HV_OWNER=vm=dc01;run=/elsewhere"};
	cleanup_json json_t *self = NULL;
	const struct child us = {.pid = getpid(), .pidfd = 0};
	struct child c, found = CHILD_INIT;

	log_set_level(LOG_LEVEL_ERROR);
	for (size_t i = 0; i < ARRAY_SIZE(marks); i++) {
		cleanup_json json_t *described = NULL;

		c = spawn(marks[i]);
		described = adopt_describe(&c);
		assert_int_equal(find(*state, described, "dc01", &found), -ESRCH);
		assert_true(adopt_lives(described));
		child_destroy(&c);
	}
	self = adopt_describe(&us);
	assert_int_equal(find(*state, self, "dc01", &found), -ESRCH);
	assert_int_equal(found.pidfd, -1);
}

/* What is no description names nobody. */
static void test_hostile(void **state)
{
	static const char *const texts[] = {"null",
					    "{}",
					    "[]",
					    "\"1\"",
					    "{\"pid\": 1}",
					    "{\"pid\": -1, \"start\": 0}",
					    "{\"pid\": 0, \"start\": 0}",
					    "{\"pid\": 4294967297, \"start\": 1}",
					    "{\"pid\": \"1\", \"start\": 1}",
					    "{\"pid\": 1, \"start\": -1}"};
	struct child found = CHILD_INIT;

	for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
		cleanup_json json_t *described = json_loads(texts[i], JSON_DECODE_ANY, NULL);

		assert_true(find(*state, described, "dc01", &found) < 0);
		assert_false(adopt_lives(described));
	}
	assert_true(find(*state, NULL, "dc01", &found) < 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		scratch_test(test_own),
		scratch_test(test_stranger),
		scratch_test(test_hostile),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
