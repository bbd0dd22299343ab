/* SPDX-License-Identifier: MIT */
/* The steps of lab/plan.h, as `hv plan` shows them, in the order they run in. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/cleanup.h"
#include "lab/plan.h"
#include "tests/unit/lab/parse.h"

static const char config[] =
	"networks:\n"
	"  lab-net: {bridge: virbr56, address: 192.168.56.1/24, nat: true,\n"
	"            dhcp: 192.168.56.100-192.168.56.200, domain: lab.test}\n"
	"  plain: {bridge: br0, address: 10.0.0.1/8, nat: true, dhcp: 10.0.0.2-10.0.0.9}\n"
	"  alone: {bridge: br1, address: 172.16.0.1/30}\n"
	"pools: {p: {path: /p}}\n"
	"vms:\n"
	"  dc01:\n"
	"    firmware: secure-boot\n"
	"    tpm: true\n"
	"    cpus: 2\n"
	"    memory: 2G\n"
	"    disks: [{volume: p/dc01.qcow2, size: 60G}, {path: /data.raw, format: raw, size: 1T}]\n"
	"    cdroms: [/iso/a.iso]\n"
	"    nics: [{network: lab-net}, {network: alone}]\n"
	"  direct: {firmware: none, kernel: /k, memory: 512M}\n"
	"  extras: {firmware: none, kernel: /k, memory: 512M, vsock: 4711, display: vga,\n"
	"           credentials: {a: {text: secret}, b.c: {file: /etc/secret}}, oem-strings: [secret],\n"
	"           vnc: {listen: \"[::1]:5901\", password-credential: {text: secret}}}\n"
	"  bios: {firmware: bios, disks: [{path: /d}], nics: [{network: plain}]}\n";

static int setup(void **state)
{
	*state = parse_lab(config);
	return 0;
}

static int teardown(void **state)
{
	lab_free(*state);
	return 0;
}

/* A line for each step: kind, index where it counts, object, detail. */
static void assert_plan(struct plan *plan, const char *golden)
{
	cleanup_strbuf struct strbuf text = {0};

	for (size_t i = 0; i < plan->n; i++)
		strbuf_addf(&text, "%s[%u] %s: %s\n", plan_kind_name(plan->steps[i].kind),
			    plan->steps[i].index, plan->steps[i].object, plan->steps[i].detail);
	assert_string_equal(text.data ? text.data : "", golden);
	plan_free(plan);
	assert_int_equal(plan->n, 0);
	assert_null(plan->steps);
}

static void test_network(void **state)
{
	static const struct {
		const char *name, *golden;
	} rows[] = {
		{"lab-net",
		 "create-bridge[0] network 'lab-net': bridge virbr56 with 192.168.56.1/24\n"
		 "set-forwarding[0] network 'lab-net': IPv4 forwarding on virbr56 and the "
		 "uplinks\n"
		 "apply-rules[0] network 'lab-net': nftables table inet hv_lab-net: NAT, nothing "
		 "in from outside\n"
		 "start-dnsmasq[0] network 'lab-net': dnsmasq: DHCP 192.168.56.100 to "
		 "192.168.56.200, domain lab.test\n"},
		{"plain",
		 "create-bridge[0] network 'plain': bridge br0 with 10.0.0.1/8\n"
		 "set-forwarding[0] network 'plain': IPv4 forwarding on br0 and the uplinks\n"
		 "apply-rules[0] network 'plain': nftables table inet hv_plain: NAT, nothing in "
		 "from outside\n"
		 "start-dnsmasq[0] network 'plain': dnsmasq: DHCP 10.0.0.2 to 10.0.0.9\n"},
		/* Neither NAT nor DHCP: no forwarding is touched, no dnsmasq runs. */
		{"alone", "create-bridge[0] network 'alone': bridge br1 with 172.16.0.1/30\n"
			  "apply-rules[0] network 'alone': nftables table inet hv_alone: nothing "
			  "in or out\n"},
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct plan plan = {0};

		assert_int_equal(
			plan_add_network(&plan, lab_find_network(*state, rows[i].name), NULL), 0);
		assert_plan(&plan, rows[i].golden);
	}
}

#define FILES "open-files[0] vm 'dc01': 2 disks, 1 CD, firmware secure-boot\n"
#define START                                              \
	"open-taps[0] vm 'dc01': 2 TAPs on virbr56, br1\n" \
	"start-qemu[0] vm 'dc01': 2 CPUs, 2 GiB\n"         \
	"start-swtpm[0] vm 'dc01': swtpm\n"                \
	"run-guest[0] vm 'dc01': let the guest run\n"

