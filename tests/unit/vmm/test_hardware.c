/* SPDX-License-Identifier: MIT */
/* Where devices sit, over a life of changes to the configuration. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/cleanup.h"
#include "base/error.h"
#include "base/str.h"
#include "vmm/hardware.h"
#include "vmm/pins.h"

#include <errno.h>

static struct spec_network networks[] = {
	{.name = (char *)"lab-net"},
	{.name = (char *)"default"},
	{.name = (char *)"third"},
};

/* A VM from a few words: disks as "v:name" (virtio), "s:" (SATA), "c:" (SCSI),
 * "n:" (NVMe), NICs as letters: l d t for the networks above. */
struct fixture {
	struct spec_vm vm;
	struct spec_disk disks[70];
	struct spec_cdrom cdroms[8];
	struct spec_nic nics[40];
	struct vm_pins pins;
	struct hardware hw;
};

static void set_disks(struct fixture *f, const char *const *words, size_t n)
{
	static const enum spec_bus buses[] = {
		['v'] = SPEC_BUS_VIRTIO,
		['s'] = SPEC_BUS_SATA,
		['c'] = SPEC_BUS_SCSI,
		['n'] = SPEC_BUS_NVME,
	};

	for (size_t i = 0; i < n; i++)
		f->disks[i] = (struct spec_disk){
			.name = (char *)words[i] + 2,
			.bus = buses[(unsigned char)words[i][0]],
		};
	f->vm.disks = f->disks;
	f->vm.n_disks = n;
}
#define SET_DISKS(f, ...)                                  \
	set_disks((f), (const char *const[]){__VA_ARGS__}, \
		  sizeof((const char *const[]){__VA_ARGS__}) / sizeof(const char *))

/* A derived MAC follows from the index. */
static void set_nics(struct fixture *f, const char *letters)
{
	f->vm.n_nics = strlen(letters);
	for (size_t i = 0; i < f->vm.n_nics; i++)
		f->nics[i] = (struct spec_nic){
			.network = &networks[letters[i] == 'l'   ? 0
					     : letters[i] == 'd' ? 1
								 : 2],
			.mac = {0x52, 0x54, 0, 0xaa, 0xbb, (uint8_t)i},
		};
	f->vm.nics = f->nics;
}

static void set_cdroms(struct fixture *f, size_t n)
{
	f->vm.cdroms = f->cdroms;
	f->vm.n_cdroms = n;
}

/* Assigns as the next start does: by way of the file. */
static void assign(struct fixture *f)
{
	cleanup_free char *text = vm_pins_encode(&f->pins);
	struct error err = ERROR_INIT;

	hardware_free(&f->hw);
	vm_pins_free(&f->pins);
	assert_int_equal(vm_pins_decode(text, &f->pins, NULL), 0);
	if (hardware_assign(&f->vm, true, &f->pins, &f->hw, &err) < 0)
		fail_msg("%s", err.text);
}

static void fixture_free(struct fixture *f)
{
	hardware_free(&f->hw);
	vm_pins_free(&f->pins);
}

static void expect_places(const unsigned *places, size_t n, const unsigned *wanted)
{
	for (size_t i = 0; i < n; i++)
		assert_int_equal(places[i], wanted[i]);
}
#define EXPECT_DISKS(f, ...) \
	expect_places((f)->hw.disks, (f)->vm.n_disks, (const unsigned[]){__VA_ARGS__})
#define EXPECT_CDROMS(f, ...) \
	expect_places((f)->hw.cdroms, (f)->vm.n_cdroms, (const unsigned[]){__VA_ARGS__})

/* Slot and last byte of the MAC of each NIC. */
static void expect_nics(const struct fixture *f, const unsigned (*wanted)[2])
{
	for (size_t i = 0; i < f->vm.n_nics; i++) {
		assert_int_equal(f->hw.nics[i].slot, wanted[i][0]);
		assert_int_equal(f->hw.nics[i].mac[5], wanted[i][1]);
	}
}
#define EXPECT_NICS(f, ...) expect_nics((f), (const unsigned[][2]){__VA_ARGS__})

