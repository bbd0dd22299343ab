/* SPDX-License-Identifier: MIT */
/* Who starts after whom: ranks, names that are nobody's, circles. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/cleanup.h"
#include "tests/unit/lab/parse.h"

static void test_ranks(void **state)
{
	static const char *const orders[] = {
		"vms: {a: {}, b: {after: [a]}, c: {after: [b, a]}, d: {after: []}}\n",
		"vms: {c: {after: [b, a]}, b: {after: [a]}, d: {}, a: {}}\n",
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(orders); i++) {
		struct lab *lab = parse_lab(orders[i]);

		assert_int_equal(lab_find_vm(lab, "a")->rank, 0);
		assert_int_equal(lab_find_vm(lab, "b")->rank, 1);
		assert_int_equal(lab_find_vm(lab, "c")->rank, 2);
		assert_int_equal(lab_find_vm(lab, "d")->rank, 0);
		assert_ptr_equal(lab_find_vm(lab, "b")->after[0].vm, lab_find_vm(lab, "a"));
		lab_free(lab);
	}
}

/* A chain may be long. */
static void test_long_chain(void **state)
{
	enum { LENGTH = 2000 };
	cleanup_strbuf struct strbuf text = {0};
	struct lab *lab;

	(void)state;
	strbuf_addf(&text, "vms:\n");
	for (unsigned i = 0; i < LENGTH; i++)
		strbuf_addf(&text, "  v%u: {after: [v%u]}\n", i, i + 1);
	strbuf_addf(&text, "  v%u: {}\n", (unsigned)LENGTH);
	lab = parse_lab(text.data);
	assert_int_equal(lab->vms[0].rank, LENGTH);
	lab_free(lab);
}

static void test_faults(void **state)
{
	static const struct fault_row rows[] = {
		{"vms: {a: {after: [b]}}\n",
		 "1:19: vm 'a': after: there is no vm 'b'; there is: a\n"},
		{"vms:\n  a: {after: [a]}\n",
		 "2:15: vm 'a': after: goes round in a circle: 'a' after 'a'\n"},
		{"vms:\n  a: {after: [c]}\n  b: {after: [a]}\n  c: {after: [b]}\n  d: {after: [c]}\n",
		 "2:15: vm 'a': after: goes round in a circle: 'a' after 'c' after 'b' after "
		 "'a'\n"},
		/* Two circles, and one that hangs on both. */
		{"vms:\n  x: {after: [a, c]}\n  a: {after: [b]}\n  b: {after: [a]}\n"
		 "  c: {after: [d]}\n  d: {after: [c]}\n",
		 "3:15: vm 'a': after: goes round in a circle: 'a' after 'b' after 'a'\n"
		 "5:15: vm 'c': after: goes round in a circle: 'c' after 'd' after 'c'\n"},
		/* Two that share a machine. */
		{"vms:\n  a: {after: [b, c]}\n  b: {after: [a]}\n  c: {after: [a]}\n",
		 "2:15: vm 'a': after: goes round in a circle: 'a' after 'b' after 'a'\n"},
		{"vms: {a: {after: b}}\n", "1:18: after: has to be a list, not text\n"},
		{"vms: {a: {after: [[b]]}}\n",
		 "1:19: after: has to be a list of names, not one of a list\n"},
		{"vms: {a: {after: [~]}}\n",
		 "1:19: after: has to be a list of names, not one of nothing\n"},
		{"profiles: {p: {after: [a]}}\nvms: {a: {}}\n",
		 "1:16: 'after' cannot stand in a profile\n"},
		{"vms: {a: {stop_timeout: 0}}\n",
		 "1:25: stop_timeout: '0' is not a number from 1 to 86400\n"},
		{"vms: {a: {stop_timeout: 600}}\n", ""},
	};

	(void)state;
	assert_fault_rows(rows, ARRAY_SIZE(rows));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_ranks),
		cmocka_unit_test(test_long_chain),
		cmocka_unit_test(test_faults),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
