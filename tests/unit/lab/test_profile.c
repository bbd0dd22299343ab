/* SPDX-License-Identifier: MIT */
/* Table defaults, then the profile, then the VM's own keys. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/cleanup.h"
#include "tests/unit/lab/parse.h"

static void test_inheritance(void **state)
{
	struct lab *lab =
		parse_lab("profiles:\n"
			  "  p: {memory: 2G, cpus: 2, tpm: true, agent: false, cpu: max}\n"
			  "  q: {memory: 3G}\n"
			  "vms:\n"
			  "  plain: {}\n"
			  "  same: {profile: p}\n"
			  "  own: {cpus: 4, tpm: false, profile: p, cpu: host}\n"
			  "  other: {profile: q}\n");
	const struct spec_vm *vm = lab->vms;

	(void)state;
	assert_int_equal(lab->n_vms, 4);
	assert_null(vm[0].profile);
	assert_int_equal(vm[0].memory_bytes, 1ULL << 30);
	assert_int_equal(vm[0].cpus, 1);
	assert_true(vm[0].agent && !vm[0].tpm && !vm[0].cpu);

	assert_string_equal(vm[1].profile, "p");
	assert_int_equal(vm[1].memory_bytes, 2ULL << 30);
	assert_int_equal(vm[1].cpus, 2);
	assert_true(vm[1].tpm && !vm[1].agent);
	assert_string_equal(vm[1].cpu, "max");

	/* The VM's own win, wherever profile: stands; the rest is the profile's. */
	assert_int_equal(vm[2].memory_bytes, 2ULL << 30);
	assert_int_equal(vm[2].cpus, 4);
	assert_true(!vm[2].tpm && !vm[2].agent);
	assert_string_equal(vm[2].cpu, "host");

	assert_int_equal(vm[3].memory_bytes, 3ULL << 30);
	assert_int_equal(vm[3].cpus, 1);
	lab_free(lab);
}

static void test_lists_are_replaced(void **state)
{
	struct lab *lab =
		parse_lab("networks: {n: {bridge: b, address: 10.0.0.1/24},"
			  " m: {bridge: c, address: 10.0.1.1/24}}\n"
			  "profiles:\n"
			  "  p: {cdroms: [/1.iso, /2.iso], nics: [{network: n}, {network: m}],\n"
			  "      disks: [{path: /d, bus: sata, read_only: false}]}\n"
			  "vms:\n"
			  "  a: {profile: p, cdroms: [/3.iso], disks: [{path: /e}]}\n"
			  "  b: {profile: p, cdroms: [], nics: [{network: m}]}\n");
	const struct spec_vm *a = &lab->vms[0], *b = &lab->vms[1];

	(void)state;
	assert_int_equal(a->n_cdroms, 1);
	assert_string_equal(a->cdroms[0].path, "/3.iso");
	assert_int_equal(a->n_nics, 2);
	assert_string_equal(a->nics[1].network->name, "m");
	assert_int_equal(a->n_disks, 1);
	assert_string_equal(a->disks[0].path, "/e");
	/* Nothing of the profile's entry shines through. */
	assert_int_equal(a->disks[0].bus, SPEC_BUS_VIRTIO);

	assert_int_equal(b->n_cdroms, 0);
	assert_int_equal(b->n_nics, 1);
	assert_string_equal(b->nics[0].network->name, "m");
	assert_int_equal(b->n_disks, 1);
	assert_string_equal(b->disks[0].path, "/d");
	/* A profile's NICs get MACs of their own in each VM. */
	assert_memory_not_equal(a->nics[0].mac, b->nics[0].mac, 6);
	lab_free(lab);
}

