/* SPDX-License-Identifier: MIT */
/* QEMU's command line: golden files for whole machines, and what holds for all. */
#include "tests/unit/vmm/golden.h"

#include "vmm/pins.h"
#include "vmm/qemu_args.h"

#include <jansson.h>

#define TEXT(s) ((char *)(s))
/* Nothing that the user calls files may be seen. */
#define SECRET "/srv/s3cret,\"x\" '"

static const struct spec_network lab_net = {.name = TEXT("lab-net")};
static const struct spec_network outside = {.name = TEXT("default")};

static struct spec_disk disk(const char *name, enum spec_bus bus, enum spec_format format,
			     bool read_only)
{
	return (struct spec_disk){
		.name = TEXT(name),
		.path = TEXT(SECRET),
		.bus = bus,
		.format = format,
		.read_only = read_only,
	};
}

struct machine {
	struct spec_vm vm;
	struct spec_disk disks[8];
	struct spec_cdrom cdroms[4];
	struct spec_nic nics[4];
	struct vm_pins pins;
	struct hardware hw;
	struct qemu_inputs in;
	int disk_fds[8], cdrom_fds[4], tap_fds[4];
	struct strv argv;
};

/* A machine with what every one has; the test adds to it, then builds. */
static void machine_init(struct machine *m, const char *name)
{
	*m = (struct machine){
		.vm =
			{
				.name = TEXT(name),
				.uuid = "4c82c973-7299-468e-bf15-d442ee681475",
				.cpus = 1,
				.memory_bytes = 1ULL << 30,
				.agent = true,
			},
		.in.fds =
			{
				.monitor = 3,
				.serial = 4,
				.serial_log = 5,
				.agent = 6,
				.tpm = -1,
				.code = -1,
				.vars = -1,
				.vsock = -1,
			},
	};
	vm_pins_init(&m->pins);
	for (size_t i = 0; i < ARRAY_SIZE(m->nics); i++)
		m->nics[i] = (struct spec_nic){
			.network = i ? &outside : &lab_net,
			.mac = {0x52, 0x54, 0, 0x12, 0x34, (uint8_t)(0x50 + i)},
		};
	for (size_t i = 0; i < ARRAY_SIZE(m->cdroms); i++)
		m->cdroms[i] = (struct spec_cdrom){.path = TEXT(SECRET)};
}

static void machine_build(struct machine *m)
{
	struct error err = ERROR_INIT;

	m->vm.disks = m->disks;
	m->vm.cdroms = m->cdroms;
	m->vm.nics = m->nics;
	for (size_t i = 0; i < ARRAY_SIZE(m->disk_fds); i++)
		m->disk_fds[i] = 20 + (int)i;
	for (size_t i = 0; i < ARRAY_SIZE(m->cdrom_fds); i++)
		m->cdrom_fds[i] = 30 + (int)i;
	for (size_t i = 0; i < ARRAY_SIZE(m->tap_fds); i++)
		m->tap_fds[i] = 40 + (int)i;
	if (hardware_assign(&m->vm, m->in.kvm, &m->pins, &m->hw, &err) < 0)
		fail_msg("%s", err.text);
	m->in.vm = &m->vm;
	m->in.hw = &m->hw;
	m->in.fds.disks = m->disk_fds;
	m->in.fds.cdroms = m->cdrom_fds;
	m->in.fds.taps = m->tap_fds;
	qemu_args_build(&m->in, "/usr/bin/qemu-system-x86_64", &m->argv);
}

static void machine_free(struct machine *m)
{
	strv_free(&m->argv);
	hardware_free(&m->hw);
	vm_pins_free(&m->pins);
}

static bool is_option(const char *s, const char *const *list)
{
	for (; *list; list++)
		if (str_eq(s, *list))
			return true;
	return false;
}

/* What holds for every machine. */
static void expect_sound(const struct machine *m)
{
	static const char *const as_json[] = {"-blockdev", "-device", NULL};
	static const char *const never[] = {"-drive",  "-hda", "-cdrom", "-monitor", "-qmp",
					    "-serial", "-net", "-nic",   "-fda",     NULL};

	for (size_t i = 0; i < m->argv.n; i++) {
		const char *arg = m->argv.v[i];
		json_t *value;

		assert_false(is_option(arg, never));
		assert_null(strstr(arg, "s3cret"));
		assert_null(strstr(arg, "fd=-"));
		assert_null(strstr(arg, "fdset/-"));
		if (!is_option(arg, as_json))
			continue;
		value = json_loads(m->argv.v[i + 1], JSON_REJECT_DUPLICATES, NULL);
		if (!json_is_object(value))
			fail_msg("%s %s", arg, m->argv.v[i + 1]);
		json_decref(value);
	}
}

