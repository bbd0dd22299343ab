/* SPDX-License-Identifier: MIT */
/* examples/homelab-sccm/lab.yaml, value by value. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/cleanup.h"
#include "tests/unit/lab/parse.h"

#include <arpa/inet.h>

#define EXAMPLES HV_SOURCE_ROOT "/examples/"

static struct lab *load(const char *path)
{
	struct lab_faults faults = {0};
	struct error err = ERROR_INIT;
	struct lab *lab = NULL;

	if (lab_load(path, &lab, &faults, &err) < 0)
		fail_msg("%s: %s", err.text, faults.n ? faults.v[0].text : "");
	return lab;
}

static int setup(void **state)
{
	*state = load(EXAMPLES "homelab-sccm/lab.yaml");
	return 0;
}

static int teardown(void **state)
{
	lab_free(*state);
	return 0;
}

static void assert_address(struct in_addr address, const char *expected)
{
	char text[INET_ADDRSTRLEN];

	assert_non_null(inet_ntop(AF_INET, &address, text, sizeof(text)));
	assert_string_equal(text, expected);
}

static void test_networks(void **state)
{
	static const struct {
		const char *name, *bridge, *address, *first, *last, *domain;
	} rows[] = {
		{"lab-net", "virbr56", "192.168.56.1", "192.168.56.100", "192.168.56.200",
		 "lab.test"},
		{"default", "virbr0", "192.168.122.1", "192.168.122.100", "192.168.122.254", NULL},
	};
	const struct lab *lab = *state;

	assert_int_equal(lab->n_networks, ARRAY_SIZE(rows));
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		const struct spec_network *net = &lab->networks[i];

		assert_string_equal(net->name, rows[i].name);
		assert_ptr_equal(lab_find_network(lab, rows[i].name), net);
		assert_string_equal(net->bridge, rows[i].bridge);
		assert_address(net->address, rows[i].address);
		assert_int_equal(net->prefix, 24);
		assert_true(net->nat && net->dhcp);
		assert_address(net->dhcp_first, rows[i].first);
		assert_address(net->dhcp_last, rows[i].last);
		if (rows[i].domain)
			assert_string_equal(net->domain, rows[i].domain);
		else
			assert_null(net->domain);
		assert_int_equal(net->mtu, 0);
	}
	assert_null(lab_find_network(lab, "lab"));
	assert_int_equal(lab->n_pools, 1);
	assert_string_equal(lab->pools[0].name, "homelab");
	assert_string_equal(lab->pools[0].path, "/var/lib/hv/images/homelab");
}

static const struct {
	const char *name, *uuid;
	unsigned disk_gib, memory_gib;
	const char *address, *iso;
} vms[] = {
	{"dc01", "4c82c973-7299-468e-bf15-d442ee681475", 60, 2, "192.168.56.10",
	 "/var/lib/hv/iso/windows-server-2022.iso"},
	{"sccm01", "9a1d4f0e-6a53-4f0b-8a75-2f1c6c0e7b31", 100, 4, "192.168.56.11",
	 "/var/lib/hv/iso/windows-server-2022.iso"},
	{"client01", "2e7b8c64-0d1f-4c39-b5a2-63d0f9e4185d", 60, 2, "192.168.56.21",
	 "/var/lib/hv/iso/windows-11.iso"},
	{"client02", "d3560a97-4be8-47c1-9f26-8e15b70ac942", 60, 2, "192.168.56.22",
	 "/var/lib/hv/iso/windows-11.iso"},
};

static void test_machines(void **state)
{
	const struct lab *lab = *state;

	assert_int_equal(lab->n_vms, ARRAY_SIZE(vms));
	for (size_t i = 0; i < ARRAY_SIZE(vms); i++) {
		const struct spec_vm *vm = &lab->vms[i];

		assert_string_equal(vm->name, vms[i].name);
		assert_ptr_equal(lab_find_vm(lab, vms[i].name), vm);
		assert_string_equal(vm->uuid, vms[i].uuid);
		assert_int_equal(vm->memory_bytes, (uint64_t)vms[i].memory_gib << 30);
		/* Of the profile. */
		assert_string_equal(vm->profile, "windows");
		assert_int_equal(vm->firmware, SPEC_FIRMWARE_SECURE_BOOT);
		assert_int_equal(vm->clock, SPEC_CLOCK_LOCALTIME);
		assert_int_equal(vm->display, SPEC_DISPLAY_VGA);
		assert_int_equal(vm->cpus, 2);
		assert_true(vm->tpm && vm->tablet && vm->hyperv);
		/* Of the table. */
		assert_int_equal(vm->accel, SPEC_ACCEL_AUTO);
		assert_true(vm->agent);
		assert_false(vm->autostart);
		assert_null(vm->cpu);
		assert_null(vm->machine);
		assert_null(vm->kernel);
		assert_null(vm->initrd);
		assert_null(vm->cmdline);
	}
	assert_null(lab_find_vm(lab, "DC01"));
}

