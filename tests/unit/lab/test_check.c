/* SPDX-License-Identifier: MIT */
/* What is only wrong when things are seen together, and all faults at once. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/cleanup.h"
#include "tests/unit/lab/parse.h"

#define N                                                                              \
	"networks: {n: {bridge: b, address: 10.0.0.1/24, dhcp: 10.0.0.100-10.0.0.200}" \
	", m: {bridge: c, address: 10.0.1.1/24}}\n"
#define P "pools: {p: {path: /p}, q: {path: /p}}\n"

static void test_networks(void **state)
{
	static const struct fault_row rows[] = {
		{"networks:\n"
		 "  a: {bridge: br0, address: 10.0.0.1/24}\n"
		 "  b: {bridge: br0, address: 10.0.1.1/24}\n",
		 "3:3: network 'b': bridge 'br0' is that of network 'a' too\n"},
		{"networks:\n"
		 "  a: {bridge: br0, address: 10.1.2.3/8}\n"
		 "  b: {bridge: br1, address: 10.0.1.1/24}\n",
		 "3:3: network 'b': its subnet overlaps that of network 'a'\n"},
		{"networks:\n"
		 "  a: {bridge: br0, address: 10.0.0.129/25}\n"
		 "  b: {bridge: br1, address: 10.0.0.1/25}\n"
		 "  c: {bridge: br2, address: 10.0.0.1/24}\n",
		 "4:3: network 'c': its subnet overlaps that of network 'a'\n"
		 "4:3: network 'c': its subnet overlaps that of network 'b'\n"},
	};

	(void)state;
	assert_fault_rows(rows, ARRAY_SIZE(rows));
}

#define DHCP(range) "networks: {n: {bridge: b, address: 10.0.0.1/24, dhcp: " range "}}\n"

static void test_dhcp(void **state)
{
	static const struct fault_row rows[] = {
		{DHCP("10.0.0.2-10.0.0.254"), ""},
		{DHCP("10.0.0.2-10.0.0.2"), ""},
		{DHCP("10.0.0.100-10.0.1.5"), "1:12: network 'n': dhcp: 10.0.0.100-10.0.1.5 is "
					      "not inside of the subnet of 10.0.0.1/24\n"},
		{DHCP("10.0.2.1-10.0.2.9"), "1:12: network 'n': dhcp: 10.0.2.1-10.0.2.9 is not "
					    "inside of the subnet of 10.0.0.1/24\n"},
		{DHCP("10.0.0.2-10.0.0.255"), "1:12: network 'n': dhcp: 10.0.0.2-10.0.0.255 is "
					      "not inside of the subnet of 10.0.0.1/24\n"},
		{DHCP("10.0.0.200-10.0.0.100"),
		 "1:12: network 'n': dhcp: 10.0.0.200-10.0.0.100 is the wrong way round\n"},
		{DHCP("10.0.0.1-10.0.0.100"),
		 "1:12: network 'n': dhcp: 10.0.0.1-10.0.0.100 holds the host's own address "
		 "10.0.0.1\n"},
	};

	(void)state;
	assert_fault_rows(rows, ARRAY_SIZE(rows));
}

static void test_addresses(void **state)
{
	static const struct fault_row rows[] = {
		{N "vms: {a: {nics: [{network: n, address: 10.0.0.9}]}}\n", ""},
		{N "vms: {a: {nics: [{network: n, address: 10.0.1.9}]}}\n",
		 "2:18: vm 'a': address 10.0.1.9 is not a host's in the subnet 10.0.0.1/24 of "
		 "network 'n'\n"},
		{N "vms: {a: {nics: [{network: n, address: 10.0.0.255}]}}\n",
		 "2:18: vm 'a': address 10.0.0.255 is not a host's in the subnet 10.0.0.1/24 of "
		 "network 'n'\n"},
		{N "vms: {a: {nics: [{network: n, address: 10.0.0.1}]}}\n",
		 "2:18: vm 'a': address 10.0.0.1 is the host's own on network 'n'\n"},
		{N "vms: {a: {nics: [{network: m, address: 10.0.1.9}]}}\n",
		 "2:18: vm 'a': address 10.0.1.9, but network 'm' has no dhcp: to give it "
		 "out\n"},
	};

	(void)state;
	assert_fault_rows(rows, ARRAY_SIZE(rows));
}

static void test_twice(void **state)
{
	static const struct fault_row rows[] = {
		{N "vms:\n"
		   "  a: {nics: [{network: n, mac: 52:54:00:00:00:01}]}\n"
		   "  b: {nics: [{network: m, mac: 52:54:00:00:00:01}]}\n",
		 "4:14: vm 'b': MAC 52:54:00:00:00:01 is that of a NIC of vm 'a' too\n"},
		{N "vms: {a: {nics: [{network: n, mac: 52:54:00:00:00:0a},\n"
		   " {network: n, mac: 52:54:00:00:00:0A}]}}\n",
		 "3:2: vm 'a': MAC 52:54:00:00:00:0a is that of a NIC of vm 'a' too\n"},
		{N "vms:\n"
		   "  a: {nics: [{network: n, address: 10.0.0.9}]}\n"
		   "  b: {nics: [{network: n, address: 10.0.0.9}]}\n",
		 "4:14: vm 'b': address 10.0.0.9 is that of a NIC of vm 'a' too\n"},
		{"vms:\n"
		 "  a: {uuid: 4c82c973-7299-468e-bf15-d442ee681475}\n"
		 "  b: {uuid: 4C82C973-7299-468E-BF15-D442EE681475}\n",
		 "3:3: vm 'b': uuid 4c82c973-7299-468e-bf15-d442ee681475 is that of vm 'a' "
		 "too\n"},
		{P "vms:\n"
		   "  a: {disks: [{volume: p/d}]}\n"
		   "  b: {disks: [{volume: p/d}]}\n",
		 "4:15: vm 'b': disk 'p/d' is a disk of vm 'a' too\n"},
		/* By way of another pool, and by path. */
		{P "vms:\n"
		   "  a: {disks: [{volume: p/d}, {volume: q/d}]}\n"
		   "  b: {disks: [{path: /p/d}]}\n",
		 "3:30: vm 'a': disk 'q/d' is a disk of vm 'a' too\n"
		 "4:15: vm 'b': disk '/p/d' is a disk of vm 'a' too\n"},
		/* To read it is what many may. */
		{P "vms:\n"
		   "  a: {disks: [{volume: p/d, read_only: true}]}\n"
		   "  b: {disks: [{volume: p/d, read_only: true}]}\n",
		 ""},
		{P "vms:\n"
		   "  a: {disks: [{volume: p/d, read_only: true}]}\n"
		   "  b: {disks: [{volume: p/d}]}\n",
		 "4:15: vm 'b': disk 'p/d' is a disk of vm 'a' too\n"},
		{"vms:\n  dc01: {}\n  DC01: {}\n",
		 "3:3: vm 'DC01': its name differs from 'dc01' in case only; host names do "
		 "not\n"},
	};

	(void)state;
	assert_fault_rows(rows, ARRAY_SIZE(rows));
}