static void expect_macs_differ(const struct fixture *f)
{
	for (size_t i = 0; i < f->vm.n_nics; i++)
		for (size_t j = 0; j < i; j++)
			assert_memory_not_equal(f->hw.nics[i].mac, f->hw.nics[j].mac, 6);
}

static void test_first_start(void **state)
{
	struct fixture f = {0};

	(void)state;
	SET_DISKS(&f, "v:a", "s:b", "c:c", "n:d", "s:e", "c:f");
	set_cdroms(&f, 2);
	set_nics(&f, "ld");
	assign(&f);
	EXPECT_DISKS(&f, 6, 0, 0, 7, 1, 1);
	EXPECT_CDROMS(&f, 2, 3);
	EXPECT_NICS(&f, {8, 0}, {9, 1});
	assert_string_equal(f.hw.machine, "q35");
	assert_string_equal(f.hw.cpu, "host");
	fixture_free(&f);
}

static void test_reordered_removed_added(void **state)
{
	struct fixture f = {0};

	(void)state;
	SET_DISKS(&f, "v:a", "v:b", "s:s", "c:x", "c:y");
	set_nics(&f, "ld");
	set_cdroms(&f, 1);
	assign(&f);
	EXPECT_DISKS(&f, 6, 7, 0, 0, 1);
	EXPECT_NICS(&f, {8, 0}, {9, 1});
	EXPECT_CDROMS(&f, 1);
	/* Reordered. */
	SET_DISKS(&f, "c:y", "v:b", "c:x", "v:a", "s:s");
	set_nics(&f, "dl");
	assign(&f);
	EXPECT_DISKS(&f, 1, 7, 0, 6, 0);
	EXPECT_NICS(&f, {9, 1}, {8, 0});
	/* Removed: the rest stays. */
	SET_DISKS(&f, "v:b", "s:s");
	set_nics(&f, "d");
	assign(&f);
	EXPECT_DISKS(&f, 7, 0);
	EXPECT_NICS(&f, {9, 1});
	EXPECT_CDROMS(&f, 1);
	/* Added: a new place, not one that somebody may come back to. */
	SET_DISKS(&f, "v:new", "v:b", "s:s", "s:t");
	assign(&f);
	EXPECT_DISKS(&f, 10, 7, 0, 2);
	/* And who comes back finds its place. */
	SET_DISKS(&f, "v:a", "v:b", "c:y");
	set_nics(&f, "ld");
	assign(&f);
	EXPECT_DISKS(&f, 6, 7, 1);
	EXPECT_NICS(&f, {8, 0}, {9, 1});
	fixture_free(&f);
}

static void test_another_bus_is_another_device(void **state)
{
	struct fixture f = {0};

	(void)state;
	SET_DISKS(&f, "v:a", "v:b");
	assign(&f);
	SET_DISKS(&f, "s:a", "v:b");
	assign(&f);
	EXPECT_DISKS(&f, 0, 7);
	SET_DISKS(&f, "v:a", "v:b");
	assign(&f);
	EXPECT_DISKS(&f, 6, 7);
	fixture_free(&f);
}