static void expect_machine(const char *golden, struct machine *m)
{
	machine_build(m);
	expect_sound(m);
	golden_expect_argv(golden, &m->argv);
	machine_free(m);
}

static void test_minimal_uefi(void **state)
{
	struct machine m;

	(void)state;
	machine_init(&m, "vm1");
	m.in.fds.code = 10;
	m.in.fds.vars = 11;
	expect_machine("minimal-uefi.argv", &m);
}

static void test_windows(void **state)
{
	struct machine m;

	(void)state;
	machine_init(&m, "dc01");
	m.vm.firmware = SPEC_FIRMWARE_SECURE_BOOT;
	m.vm.cpus = 2;
	m.vm.memory_bytes = 2ULL << 30;
	m.vm.clock = SPEC_CLOCK_LOCALTIME;
	m.vm.machine = TEXT("pc-q35-7.2");
	m.vm.display = SPEC_DISPLAY_VGA;
	m.vm.tablet = true;
	m.vm.hyperv = true;
	m.vm.tpm = true;
	m.vm.n_disks = 1;
	m.disks[0] = disk("homelab/dc01.qcow2", SPEC_BUS_SATA, SPEC_FORMAT_QCOW2, false);
	m.vm.n_cdroms = 2;
	m.vm.n_nics = 2;
	m.nics[0].model = m.nics[1].model = SPEC_NIC_E1000E;
	m.in.kvm = m.in.hyperv = m.in.smm = true;
	m.in.fds.code = 10;
	m.in.fds.vars = 11;
	m.in.fds.tpm = 12;
	expect_machine("windows.argv", &m);
}

static void test_direct_kernel(void **state)
{
	struct machine m;

	(void)state;
	machine_init(&m, "kernel-1");
	m.vm.firmware = SPEC_FIRMWARE_NONE;
	m.vm.kernel = m.vm.initrd = TEXT(SECRET);
	m.vm.cmdline = TEXT("console=ttyS0 root=/dev/vda1 ro");
	m.vm.n_disks = 1;
	m.disks[0] = disk("a.raw", SPEC_BUS_VIRTIO, SPEC_FORMAT_RAW, false);
	m.vm.n_nics = 1;
	m.in.fds.agent = -1;
	expect_machine("direct-kernel.argv", &m);
}

static void test_all_buses(void **state)
{
	struct machine m;

	(void)state;
	machine_init(&m, "buses");
	m.vm.cpu = TEXT("Skylake-Client-v4");
	m.vm.display = SPEC_DISPLAY_VIRTIO;
	/* Enlightenments are KVM's; under TCG nobody could give them. */
	m.vm.hyperv = true;
	m.vm.n_disks = 8;
	m.disks[0] = disk("a", SPEC_BUS_VIRTIO, SPEC_FORMAT_QCOW2, false);
	m.disks[1] = disk("b", SPEC_BUS_SATA, SPEC_FORMAT_QCOW2, false);
	m.disks[2] = disk("c", SPEC_BUS_SCSI, SPEC_FORMAT_QCOW2, false);
	m.disks[3] = disk("d", SPEC_BUS_NVME, SPEC_FORMAT_QCOW2, true);
	m.disks[4] = disk("e", SPEC_BUS_VIRTIO, SPEC_FORMAT_RAW, true);
	m.disks[5] = disk("f", SPEC_BUS_SATA, SPEC_FORMAT_RAW, false);
	m.disks[6] = disk("g", SPEC_BUS_SCSI, SPEC_FORMAT_RAW, true);
	m.disks[7] = disk("h", SPEC_BUS_NVME, SPEC_FORMAT_RAW, false);
	m.vm.n_cdroms = 1;
	m.vm.n_nics = 3;
	m.nics[1].model = SPEC_NIC_E1000E;
	m.nics[2].model = SPEC_NIC_E1000;
	expect_machine("all-buses.argv", &m);
}