static void test_vm(void **state)
{
	static const struct {
		struct plan_found_disk disks[2];
		bool nvram, tpm;
		const char *golden;
	} rows[] = {
		/* The first start makes everything. */
		{{{false, 0}, {false, 0}},
		 false,
		 false,
		 "create-volume[0] vm 'dc01': volume p/dc01.qcow2, 60 GiB, qcow2, sparse\n"
		 "create-volume[1] vm 'dc01': volume /data.raw, 1 TiB, raw, sparse\n"
		 "create-nvram[0] vm 'dc01': NVRAM from the template of firmware secure-boot\n"
		 "create-tpm[0] vm 'dc01': state of a new TPM 2.0\n" FILES START},
		/* All is there: nothing is made. */
		{{{true, 60ULL << 30}, {true, 1ULL << 40}}, true, true, FILES START},
		/* One is smaller than wanted; one is larger, and is not shrunk. */
		{{{true, 61ULL << 30}, {true, 512ULL << 30}},
		 true,
		 true,
		 "grow-volume[1] vm 'dc01': volume /data.raw, from 512 GiB to 1 TiB\n" FILES START},
		{{{true, 40ULL << 30}, {false, 0}},
		 true,
		 false,
		 "grow-volume[0] vm 'dc01': volume p/dc01.qcow2, from 40 GiB to 60 GiB\n"
		 "create-volume[1] vm 'dc01': volume /data.raw, 1 TiB, raw, sparse\n"
		 "create-tpm[0] vm 'dc01': state of a new TPM 2.0\n" FILES START},
		{{{true, 60ULL << 30}, {true, 1ULL << 40}},
		 false,
		 true,
		 "create-nvram[0] vm 'dc01': NVRAM from the template of firmware "
		 "secure-boot\n" FILES START},
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		const struct plan_found_vm found = {
			.nvram_exists = rows[i].nvram,
			.tpm_exists = rows[i].tpm,
			.disks = rows[i].disks,
		};
		struct plan plan = {0};

		assert_int_equal(plan_add_vm(&plan, lab_find_vm(*state, "dc01"), &found, NULL), 0);
		assert_plan(&plan, rows[i].golden);
	}
}

/* No NVRAM, no TPM, no NIC, no disk: no step for them, and words in singular. */
static void test_small_vms(void **state)
{
	const struct plan_found_disk disk = {.exists = true, .size_bytes = 1 << 20};
	const struct plan_found_vm none = {0}, one = {.disks = &disk};
	struct plan plan = {0};

	assert_int_equal(plan_add_vm(&plan, lab_find_vm(*state, "direct"), &none, NULL), 0);
	/* Without size: an image of any size is right. Steps are appended. */
	assert_int_equal(plan_add_vm(&plan, lab_find_vm(*state, "bios"), &one, NULL), 0);
	assert_plan(&plan, "open-files[0] vm 'direct': 0 disks, 0 CDs, firmware none\n"
			   "start-qemu[0] vm 'direct': 1 CPU, 512 MiB\n"
			   "run-guest[0] vm 'direct': let the guest run\n"
			   "open-files[0] vm 'bios': 1 disk, 0 CDs, firmware bios\n"
			   "open-taps[0] vm 'bios': 1 TAP on br0\n"
			   "start-qemu[0] vm 'bios': 1 CPU, 1 GiB\n"
			   "run-guest[0] vm 'bios': let the guest run\n");
}

/* What it goes on from, and what its disks are then. */
static void test_states(void **state)
{
	const struct plan_found_disk disk = {.exists = false}, there = {.exists = true};
	const struct plan_found_vm saved = {.disks = &there, .saved = true};
	const struct plan_found_vm forked = {.disks = &disk, .state = "state 's'"};
	struct plan plan = {0};

	assert_int_equal(plan_add_vm(&plan, lab_find_vm(*state, "bios"), &saved, NULL), 0);
	assert_int_equal(plan_add_vm(&plan, lab_find_vm(*state, "bios"), &forked, NULL), 0);
	assert_plan(&plan,
		    "open-files[0] vm 'bios': 1 disk, 0 CDs, firmware bios\n"
		    "open-taps[0] vm 'bios': 1 TAP on br0\n"
		    "start-qemu[0] vm 'bios': 1 CPU, 1 GiB\n"
		    "run-guest[0] vm 'bios': let the guest go on from where it was suspended\n"
		    "create-volume[0] vm 'bios': volume /d, an overlay on what state 's' has\n"
		    "open-files[0] vm 'bios': 1 disk, 0 CDs, firmware bios\n"
		    "open-taps[0] vm 'bios': 1 TAP on br0\n"
		    "start-qemu[0] vm 'bios': 1 CPU, 1 GiB\n"
		    "run-guest[0] vm 'bios': let the guest go on from state 's'\n");
}

static void test_wait(void **state)
{
	struct plan plan = {0};

	assert_int_equal(plan_add_wait(&plan, lab_find_vm(*state, "bios"), "held by 'x'", NULL), 0);
	assert_plan(&plan, "wait[0] vm 'bios': held by 'x'\n");
}

static void test_names(void **state)
{
	(void)state;
	for (enum plan_kind k = 0; k < PLAN_KIND_COUNT; k++)
		for (enum plan_kind other = 0; other < k; other++)
			assert_string_not_equal(plan_kind_name(k), plan_kind_name(other));
}

/* Names of what the guest is given, and no value. */
static void test_extras(void **state)
{
	const struct spec_vm *vm = lab_find_vm(*state, "extras");
	struct plan_found_vm found = {0};
	struct plan plan = {0};

	assert_int_equal(plan_add_vm(&plan, vm, &found, NULL), 0);
	assert_plan(&plan, "open-files[0] vm 'extras': 0 disks, 0 CDs, firmware none, credentials "
			   "a, b.c, 1 OEM string, vsock 4711, VNC at [::1]:5901 with a password\n"
			   "start-qemu[0] vm 'extras': 1 CPU, 512 MiB\n"
			   "run-guest[0] vm 'extras': let the guest run\n");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_extras), cmocka_unit_test(test_network),
		cmocka_unit_test(test_vm),     cmocka_unit_test(test_small_vms),
		cmocka_unit_test(test_names),  cmocka_unit_test(test_wait),
		cmocka_unit_test(test_states),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