static void test_devices(void **state)
{
	const struct lab *lab = *state;

	for (size_t i = 0; i < ARRAY_SIZE(vms); i++) {
		const struct spec_vm *vm = &lab->vms[i];
		cleanup_free char *volume = str_printf("homelab/%s.qcow2", vms[i].name);
		cleanup_free char *path =
			str_printf("/var/lib/hv/images/homelab/%s.qcow2", vms[i].name);

		assert_int_equal(vm->n_disks, 1);
		assert_ptr_equal(vm->disks[0].pool, &lab->pools[0]);
		assert_string_equal(vm->disks[0].name, volume);
		assert_string_equal(vm->disks[0].path, path);
		assert_int_equal(vm->disks[0].size_bytes, (uint64_t)vms[i].disk_gib << 30);
		assert_int_equal(vm->disks[0].bus, SPEC_BUS_SATA);
		assert_int_equal(vm->disks[0].format, SPEC_FORMAT_QCOW2);
		assert_false(vm->disks[0].read_only);

		assert_int_equal(vm->n_cdroms, 2);
		assert_string_equal(vm->cdroms[0].path, vms[i].iso);
		assert_string_equal(vm->cdroms[1].path, "/var/lib/hv/iso/virtio-win.iso");

		assert_int_equal(vm->n_nics, 2);
		assert_ptr_equal(vm->nics[0].network, lab_find_network(lab, "lab-net"));
		assert_true(vm->nics[0].has_address);
		assert_address(vm->nics[0].address, vms[i].address);
		assert_ptr_equal(vm->nics[1].network, lab_find_network(lab, "default"));
		assert_false(vm->nics[1].has_address);
		for (size_t j = 0; j < 2; j++) {
			assert_int_equal(vm->nics[j].model, SPEC_NIC_E1000E);
			assert_false(vm->nics[j].mac_given);
		}
	}
}

/* A thing knows where it was said, for messages after the parsing. */
static void test_positions(void **state)
{
	const struct lab *lab = *state;
	const struct spec_vm *vm = lab_find_vm(lab, "dc01");

	assert_string_equal(lab->networks[0].where.file, EXAMPLES "homelab-sccm/lab.yaml");
	assert_int_equal(lab->networks[0].where.column, 3);
	assert_true(vm->where.line > lab->pools[0].where.line);
	assert_int_equal(vm->where.column, 3);
	assert_true(vm->disks[0].where.line > vm->where.line);
	assert_int_equal(vm->disks[0].where.column, 9);
	assert_int_equal(vm->nics[1].where.line, vm->nics[0].where.line + 1);
	assert_int_equal(vm->cdroms[1].where.line, vm->cdroms[0].where.line + 1);
}

static void test_minimal(void **state)
{
	struct lab *lab = load(EXAMPLES "minimal/lab.yaml");
	const struct spec_vm *vm = &lab->vms[0];

	(void)state;
	assert_int_equal(lab->n_vms, 1);
	assert_null(vm->profile);
	assert_int_equal(vm->firmware, SPEC_FIRMWARE_UEFI);
	assert_int_equal(vm->clock, SPEC_CLOCK_UTC);
	assert_int_equal(vm->display, SPEC_DISPLAY_NONE);
	assert_false(vm->tablet);
	assert_int_equal(vm->cpus, 1);
	assert_int_equal(vm->memory_bytes, 512 << 20);
	assert_int_equal(vm->disks[0].bus, SPEC_BUS_VIRTIO);
	assert_int_equal(vm->nics[0].model, SPEC_NIC_VIRTIO);
	lab_free(lab);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_networks), cmocka_unit_test(test_machines),
		cmocka_unit_test(test_devices),  cmocka_unit_test(test_positions),
		cmocka_unit_test(test_minimal),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
