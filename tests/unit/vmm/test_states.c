/* SPDX-License-Identifier: MIT */
/* Every cell of the life of a VM, written down a second time. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/str.h"
#include "vmm/states.h"

/* States in their order: what follows, or '-' where nothing may. The columns:
 * start waits runs stands asked refused ends gone failed; the letters: Stopped,
 * sTarting, Running, Paused, stoppinG, Crashed, sparE. */
static const char *const table[VM_STATE_COUNT] = {
	[VM_STATE_STOPPED] = "T-RP-----",  [VM_STATE_STARTING] = "-ERPG-GSC",
	[VM_STATE_RUNNING] = "--RPG-GSC",  [VM_STATE_PAUSED] = "--RPG-GSC",
	[VM_STATE_STOPPING] = "--GGGRGSC", [VM_STATE_CRASHED] = "T--------",
	[VM_STATE_SPARE] = "--R-G-GSC",
};
static const char letters[] = "STRPGCE";

static void test_every_cell(void **state)
{
	(void)state;
	for (enum vm_state from = 0; from < VM_STATE_COUNT; from++) {
		assert_int_equal(strlen(table[from]), VM_EVENT_COUNT);
		for (enum vm_event event = 0; event < VM_EVENT_COUNT; event++) {
			enum vm_state next = VM_STATE_COUNT;
			bool is = vm_state_next(from, event, &next);
			char wanted = table[from][event];

			if (wanted == '-') {
				if (is || next != VM_STATE_COUNT)
					fail_msg("%s has a cell for %s", vm_state_name(from),
						 vm_event_name(event));
			} else if (!is || letters[next] != wanted) {
				fail_msg("%s, %s: no or another cell", vm_state_name(from),
					 vm_event_name(event));
			}
		}
	}
}

/* From everywhere, a machine whose processes are gone is down, and a machine
 * that is down can be started. */
static void test_no_state_is_a_trap(void **state)
{
	(void)state;
	for (enum vm_state from = 0; from < VM_STATE_COUNT; from++) {
		enum vm_state next = from;

		if (from != VM_STATE_STOPPED && from != VM_STATE_CRASHED) {
			assert_true(vm_state_next(from, VM_EVENT_FAILED, &next));
			assert_int_equal(next, VM_STATE_CRASHED);
			assert_true(vm_state_next(from, VM_EVENT_GONE, &next));
			assert_int_equal(next, VM_STATE_STOPPED);
		}
		assert_true(vm_state_next(next, VM_EVENT_START, &next));
		assert_int_equal(next, VM_STATE_STARTING);
	}
}

static void test_names(void **state)
{
	static const char *const names[VM_STATE_COUNT] = {
		"stopped", "starting", "running", "paused", "stopping", "crashed", "spare",
	};
	static const char *const others[] = {"", "Running", "runnin", "running ", "start"};

	(void)state;
	for (enum vm_state s = 0; s < VM_STATE_COUNT; s++) {
		assert_string_equal(vm_state_name(s), names[s]);
		assert_int_equal(vm_state_parse(names[s]), s);
	}
	for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++)
		assert_int_equal(vm_state_parse(others[i]), VM_STATE_COUNT);
	for (enum vm_event a = 0; a < VM_EVENT_COUNT; a++)
		for (enum vm_event b = 0; b < a; b++)
			assert_string_not_equal(vm_event_name(a), vm_event_name(b));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_every_cell),
		cmocka_unit_test(test_no_state_is_a_trap),
		cmocka_unit_test(test_names),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