static void test_machine(void **state)
{
	static const struct fault_row rows[] = {
		{"vms: {a: {firmware: none}}\n", "1:7: vm 'a': firmware: none needs kernel:\n"},
		{"vms: {a: {initrd: /i}}\n", "1:7: vm 'a': initrd: without kernel:\n"},
		{"vms: {a: {cmdline: quiet}}\n", "1:7: vm 'a': cmdline: without kernel:\n"},
		{"vms: {a: {machine: pc}}\n",
		 "1:7: vm 'a': machine: 'pc' is not q35 or a version of it (pc-q35-\xe2\x80\xa6)"
		 "\n"},
		{"vms: {a: {machine: pc-q35-7.2}}\n", ""},
		{"vms: {a: {memory: 33554433}}\n",
		 "1:7: vm 'a': memory: is not a multiple of 1M\n"},
		{"vms: {a: {disks: [{path: /d, bus: sata, read_only: true}]}}\n",
		 "1:19: a disk on SATA cannot be read_only; take bus: virtio or scsi\n"},
		{"vms: {a: {disks: [{path: /d, bus: sata}], cdroms: [/1, /2, /3, /4, /5]}}\n", ""},
		{"vms: {a: {disks: [{path: /d, bus: sata}], cdroms: [/1, /2, /3, /4, /5, /6]}}\n",
		 "1:7: vm 'a': 7 disks and CDs on SATA; the machine has 6 ports\n"},
	};

	(void)state;
	assert_fault_rows(rows, ARRAY_SIZE(rows));
}

#define CPUS_RANGE " is not a number from 0.01 to 1024 with at most three decimals, as in 1.5\n"