/* A NIC put in front of others derives the MAC that another one keeps. */
static void test_macs_stay_apart(void **state)
{
	struct fixture f = {0};

	(void)state;
	set_nics(&f, "l");
	assign(&f);
	EXPECT_NICS(&f, {6, 0});
	set_nics(&f, "dl");
	assign(&f);
	assert_int_equal(f.hw.nics[1].slot, 6);
	assert_int_equal(f.hw.nics[1].mac[5], 0);
	assert_int_equal(f.hw.nics[0].slot, 7);
	expect_macs_differ(&f);
	set_nics(&f, "tdl");
	assign(&f);
	expect_macs_differ(&f);
	/* One that is away for now keeps its own, too. */
	fixture_free(&f);
	f = (struct fixture){0};
	set_nics(&f, "l");
	assign(&f);
	set_nics(&f, "d");
	assign(&f);
	set_nics(&f, "dl");
	assign(&f);
	assert_int_equal(f.hw.nics[1].mac[5], 0);
	expect_macs_differ(&f);
	/* Nor is a MAC taken that the configuration gives to somebody. */
	fixture_free(&f);
	f = (struct fixture){0};
	set_nics(&f, "l");
	assign(&f);
	set_nics(&f, "dlt");
	f.nics[2].mac_given = true;
	f.nics[2].mac[5] = 1;
	assign(&f);
	EXPECT_NICS(&f, {7, 2}, {6, 0}, {8, 1});
	fixture_free(&f);
}

static void test_given_mac_wins(void **state)
{
	struct fixture f = {0};

	(void)state;
	set_nics(&f, "ll");
	assign(&f);
	EXPECT_NICS(&f, {6, 0}, {7, 1});
	f.nics[1].mac_given = true;
	f.nics[1].mac[5] = 0x77;
	assign(&f);
	EXPECT_NICS(&f, {6, 0}, {7, 0x77});
	/* No longer given: what the guest saw last. */
	f.nics[1].mac_given = false;
	f.nics[1].mac[5] = 1;
	assign(&f);
	EXPECT_NICS(&f, {6, 0}, {7, 0x77});
	fixture_free(&f);
}

static void test_full_bus(void **state)
{
	static char names[70][8];
	const char *words[70];
	struct error err = ERROR_INIT;
	static const struct {
		char bus;
		size_t room;
	} rows[] = {{'v', 22}, {'n', 22}, {'s', 6}, {'c', 64}};

	(void)state;
	for (size_t row = 0; row < ARRAY_SIZE(rows); row++) {
		struct fixture f = {0};
		size_t room = rows[row].room;

		for (size_t i = 0; i <= room; i++) {
			(void)str_format(names[i], sizeof(names[i]), "%c:%zu", rows[row].bus, i);
			words[i] = names[i];
		}
		set_disks(&f, words, room);
		assign(&f);
		assert_int_equal(f.hw.disks[room - 1], f.hw.disks[0] + room - 1);
		/* One more is refused, and nothing comes out. */
		hardware_free(&f.hw);
		set_disks(&f, words, room + 1);
		assert_int_equal(hardware_assign(&f.vm, true, &f.pins, &f.hw, &err), -ENOSPC);
		assert_null(f.hw.disks);
		assert_non_null(strstr(err.text, "no place left"));
		/* One for another: it takes the place of the one that is gone. */
		set_disks(&f, words + 1, room);
		assign(&f);
		assert_int_equal(f.hw.disks[0], (rows[row].room == 22 ? 6 : 0) + 1);
		assert_int_equal(f.hw.disks[room - 1], rows[row].room == 22 ? 6 : 0);
		fixture_free(&f);
	}
}

static void test_cds_share_sata(void **state)
{
	struct error err = ERROR_INIT;
	struct fixture f = {0};

	(void)state;
	SET_DISKS(&f, "s:a", "s:b", "s:c");
	set_cdroms(&f, 3);
	assign(&f);
	EXPECT_CDROMS(&f, 3, 4, 5);
	set_cdroms(&f, 4);
	hardware_free(&f.hw);
	assert_int_equal(hardware_assign(&f.vm, true, &f.pins, &f.hw, &err), -ENOSPC);
	/* A place handed on does not bring a MAC along. */
	fixture_free(&f);
	f = (struct fixture){0};
	set_nics(&f, "llllllllllllllllllllll");
	assign(&f);
	set_nics(&f, "lllllllllllllllllllll");
	SET_DISKS(&f, "v:a");
	assign(&f);
	EXPECT_DISKS(&f, 27);
	assert_false(vm_pins_find(&f.pins, "pci/disk/a")->has_mac);
	fixture_free(&f);
}