/* Neither a name nor a value but those that QEMU has to know. */
static void test_tables_and_vsock(void **state)
{
	static const struct qemu_table tables[] = {
		{.fw_cfg = ""},
		{.fw_cfg = "opt/io.systemd.credentials/large"},
		{.fw_cfg = ""},
	};
	struct spec_credential credential = {.name = TEXT("s3cret"), .text = TEXT(SECRET)};
	char *strings[] = {TEXT(SECRET)};
	struct machine m;

	(void)state;
	machine_init(&m, "tables");
	m.vm.firmware = SPEC_FIRMWARE_BIOS;
	m.vm.credentials = &credential;
	m.vm.n_credentials = 1;
	m.vm.oem_strings = strings;
	m.vm.n_oem_strings = 1;
	m.vm.vsock = SPEC_VSOCK_CID;
	m.vm.vsock_cid = 4294967294U;
	m.in.tables = tables;
	m.in.n_tables = ARRAY_SIZE(tables);
	m.in.fds.vsock = 9;
	expect_machine("tables-vsock.argv", &m);
}

/* What lies below a disk comes before it, from the bottom on. */
static void test_layers(void **state)
{
	static const struct qemu_layers below[] = {
		{.v = {{.fd = 60, .qcow2 = true}, {.fd = 61, .qcow2 = false}}, .n = 2},
		{.n = 0, .direct = true},
	};
	struct machine m;

	(void)state;
	machine_init(&m, "layers");
	m.vm.firmware = SPEC_FIRMWARE_BIOS;
	m.vm.n_disks = 2;
	m.in.fds.below = below;
	expect_machine("layers.argv", &m);
}

/* A comma and quotes wherever a string may hold them. */
static void test_hostile_strings(void **state)
{
	struct machine m;

	(void)state;
	machine_init(&m, "a.b-c_d");
	m.vm.firmware = SPEC_FIRMWARE_NONE;
	m.vm.kernel = m.vm.initrd = TEXT(SECRET);
	m.vm.cmdline = TEXT("-S, \"quoted\" 'single' a,b=c,,d \\ %s %n \x01\n\xc3\xbc");
	m.vm.profile = TEXT("s3cret");
	m.vm.n_disks = 4;
	m.disks[0] = disk(SECRET, SPEC_BUS_VIRTIO, SPEC_FORMAT_QCOW2, false);
	m.disks[1] = disk(SECRET "2", SPEC_BUS_SATA, SPEC_FORMAT_RAW, false);
	m.disks[2] = disk(SECRET "3", SPEC_BUS_SCSI, SPEC_FORMAT_QCOW2, false);
	m.disks[3] = disk(SECRET "4", SPEC_BUS_NVME, SPEC_FORMAT_RAW, false);
	m.vm.n_cdroms = 1;
	expect_machine("hostile.argv", &m);
}

/* A pinned machine type and CPU are what QEMU gets. */
static void test_pins(void **state)
{
	struct machine m;
	bool machine = false, cpu = false;

	(void)state;
	machine_init(&m, "old");
	m.pins.machine = strdup("pc-q35-6.0");
	m.pins.cpu = strdup("host");
	m.in.kvm = true;
	machine_build(&m);
	for (size_t i = 0; i < m.argv.n; i++) {
		machine = machine || str_after(m.argv.v[i], "pc-q35-6.0,");
		cpu = cpu || str_eq(m.argv.v[i], "host");
	}
	assert_true(machine && cpu);
	machine_free(&m);
}

/* The same inputs make the same machine: a snapshot is loaded into it. */
static void test_same_again(void **state)
{
	struct strv again = {0};
	struct machine m;

	(void)state;
	machine_init(&m, "vm1");
	m.vm.n_disks = 2;
	m.disks[0] = disk("a", SPEC_BUS_VIRTIO, SPEC_FORMAT_QCOW2, false);
	m.disks[1] = disk("b", SPEC_BUS_SCSI, SPEC_FORMAT_QCOW2, false);
	m.vm.n_nics = 2;
	machine_build(&m);
	qemu_args_build(&m.in, "/usr/bin/qemu-system-x86_64", &again);
	assert_int_equal(again.n, m.argv.n);
	for (size_t i = 0; i < again.n; i++)
		assert_string_equal(again.v[i], m.argv.v[i]);
	strv_free(&again);
	machine_free(&m);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_minimal_uefi),
		cmocka_unit_test(test_windows),
		cmocka_unit_test(test_direct_kernel),
		cmocka_unit_test(test_all_buses),
		cmocka_unit_test(test_layers),
		cmocka_unit_test(test_hostile_strings),
		cmocka_unit_test(test_pins),
		cmocka_unit_test(test_same_again),
		cmocka_unit_test(test_tables_and_vsock),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