/* limits: is one thing: none of the profile's shines through. */
static void test_limits_are_replaced(void **state)
{
	struct lab *lab =
		parse_lab("profiles:\n"
			  "  p: {restart: on-failure, jail: require,\n"
			  "      limits: {cpus: 1.5, memory_max: 2G, io: 10M, pids: 200}}\n"
			  "vms:\n"
			  "  a: {profile: p}\n"
			  "  b: {profile: p, restart: no, limits: {cpus: 0.25}}\n"
			  "  c: {limits: {}, profile: p, jail: auto}\n");
	const struct spec_vm *vm = lab->vms;

	(void)state;
	assert_int_equal(vm[0].restart, SPEC_RESTART_ON_FAILURE);
	assert_int_equal(vm[0].jail, SPEC_JAIL_REQUIRE);
	assert_int_equal(vm[0].limits.cpus_milli, 1500);
	assert_int_equal(vm[0].limits.memory_max_bytes, 2ULL << 30);
	assert_int_equal(vm[0].limits.io_bytes, 10 << 20);
	assert_int_equal(vm[0].limits.pids, 200);

	assert_int_equal(vm[1].restart, SPEC_RESTART_NO);
	assert_int_equal(vm[1].limits.cpus_milli, 250);
	assert_true(!vm[1].limits.memory_max_bytes && !vm[1].limits.io_bytes && !vm[1].limits.pids);

	assert_int_equal(vm[2].jail, SPEC_JAIL_AUTO);
	assert_int_equal(vm[2].restart, SPEC_RESTART_ON_FAILURE);
	assert_true(!vm[2].limits.cpus_milli && !vm[2].limits.pids);
	lab_free(lab);
}

/* tablet: is true where there is a display, unless VM or profile say other. */
static void test_tablet(void **state)
{
	static const struct {
		const char *profile, *vm;
		bool tablet;
	} rows[] = {
		{"", "", false},
		{"", "display: vga", true},
		{"display: virtio", "", true},
		{"display: vga", "display: none", false},
		{"display: vga, tablet: false", "", false},
		{"tablet: false", "display: vga", false},
		{"tablet: true", "", true},
		{"tablet: false", "display: vga, tablet: true", true},
		{"display: vga, tablet: true", "tablet: false", false},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		cleanup_free char *text =
			str_printf("profiles: {p: {%s}}\nvms: {a: {profile: p%s%s}}\n",
				   rows[i].profile, *rows[i].vm ? ", " : "", rows[i].vm);
		struct lab *lab = parse_lab(text);

		if (lab->vms[0].tablet != rows[i].tablet)
			fail_msg("%s", text);
		lab_free(lab);
	}
}

/* One level: a profile takes none. And its faults are told once, where they
 * are, however many take it, and also if nobody does. */
static void test_faults(void **state)
{
	static const struct fault_row rows[] = {
		{"profiles: {p: {profile: q}, q: {}}\nvms: {a: {profile: p}}\n",
		 "1:16: 'profile' cannot stand in a profile\n"},
		{"profiles:\n  p: {cpus: 0}\nvms: {a: {profile: p}, b: {profile: p}}\n",
		 "2:13: cpus: '0' is not a number from 1 to 255\n"},
		{"profiles:\n  p: {cpus: 0}\n", "2:13: cpus: '0' is not a number from 1 to 255\n"},
		{"profiles: {p: [a]}\n",
		 "1:15: an entry of vms has to be a map of keys, not a list\n"},
		/* A disk of the profile, in two VMs: said where it stands. */
		{"profiles:\n  p: {disks: [{path: /d}]}\nvms: {a: {profile: p}, b: {profile: p}}\n",
		 "2:15: vm 'b': disk '/d' is a disk of vm 'a' too\n"},
	};

	(void)state;
	assert_fault_rows(rows, ARRAY_SIZE(rows));
}

/* YAML's own means of saying things once. */
static void test_anchor(void **state)
{
	struct lab *lab = parse_lab("networks: {n: {bridge: b, address: 10.0.0.1/24}}\n"
				    "vms:\n"
				    "  a: {nics: &nics [{network: n, model: e1000}]}\n"
				    "  b: {nics: *nics}\n");

	(void)state;
	assert_int_equal(lab->vms[1].n_nics, 1);
	assert_int_equal(lab->vms[1].nics[0].model, SPEC_NIC_E1000);
	lab_free(lab);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_inheritance), cmocka_unit_test(test_lists_are_replaced),
		cmocka_unit_test(test_tablet),      cmocka_unit_test(test_faults),
		cmocka_unit_test(test_anchor),      cmocka_unit_test(test_limits_are_replaced),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
