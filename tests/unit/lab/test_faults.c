/* SPDX-License-Identifier: MIT */
/* What is wrong by itself: keys, types, values, names, references. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/cleanup.h"
#include "tests/unit/lab/parse.h"

static void test_keys(void **state)
{
	static const struct fault_row rows[] = {
		{"vms:\n"
		 "  a:\n"
		 "    memry: 1G\n",
		 "3:5: unknown key 'memry' in vms; did you mean 'memory'?\n"},
		{"networks: {n: {bridge: b, address: 10.0.0.1/24, adress: x}}\n",
		 "1:49: unknown key 'adress' in networks; did you mean 'address'?\n"},
		{"vms: {a: {disks: [{path: /d, format: raw, bux: sata}]}}\n",
		 "1:43: unknown key 'bux' in disks; did you mean 'bus'?\n"},
		{"vms: {a: {wallpaper: blue}}\n",
		 "1:11: unknown key 'wallpaper' in vms (hv.yaml(5) lists them)\n"},
		{"profiles: {p: {cpu_count: 1}}\n",
		 "1:16: unknown key 'cpu_count' in vms (hv.yaml(5) lists them)\n"},
		{"vm: {}\n",
		 "1:1: unknown key 'vm'; there are networks, pools, images, profiles and vms\n"},
		{"profiles: {p: {uuid: 4c82c973-7299-468e-bf15-d442ee681475, profile: p}}\n",
		 "1:16: 'uuid' cannot stand in a profile\n"
		 "1:60: 'profile' cannot stand in a profile\n"},
		{"networks:\n  n: {nat: true}\n", "2:6: 'address' is missing (address/prefix)\n"
						  "2:6: 'bridge' is missing (interface name)\n"},
		{"pools: {p: {}}\n", "1:12: 'path' is missing (absolute path)\n"},
		{"vms: {a: {nics: [{}], cdroms: [{}]}}\n",
		 "1:18: 'network' is missing (name of a network)\n"
		 "1:32: 'path' is missing (absolute path)\n"},
		{"vms:\n  a: {cpus: 1,\n      cpus: 2}\n",
		 "3:7: key 'cpus' is there twice; the first is in line 2\n"},
		{"vms:\n  a: {}\n  b: {}\n  a: {}\n",
		 "4:3: key 'a' is there twice; the first is in line 2\n"},
		{"vms: {}\npools: {}\nvms: {}\n",
		 "3:1: key 'vms' is there twice; the first is in line 1\n"},
	};

	(void)state;
	assert_fault_rows(rows, ARRAY_SIZE(rows));
}

static void test_types(void **state)
{
	static const struct fault_row rows[] = {
		{"- a\n",
		 "1:1: the configuration is a map of networks, pools, images, profiles and "
		 "vms, not a list\n"},
		{"text\n",
		 "1:1: the configuration is a map of networks, pools, images, profiles and "
		 "vms, not text\n"},
		{"vms: [a]\n", "1:6: vms: has to be a map of names, not a list\n"},
		{"vms: a\n", "1:6: vms: has to be a map of names, not text\n"},
		{"vms:\n  a: []\n", "2:6: an entry of vms has to be a map of keys, not a list\n"},
		{"vms: {a: {disks: {}}}\n", "1:18: disks: has to be a list, not a map\n"},
		{"vms: {a: {nics: x}}\n", "1:17: nics: has to be a list, not text\n"},
		{"vms: {a: {disks: [x]}}\n",
		 "1:19: an entry of disks has to be a map of keys, not text\n"},
		{"vms: {a: {memory: [1G]}}\n", "1:19: memory: has to be size, not a list\n"},
		{"vms: {a: {cpu: {}}}\n", "1:16: cpu: has to be word, not a map\n"},
		{"vms: {a: {cpu: }}\n", "1:16: cpu: has no value; it has to be word\n"},
		{"vms: {a: {cpu: NULL}}\n", "1:16: cpu: has no value; it has to be word\n"},
		{"vms: {a: {cmdline: ~}}\n", "1:20: cmdline: has no value; it has to be text\n"},
		{"vms: {a: {tpm: yes}}\n", "1:16: tpm: 'yes' is not true or false\n"},
		{"vms: {a: {tpm: \"true\"}}\n",
		 "1:16: tpm: 'true' is not true or false (without quotes)\n"},
		{"vms: {a: {cpus: 2.5}}\n", "1:17: cpus: '2.5' is not a number from 1 to 255\n"},
		{"vms: {a: {cpus: 0}}\n", "1:17: cpus: '0' is not a number from 1 to 255\n"},
		{"vms: {a: {cpus: 256}}\n", "1:17: cpus: '256' is not a number from 1 to 255\n"},
		{"vms: {a: {cpus: !!int 2}}\n",
		 "1:17: a tag (! or !!) has no meaning here; leave it out\n"},
		{"vms: {a: {[b]: 1}}\n", "1:11: a key has to be text\n"},
	};

	(void)state;
	assert_fault_rows(rows, ARRAY_SIZE(rows));
}

#define NET(rest) "networks: {n: {" rest "}}\n"
#define VM(rest) "vms: {a: {" rest "}}\n"

static void test_values(void **state)
{
	static const struct fault_row rows[] = {
		{VM("memory: 60X"), "1:19: memory: '60X' is not a size: bytes, or a number with "
				    "K, M, G or T, as in 60G\n"},
		{VM("memory: 1.5G"), "1:19: memory: '1.5G' is not a size: bytes, or a number "
				     "with K, M, G or T, as in 60G\n"},
		{VM("memory: 15M"), "1:19: memory: '15M' is not between 16 MiB and 16 TiB\n"},
		{VM("disks: [{path: /d, size: 60X}]"),
		 "1:36: size: '60X' is not a size: bytes, or a number with K, M, G or T, as in "
		 "60G\n"},
		{VM("disks: [{path: /d, size: 65T}]"),
		 "1:36: size: '65T' is not between 1 MiB and 64 TiB\n"},
		{VM("firmware: efi"),
		 "1:21: firmware: 'efi' is none of: uefi, secure-boot, bios, none\n"},
		{VM("cpu: \"host,+vmx\""), "1:16: 'host,+vmx' is not a word for cpu: letters, "
					   "digits and _ . + - only\n"},
		{VM("kernel: vmlinuz"), "1:19: kernel: 'vmlinuz' is not an absolute path\n"},
		{VM("kernel: /k, initrd: \"/a\\nb\""),
		 "1:31: initrd: '/a\\x0ab' is not an absolute path\n"},
		{VM("uuid: 4c82c973"), "1:17: uuid: '4c82c973' is not a UUID, as in "
				       "4c82c973-7299-468e-bf15-d442ee681475 (uuidgen makes "
				       "one)\n"},
		{VM("uuid: 00000000-0000-0000-0000-000000000000"),
		 "1:17: uuid: '00000000-0000-0000-0000-000000000000' is not a UUID, as in "
		 "4c82c973-7299-468e-bf15-d442ee681475 (uuidgen makes one)\n"},
		{NET("bridge: sixteen-bytes-xy, address: 10.0.0.1/24"),
		 "1:24: bridge: 'sixteen-bytes-xy' has 16 bytes; an interface name has at most "
		 "15\n"},
		{NET("bridge: a/b, address: 10.0.0.1/24"),
		 "1:24: bridge: 'a/b' is not an interface name: letters, digits and _ . - "
		 "only\n"},
		{NET("bridge: .., address: 10.0.0.1/24"),
		 "1:24: bridge: '..' is not an interface name: letters, digits and _ . - only\n"},
		{NET("bridge: b, address: 10.0.0.1"),
		 "1:36: address: '10.0.0.1' is not an address with a prefix of 8 to 30, as in "
		 "192.168.56.1/24\n"},
		{NET("bridge: b, address: 10.0.0.1/31"),
		 "1:36: address: '10.0.0.1/31' is not an address with a prefix of 8 to 30, as in "
		 "192.168.56.1/24\n"},
		{NET("bridge: b, address: 10.0.0.0/24"),
		 "1:36: address: '10.0.0.0/24' is the network address of its subnet; give the "
		 "host's own\n"},
		{NET("bridge: b, address: 10.0.0.255/24"),
		 "1:36: address: '10.0.0.255/24' is the broadcast address of its subnet; give "
		 "the host's own\n"},
		{NET("bridge: b, address: 10.0.0.1/24, dhcp: 10.0.0.2"),
		 "1:55: dhcp: '10.0.0.2' is not a range of addresses, as in "
		 "192.168.56.100-192.168.56.200\n"},
		{NET("bridge: b, address: 10.0.0.1/24, mtu: 500"),
		 "1:54: mtu: '500' is not a number from 576 to 65535\n"},
		{NET("bridge: b, address: 10.0.0.1/24, domain: lab..test"),
		 "1:57: domain: 'lab..test' is not a domain name, as in lab.test\n"},
		{NET("bridge: b, address: 10.0.0.1/24, domain: \"a\\nb\""),
		 "1:57: domain: 'a\\x0ab' is not a domain name, as in lab.test\n"},
	};

	(void)state;
	assert_fault_rows(rows, ARRAY_SIZE(rows));
}

#define N "networks: {n: {bridge: b, address: 10.0.0.1/24}}\n"

static void test_references(void **state)
{
	static const struct fault_row rows[] = {
		{N VM("nics: [{network: m}]"), "2:28: there is no network 'm'; there is: n\n"},
		{VM("nics: [{network: m}]"), "1:28: there is no network 'm'; there are: none\n"},
		{N VM("nics: [{network: n, mac: 52:54:00:12:34}]"),
		 "2:36: mac: '52:54:00:12:34' is not a MAC, as in 52:54:00:12:34:56\n"},
		{N VM("nics: [{network: n, mac: 53:54:00:12:34:56}]"),
		 "2:36: mac: '53:54:00:12:34:56' is a multicast address; the first byte has to "
		 "be even\n"},
		{N VM("nics: [{network: n, address: 10.0.0}]"),
		 "2:40: address: '10.0.0' is not an IPv4 address\n"},
		{"pools: {p: {path: /p}, q: {path: /q}}\n" VM("disks: [{volume: r/f}]"),
		 "2:28: there is no pool 'r'; there are: p, q\n"},
		{VM("disks: [{volume: p/..}]"),
		 "1:28: volume: 'p/..' is not POOL/FILE, as in homelab/dc01.qcow2\n"},
		{VM("disks: [{volume: p/a/b}]"),
		 "1:28: volume: 'p/a/b' is not POOL/FILE, as in homelab/dc01.qcow2\n"},
		{VM("disks: [{size: 1G}]"),
		 "1:19: a disk needs volume: POOL/FILE or path: /FILE\n"},
		{"pools: {p: {path: /p}}\n" VM("disks: [{volume: p/f, path: /f}]"),
		 "2:19: a disk has volume: or path:, not both\n"},
		{VM("profile: p"), "1:20: there is no profile 'p'; there are: none\n"},
		{"profiles: {p: {}}\n" VM("profile: windows"),
		 "2:20: there is no profile 'windows'; there is: p\n"},
	};

	(void)state;
	assert_fault_rows(rows, ARRAY_SIZE(rows));
}

#define NO_NAME " is not a name: 1 to 63 letters, digits and _ . -, the first a letter or digit\n"

static void test_names(void **state)
{
	static const struct fault_row rows[] = {
		{"vms: {a/b: {}}\n", "1:7: 'a/b'" NO_NAME},
		{"vms: {..: {}}\n", "1:7: '..'" NO_NAME},
		{"vms:\n  ? ../../etc\n  : {}\n", "2:5: '../../etc'" NO_NAME},
		{"vms: {\"a\\nb\": {}}\n", "1:7: 'a\\x0ab'" NO_NAME},
		{"vms: {\"\": {}}\n", "1:7: ''" NO_NAME},
		{"vms: {\"a\\e[2Jb\": {}}\n", "1:7: 'a\\x1b[2Jb'" NO_NAME},
		{"vms: {b\xc3\xa9: {}}\n", "1:7: 'b\xc3\xa9'" NO_NAME},
		{"networks: {n m: {bridge: b, address: 10.0.0.1/24}}\n", "1:12: 'n m'" NO_NAME},
		{"pools: {\"p,q\": {path: /p}}\n", "1:9: 'p,q'" NO_NAME},
		{"profiles: {-p: {}}\n", "1:12: '-p'" NO_NAME},
	};

	(void)state;
	assert_fault_rows(rows, ARRAY_SIZE(rows));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_keys),   cmocka_unit_test(test_types),
		cmocka_unit_test(test_values), cmocka_unit_test(test_references),
		cmocka_unit_test(test_names),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
