/* SPDX-License-Identifier: MIT */
/* Memory runs out: a lab that has faults is never taken for one without. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/cleanup.h"
#include "lab/plan.h"
#include "tests/unit/lab/parse.h"

static unsigned long calls_left; /* of reallocarray() until it fails once; 0: never */

/* In place of libc's, for everything in this program. */
void *reallocarray(void *p, size_t n, size_t size)
{
	size_t bytes;

	if (calls_left && --calls_left == 0)
		return NULL;
	if (__builtin_mul_overflow(n, size, &bytes))
		return NULL;
	return realloc(p, bytes);
}

/* Parses text with the nth growing of an array failing. Returns the result of
 * lab_config_resolve(), and false where n was not reached any more. */
static bool parse_failing(const char *text, unsigned long n, int *ret_rc)
{
	struct lab_config *c = lab_config_new();
	struct lab_faults faults = {0};
	struct error err = ERROR_INIT;
	struct lab *lab = NULL;
	bool reached;

	assert_non_null(c);
	calls_left = n;
	*ret_rc = lab_config_add(c, "f", text, strlen(text), &err);
	if (*ret_rc == 0)
		*ret_rc = lab_config_resolve(c, &lab, &faults, &err);
	reached = calls_left == 0;
	calls_left = 0;
	assert_int_equal(lab != NULL, *ret_rc == 0);
	lab_free(lab);
	lab_faults_free(&faults);
	lab_config_free(c);
	return reached;
}

static void test_faults_are_not_lost(void **state)
{
	static const char *const texts[] = {
		"vms: {a: {cpus: 0}}\n",
		"vms: {a: {tpm: true, tpm: true}}\n",
		"vms: {\n",
		"vms: {a: {firmware: none}}\n",
		"networks: {n: {}}\npools: {p: {path: p}}\nvms: {a: {x: 1}, b: []}\n",
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
		unsigned long n = 1;
		int rc;

		for (; parse_failing(texts[i], n, &rc); n++)
			assert_int_equal(rc, -ENOMEM);
		assert_int_equal(rc, -EINVAL);
		/* The sweep did fail something. */
		assert_true(n > 1);
	}
}

static void test_lab(void **state)
{
	static const char text[] = "networks: {n: {bridge: b, address: 10.0.0.1/24}}\n"
				   "profiles: {p: {cdroms: [/c]}}\n"
				   "vms: {a: {profile: p, nics: [{network: n}]}}\n";
	unsigned long n = 1;
	int rc;

	(void)state;
	for (; parse_failing(text, n, &rc); n++)
		assert_int_equal(rc, -ENOMEM);
	assert_int_equal(rc, 0);
	assert_true(n > 1);
}

static void test_plan(void **state)
{
	struct lab *lab = parse_lab("networks: {n: {bridge: b, address: 10.0.0.1/24}}\n"
				    "vms: {a: {nics: [{network: n}]}}\n");
	const struct plan_found_vm found = {0};

	(void)state;
	for (unsigned long n = 1; n <= 5; n++) {
		struct plan plan = {0};

		calls_left = n;
		assert_int_equal(plan_add_vm(&plan, &lab->vms[0], &found, NULL), -ENOMEM);
		calls_left = 0;
		plan_free(&plan);
	}
	lab_free(lab);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_faults_are_not_lost),
		cmocka_unit_test(test_lab),
		cmocka_unit_test(test_plan),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