/* A state file made by other hands may hold what no bus has. */
static void test_pin_outside_of_its_bus(void **state)
{
	static const unsigned places[] = {0, 5, 28, 31, 4096};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(places); i++) {
		struct fixture f = {0};
		struct vm_pin *pin;

		SET_DISKS(&f, "v:b", "v:a");
		assert_int_equal(vm_pins_add(&f.pins, "pci/disk/a", places[i], &pin, NULL), 0);
		assign(&f);
		EXPECT_DISKS(&f, 6, 7);
		SET_DISKS(&f, "v:new", "v:a", "v:b");
		assign(&f);
		EXPECT_DISKS(&f, 8, 7, 6);
		fixture_free(&f);
	}
}

static void test_machine_and_cpu(void **state)
{
	static const struct {
		const char *vm_machine, *vm_cpu, *pin_machine, *pin_cpu;
		bool kvm;
		const char *machine, *cpu;
	} rows[] = {
		{NULL, NULL, NULL, NULL, true, "q35", "host"},
		{NULL, NULL, NULL, NULL, false, "q35", "max"},
		{NULL, NULL, "pc-q35-7.2", "host", true, "pc-q35-7.2", "host"},
		{NULL, NULL, "pc-q35-7.2", "host", false, "pc-q35-7.2", "max"},
		{NULL, NULL, "pc-q35-7.2", "max", true, "pc-q35-7.2", "max"},
		{"pc-q35-6.0", "qemu64", "pc-q35-7.2", "host", true, "pc-q35-6.0", "qemu64"},
		{NULL, "host", NULL, NULL, false, "q35", "host"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct fixture f = {
			.vm = {.machine = (char *)rows[i].vm_machine,
			       .cpu = (char *)rows[i].vm_cpu},
			.pins = {.machine = (char *)rows[i].pin_machine,
				 .cpu = (char *)rows[i].pin_cpu},
		};

		assert_int_equal(hardware_assign(&f.vm, rows[i].kvm, &f.pins, &f.hw, NULL), 0);
		assert_string_equal(f.hw.machine, rows[i].machine);
		assert_string_equal(f.hw.cpu, rows[i].cpu);
		hardware_free(&f.hw);
	}
}

/* SATA comes with the first device on it and stays; neither leaves a guest that had it. */
static void test_lean_chipset(void **state)
{
	struct spec_cdrom cdrom = {.path = (char *)"/iso"};
	struct fixture f = {.vm = {.cdroms = &cdrom}};

	(void)state;
	vm_pins_init(&f.pins);
	for (int i = 0; i < 3; i++) {
		f.vm.n_cdroms = i == 1;
		assert_int_equal(hardware_assign(&f.vm, false, &f.pins, &f.hw, NULL), 0);
		assert_int_equal(f.hw.sata, i >= 1);
		assert_false(f.hw.smbus);
		hardware_free(&f.hw);
	}
	vm_pins_free(&f.pins);
	/* The pins of a machine that began when all had both. */
	assert_int_equal(vm_pins_decode("{\"version\": 1, \"devices\": {}}", &f.pins, NULL), 0);
	assert_int_equal(hardware_assign(&f.vm, false, &f.pins, &f.hw, NULL), 0);
	assert_true(f.hw.sata && f.hw.smbus);
	hardware_free(&f.hw);
	vm_pins_free(&f.pins);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_first_start),
		cmocka_unit_test(test_reordered_removed_added),
		cmocka_unit_test(test_another_bus_is_another_device),
		cmocka_unit_test(test_macs_stay_apart),
		cmocka_unit_test(test_given_mac_wins),
		cmocka_unit_test(test_full_bus),
		cmocka_unit_test(test_cds_share_sata),
		cmocka_unit_test(test_pin_outside_of_its_bus),
		cmocka_unit_test(test_machine_and_cpu),
		cmocka_unit_test(test_lean_chipset),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
