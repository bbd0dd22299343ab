/* SPDX-License-Identifier: MIT */
/* The jail object: of this very process, which has none. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/child.h"
#include "base/cleanup.h"
#include "vmm/jail_status.h"
#include "vmm/json.h"
#include "vmm/keeper/adopt.h"

#include <string.h>
#include <unistd.h>

static json_t *make_status(void)
{
	struct child self = {.pid = getpid(), .pidfd = 0};
	struct spec_limits limits = {.pids = 100};
	json_t *status =
		json_pack("{s:i s:o s:n s:o s:o}", "pid", (int)getpid(), "qemu",
			  adopt_describe(&self), "swtpm", "supervisor", adopt_describe(&self),
			  "jail_at_start", jail_status_started(&limits, "/hv/x", 0));

	assert_non_null(status);
	return status;
}

static bool is_missing(json_t *jail, const char *beginning)
{
	json_t *text;
	size_t i;

	json_array_foreach (json_object_get(jail, "missing"), i, text)
		if (strncmp(json_string_value(text), beginning, strlen(beginning)) == 0)
			return true;
	return false;
}

static void test_found(void **state)
{
	cleanup_json json_t *status = make_status();
	json_t *jail, *qemu, *entry;
	const char *name;

	(void)state;
	jail_status_add(status);
	jail = json_object_get(status, "jail");
	assert_true(json_is_object(jail));
	assert_true(json_is_null(json_object_get(jail, "swtpm")));
	qemu = json_object_get(jail, "qemu");
	assert_int_equal(json_integer_value(json_object_get(json_object_get(qemu, "user"), "uid")),
			 geteuid());
	json_object_foreach (json_object_get(qemu, "namespaces"), name, entry)
		assert_true(json_is_false(entry));
	assert_int_equal(json_object_size(json_object_get(qemu, "namespaces")), 7);
	assert_true(json_is_null(json_object_get(qemu, "reason")));
	assert_int_equal(json_integer_value(json_object_get(qemu, "landlock_abi_at_start")), 0);

	assert_true(is_missing(jail, "qemu: namespace mount: "));
	assert_true(is_missing(jail, "qemu: namespace cgroup: "));
	assert_true(is_missing(jail, "qemu: root: "));
	assert_true(is_missing(jail, "qemu: landlock: "));
	assert_false(is_missing(jail, "qemu: namespace user: "));
	/* It shares the host's on purpose. */
	assert_false(is_missing(jail, "supervisor: namespace "));
	assert_false(is_missing(jail, "swtpm: "));
}

static void test_not_running(void **state)
{
	cleanup_json json_t *status = make_status();

	(void)state;
	(void)json_object_set_new(status, "pid", json_null());
	jail_status_add(status);
	assert_true(json_is_null(json_object_get(status, "jail")));
}

/* The pid is that of another process now. */
static void test_other_process(void **state)
{
	cleanup_json json_t *status = make_status();
	json_t *qemu = json_object_get(status, "qemu"), *jail;

	(void)state;
	(void)json_object_set_new(
		qemu, "start",
		json_integer(json_integer_value(json_object_get(qemu, "start")) + 1));
	jail_status_add(status);
	jail = json_object_get(status, "jail");
	assert_true(json_is_null(json_object_get(jail, "qemu")));
	assert_true(json_is_object(json_object_get(jail, "supervisor")));
	assert_false(is_missing(jail, "qemu: "));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_found),
		cmocka_unit_test(test_not_running),
		cmocka_unit_test(test_other_process),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