static void test_limits(void **state)
{
	static const struct fault_row rows[] = {
		{"vms: {a: {limits: {cpus: 0.01, memory_max: 1152M, io: 64K, pids: 81}}}\n", ""},
		{"vms: {a: {limits: {cpus: 1024.000}}}\n", ""},
		{"vms: {a: {limits: {cpus: 0.009}}}\n", "1:26: cpus: '0.009'" CPUS_RANGE},
		{"vms: {a: {limits: {cpus: 1.5555}}}\n", "1:26: cpus: '1.5555'" CPUS_RANGE},
		{"vms: {a: {limits: {cpus: 1.}}}\n", "1:26: cpus: '1.'" CPUS_RANGE},
		{"vms: {a: {limits: {cpus: .5}}}\n", "1:26: cpus: '.5'" CPUS_RANGE},
		{"vms: {a: {limits: {cpus: 1024.001}}}\n", "1:26: cpus: '1024.001'" CPUS_RANGE},
		{"vms: {a: {limits: {cpus: '1'}}}\n", "1:26: cpus: '1'" CPUS_RANGE},
		{"vms: {a: {limits: {cpus: 00000000000000001}}}\n",
		 "1:26: cpus: '00000000000000001'" CPUS_RANGE},
		{"vms: {a: {limits: {memory_max: 1151M}}}\n",
		 "1:32: vm 'a': memory_max: 1.1 GiB is too little for a guest with 1 GiB; it has "
		 "to be at least 1152M, with 128M for QEMU itself\n"},
		/* Said where the limit stands, also if the memory is another's. */
		{"profiles:\n  p: {limits: {memory_max: 2G}}\n"
		 "vms:\n  a: {profile: p, memory: 2G}\n",
		 "2:28: vm 'a': memory_max: 2 GiB is too little for a guest with 2 GiB; it has to "
		 "be at least 2176M, with 128M for QEMU itself\n"},
		{"vms: {a: {cpus: 4, limits: {pids: 83}}}\n",
		 "1:35: vm 'a': pids: 83 is too little for QEMU's threads; with 4 CPUs it has to "
		 "be at least 84\n"},
		{"vms: {a: {limits: {pids: 15}}}\n",
		 "1:26: pids: '15' is not a number from 16 to 4194304\n"},
		{"vms: {a: {limits: {io: 1K}}}\n",
		 "1:24: io: '1K' is not between 64 KiB and 1 TiB\n"},
		{"vms: {a: {limits: 5}}\n",
		 "1:19: limits: has to be a map, as in {cpus: 1.5, pids: 200}, not text\n"},
		{"vms: {a: {limits: {mem: 1G, cpu: 1}}}\n",
		 "1:20: unknown key 'mem' in limits (hv.yaml(5) lists them)\n"
		 "1:29: unknown key 'cpu' in limits; did you mean 'cpus'?\n"},
		{"vms: {a: {restart: always, jail: yes}}\n",
		 "1:20: restart: 'always' is none of: no, on-failure\n"
		 "1:34: jail: 'yes' is none of: auto, require\n"},
		{"vms: {a: {template-state: s, spares: 65}}\n",
		 "1:38: spares: '65' is not a number from 0 to 64\n"},
		{"profiles:\n  p: {spares: 1}\nvms:\n  a: {profile: p}\n",
		 "4:3: vm 'a': spares: a machine that boots has none; say by template-state: what "
		 "it begins with\n"},
	};

	(void)state;
	assert_fault_rows(rows, ARRAY_SIZE(rows));
}

/* Nothing hides anything else: what cannot be read, what dangles and what only
 * shows together are told in one go, in the order of the file. */
static void test_all_at_once(void **state)
{
	static const struct fault_row row = {
		"networks:\n"
		"  n: {bridge: sixteen-bytes-xy, address: 10.0.0.1/24, dhcp: 10.0.9.1-10.0.9.2}\n"
		"  m: {bridge: b, address: 10.0.0.2/16}\n"
		"profiles:\n"
		"  p: {memory: 60X, tpm: maybe}\n"
		"vms:\n"
		"  a/b: {cpus: 0}\n"
		"  c: {profile: p, uuid: 4c82c973-7299-468e-bf15-d442ee681475,"
		" nics: [{network: x}]}\n"
		"  d: {uuid: 4c82c973-7299-468e-bf15-d442ee681475, colour: red}\n",
		"2:3: network 'n': dhcp: 10.0.9.1-10.0.9.2 is not inside of the subnet of "
		"10.0.0.1/24\n"
		"2:15: bridge: 'sixteen-bytes-xy' has 16 bytes; an interface name has at most "
		"15\n"
		"3:3: network 'm': its subnet overlaps that of network 'n'\n"
		"5:15: memory: '60X' is not a size: bytes, or a number with K, M, G or T, as in "
		"60G\n"
		"5:25: tpm: 'maybe' is not true or false\n"
		"7:3: 'a/b' is not a name: 1 to 63 letters, digits and _ . -, the first a letter "
		"or digit\n"
		"7:15: cpus: '0' is not a number from 1 to 255\n"
		"8:80: there is no network 'x'; there are: n, m\n"
		"9:3: vm 'd': uuid 4c82c973-7299-468e-bf15-d442ee681475 is that of vm 'c' too\n"
		"9:51: unknown key 'colour' in vms (hv.yaml(5) lists them)\n",
	};

	(void)state;
	assert_fault_rows(&row, 1);
}

static void test_summary(void **state)
{
	static const struct {
		const char *text, *summary;
	} rows[] = {
		{"vms: {a: {x_y_z_w: 1}}\n", "1 fault in the configuration"},
		{"vms: {a: {cpus: 0, tpm: 1}}\n", "2 faults in the configuration"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct lab_config *c = lab_config_new();
		struct lab_faults faults = {0};
		struct error err = ERROR_INIT;
		struct lab *lab = NULL;

		assert_int_equal(lab_config_add(c, "f", rows[i].text, strlen(rows[i].text), &err),
				 0);
		assert_int_equal(lab_config_resolve(c, &lab, &faults, &err), -EINVAL);
		assert_string_equal(err.text, rows[i].summary);
		lab_faults_free(&faults);
		lab_config_free(c);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_networks),  cmocka_unit_test(test_dhcp),
		cmocka_unit_test(test_addresses), cmocka_unit_test(test_twice),
		cmocka_unit_test(test_machine),   cmocka_unit_test(test_all_at_once),
		cmocka_unit_test(test_summary),   cmocka_unit_test(test_limits),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
