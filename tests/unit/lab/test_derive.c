/* SPDX-License-Identifier: MIT */
/* Derived uuids and MACs: the same on every host and for good, and distinct. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/cleanup.h"
#include "tests/unit/lab/parse.h"

#define NETWORKS                                                                 \
	"networks: {n: {bridge: b, address: 10.0.0.1/24}, lab-net: {bridge: c, " \
	"address: 10.0.1.1/24}}\n"

static void assert_mac(const uint8_t mac[static 6], const char *expected)
{
	char text[18];

	(void)str_format(text, sizeof(text), "%02x:%02x:%02x:%02x:%02x:%02x", mac[0], mac[1],
			 mac[2], mac[3], mac[4], mac[5]);
	assert_string_equal(text, expected);
}

/* Guests know themselves by these: a change here changes every machine. */
static void test_values(void **state)
{
	struct lab *lab = parse_lab(
		NETWORKS "vms:\n"
			 "  dc01: {nics: [{network: n}, {network: n}]}\n"
			 "  a: {uuid: 4C82C973-7299-468E-BF15-D442EE681475,\n"
			 "      nics: [{network: n}, {network: n, mac: 52:54:00:AB:cd:01},"
			 " {network: n}]}\n");

	(void)state;
	assert_string_equal(lab->vms[0].uuid, "88d13481-d0d8-5e91-b86f-9306a9feae71");
	assert_mac(lab->vms[0].nics[0].mac, "52:54:00:33:b4:e2");
	assert_mac(lab->vms[0].nics[1].mac, "52:54:00:87:c6:be");
	assert_string_equal(lab->vms[1].uuid, "4c82c973-7299-468e-bf15-d442ee681475");
	assert_mac(lab->vms[1].nics[0].mac, "52:54:00:46:1d:52");
	assert_mac(lab->vms[1].nics[1].mac, "52:54:00:ab:cd:01");
	assert_true(lab->vms[1].nics[1].mac_given);
	/* By its index, not by how many were derived before. */
	assert_mac(lab->vms[1].nics[2].mac, "52:54:00:db:89:07");
	assert_mac(lab->networks[0].mac, "52:54:01:bb:3f:16");
	assert_mac(lab->networks[1].mac, "52:54:01:4f:2e:3a");
	lab_free(lab);
}

/* What else stands in the configuration, and in which order, does not count. */
static void test_stable(void **state)
{
	struct lab *one = parse_lab(NETWORKS "vms: {a: {nics: [{network: n}]}, b: {}}\n");
	struct lab *two = parse_lab("vms: {c: {}, b: {}, a: {cpus: 3, nics: [{network: m,"
				    " model: e1000}, {network: m}]}}\n"
				    "networks: {m: {bridge: b, address: 10.1.0.1/24}}\n");
	const struct spec_vm *a = lab_find_vm(two, "a");

	(void)state;
	assert_string_equal(one->vms[0].uuid, a->uuid);
	assert_memory_equal(one->vms[0].nics[0].mac, a->nics[0].mac, 6);
	assert_string_equal(one->vms[1].uuid, lab_find_vm(two, "b")->uuid);
	lab_free(one);
	lab_free(two);
}

/* With a uuid given, the name does not count: a renamed VM keeps its NICs. */
static void test_renamed(void **state)
{
	static const char format[] =
		NETWORKS "vms: {%s: {uuid: 4c82c973-7299-468e-bf15-d442ee681475,"
			 " nics: [{network: n}]}}\n";
	cleanup_free char *first = str_printf(format, "old"), *second = str_printf(format, "new");
	struct lab *one = parse_lab(first), *two = parse_lab(second);

	(void)state;
	assert_memory_equal(one->vms[0].nics[0].mac, two->vms[0].nics[0].mac, 6);
	lab_free(one);
	lab_free(two);
}

/* 200 VMs with 4 NICs each: the configuration is refused if any two are equal. */
static void test_distinct(void **state)
{
	cleanup_strbuf struct strbuf text = {0};
	struct lab *lab;

	(void)state;
	strbuf_addf(&text, "%svms:\n", NETWORKS);
	for (int i = 0; i < 200; i++)
		strbuf_addf(&text,
			    "  vm%d: {nics: [{network: n}, {network: n}, {network: n},"
			    " {network: n}]}\n",
			    i);
	lab = parse_lab(text.data);
	assert_int_equal(lab->n_vms, 200);
	for (size_t i = 0; i < lab->n_vms; i++) {
		const struct spec_vm *vm = &lab->vms[i];

		/* Version 5, variant RFC 4122; a local unicast address of QEMU's kind. */
		assert_int_equal(strlen(vm->uuid), 36);
		assert_int_equal(vm->uuid[14], '5');
		assert_non_null(strchr("89ab", vm->uuid[19]));
		for (size_t j = 0; j < vm->n_nics; j++) {
			assert_memory_equal(vm->nics[j].mac, "\x52\x54\x00", 3);
			assert_false(vm->nics[j].mac_given);
		}
	}
	lab_free(lab);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_values),
		cmocka_unit_test(test_stable),
		cmocka_unit_test(test_renamed),
		cmocka_unit_test(test_distinct),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
