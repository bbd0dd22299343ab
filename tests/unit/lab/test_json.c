/* SPDX-License-Identifier: MIT */
/* What a script or a Nix expression writes: JSON is YAML, paths hold anything. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/cleanup.h"
#include "tests/unit/lab/parse.h"

static void assert_the_lab(struct lab *lab)
{
	const struct spec_vm *vm = &lab->vms[0];

	assert_int_equal(lab->n_vms, 1);
	assert_string_equal(lab->networks[0].bridge, "virbr56");
	assert_true(lab->networks[0].nat);
	assert_string_equal(vm->name, "dc01");
	assert_int_equal(vm->cpus, 2);
	assert_int_equal(vm->memory_bytes, 2ULL << 30);
	assert_int_equal(vm->disks[0].size_bytes, 60ULL << 30);
	assert_string_equal(vm->disks[0].path, "/p/dc01.qcow2");
	assert_string_equal(vm->nics[0].network->name, "lab-net");
	lab_free(lab);
}

/* Without a space, as most programs write it. */
static void test_compact(void **state)
{
	(void)state;
	assert_the_lab(parse_lab(
		"{\"networks\":{\"lab-net\":{\"bridge\":\"virbr56\","
		"\"address\":\"192.168.56.1/24\","
		"\"nat\":true}},\"pools\":{\"p\":{\"path\":\"/p\"}},\"profiles\":{},"
		"\"vms\":{\"dc01\":{\"cpus\":2,\"memory\":\"2G\",\"disks\":[{\"volume\":"
		"\"p/dc01.qcow2\",\"size\":\"60G\"}],\"nics\":[{\"network\":\"lab-net\"}],"
		"\"cdroms\":[]}}}"));
}

/* Indented by tabs, sizes as numbers, and a null for what is not there. */
static void test_pretty(void **state)
{
	(void)state;
	assert_the_lab(parse_lab("{\n"
				 "\t\"networks\" : {\n"
				 "\t\t\"lab-net\" : {\n"
				 "\t\t\t\"bridge\" : \"virbr56\",\n"
				 "\t\t\t\"address\" : \"192.168.56.1\\/24\",\n"
				 "\t\t\t\"nat\" : true\n"
				 "\t\t}\n"
				 "\t},\n"
				 "\t\"profiles\" : null,\n"
				 "\t\"pools\" : { \"p\" : { \"path\" : \"\\u002fp\" } },\n"
				 "\t\"vms\" : {\n"
				 "\t\t\"dc01\" : {\n"
				 "\t\t\t\"cpus\" : 2,\n"
				 "\t\t\t\"memory\" : 2147483648,\n"
				 "\t\t\t\"disks\" : [ { \"volume\" : \"p/dc01.qcow2\",\n"
				 "\t\t\t\t\"size\" : 64424509440 } ],\n"
				 "\t\t\t\"nics\" : [ { \"network\" : \"lab-net\" } ]\n"
				 "\t\t}\n"
				 "\t}\n"
				 "}\n"));
}

static void test_faults(void **state)
{
	static const struct fault_row rows[] = {
		{"{\"vms\":{\"a\":{\"cpus\":\"2\"}}}",
		 "1:21: cpus: '2' is not a number from 1 to 255\n"},
		{"{\"vms\":{\"a\":{\"memory\":\"60X\"}}}",
		 "1:23: memory: '60X' is not a size: bytes, or a number with K, M, G or T, as in "
		 "60G\n"},
		{"{\"vms\":{\"a\":{\"cpu\":null}}}",
		 "1:20: cpu: has no value; it has to be word\n"},
	};

	(void)state;
	assert_fault_rows(rows, ARRAY_SIZE(rows));
}

/* QEMU's comma is not the configuration's matter: every path may hold one, and
 * whatever else a file may be called. */
static void test_paths(void **state)
{
	struct lab *lab = parse_lab(
		"{\"pools\":{\"p\":{\"path\":\"/pool,1\"}},\"vms\":{\"a\":{"
		"\"kernel\":\"/k,1\",\"initrd\":\"/i,file=/etc/shadow\",\"cmdline\":\"a,b c\","
		"\"disks\":[{\"volume\":\"p/d,1.qcow2\"},{\"path\":\"/x,readonly=on\"},"
		"{\"path\":\"/space \\\"quote\\\" \xc3\xa9 %s\"}],"
		"\"cdroms\":[\"/c,1.iso\",{\"path\":\"/c,2.iso\"}]}}}");
	const struct spec_vm *vm = &lab->vms[0];

	(void)state;
	assert_string_equal(lab->pools[0].path, "/pool,1");
	assert_string_equal(vm->kernel, "/k,1");
	assert_string_equal(vm->initrd, "/i,file=/etc/shadow");
	assert_string_equal(vm->cmdline, "a,b c");
	assert_string_equal(vm->disks[0].path, "/pool,1/d,1.qcow2");
	assert_string_equal(vm->disks[1].path, "/x,readonly=on");
	assert_string_equal(vm->disks[1].name, "/x,readonly=on");
	assert_string_equal(vm->disks[2].path, "/space \"quote\" \xc3\xa9 %s");
	assert_string_equal(vm->cdroms[0].path, "/c,1.iso");
	assert_string_equal(vm->cdroms[1].path, "/c,2.iso");
	lab_free(lab);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_compact),
		cmocka_unit_test(test_pretty),
		cmocka_unit_test(test_faults),
		cmocka_unit_test(test_paths),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
