/* SPDX-License-Identifier: MIT */
/* Which machines begin with a prepared state, which state fits, and what a guest is told. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/cleanup.h"
#include "base/error.h"
#include "base/str.h"
#include "vmm/fork/prepared.h"
#include "vmm/json.h"
#include "vmm/pins.h"
#include "vmm/shape.h"
#include "vmm/supervisor/guest_fork.h"

#include <errno.h>
#include <stdlib.h>

#define TEXT(s) ((char *)(s))

static void test_choose(void **state)
{
	struct spec_disk disk = {.read_only = true};
	struct spec_vm vm = {.disks = &disk, .n_disks = 1};
	struct vm_pins pins = {0};

	(void)state;
	assert_null(prepared_choose(&vm, &pins));
	vm.template_state = TEXT("s1");
	assert_string_equal(prepared_choose(&vm, &pins), "s1");
	/* One that keeps nothing begins there each time. */
	pins.begun = true;
	assert_string_equal(prepared_choose(&vm, &pins), "s1");
	disk.read_only = false;
	assert_null(prepared_choose(&vm, &pins));
	vm.n_disks = 0;
	vm.tpm = true;
	assert_null(prepared_choose(&vm, &pins));
	/* What was asked for goes first. */
	pins.next_state = TEXT(".77");
	assert_string_equal(prepared_choose(&vm, &pins), ".77");
}

struct machine {
	struct spec_vm vm;
	struct spec_nic nic;
	struct hardware hw;
	struct hardware_nic hw_nic;
	struct shape_facts facts;
};

static void machine_init(struct machine *m, const char *name, unsigned slot)
{
	static const struct spec_network net = {.name = TEXT("n")};

	*m = (struct machine){
		.vm = {.name = TEXT(name), .cpus = 1, .memory_bytes = 256 << 20, .n_nics = 1},
		.nic = {.network = &net},
		.hw = {.machine = "pc-q35-7.2", .cpu = "max"},
		.hw_nic = {.slot = slot, .mac = {0x52, 0x54, 0, 1, 2, (uint8_t)*name}},
	};
	(void)str_format(m->vm.uuid, sizeof(m->vm.uuid), "4c82c973-7299-468e-bf15-d442ee68%04x",
			 *name);
	m->vm.nics = &m->nic;
	m->hw.nics = &m->hw_nic;
	m->facts = (struct shape_facts){.vm = &m->vm, .hw = &m->hw};
}

static void test_check(void **state)
{
	struct error err = ERROR_INIT;
	struct prepared p = PREPARED_INIT;
	struct machine a, b;

	(void)state;
	machine_init(&a, "a", 9);
	machine_init(&b, "b", 9);
	p.name = TEXT("s1");
	p.state = prepared_describe(&a.facts, "7.2.22", NULL, NULL);
	assert_non_null(p.state);
	assert_int_equal(prepared_check(&p, &b.facts, &err), 0);
	b.vm.memory_bytes = 512 << 20;
	assert_int_equal(prepared_check(&p, &b.facts, &err), -EINVAL);
	assert_non_null(strstr(err.text, "its memory was 256 MiB, and is 512 MiB"));
	machine_init(&b, "b", 9);
	b.vm.kernel = TEXT("/k");
	assert_int_equal(prepared_check(&p, &b.facts, &err), -EINVAL);
	machine_init(&b, "b", 10);
	assert_int_equal(prepared_check(&p, &b.facts, &err), -EINVAL);
	json_decref(p.state);
}

/* Places come from the state where the machine has none of its own. */
static void test_pin(void **state)
{
	uint8_t(*macs)[MAC_BYTES] = NULL;
	struct error err = ERROR_INIT;
	struct prepared p = PREPARED_INIT;
	struct vm_pins pins = {0};
	struct hardware hw;
	struct machine a;

	(void)state;
	machine_init(&a, "a", 9);
	p.name = TEXT("s1");
	p.state = prepared_describe(&a.facts, "7.2.22", "note", NULL);
	assert_int_equal(prepared_pin(&p, &a.vm, &pins, &err), 0);
	assert_string_equal(pins.machine, "pc-q35-7.2");
	assert_true(pins.lean);
	assert_int_equal(hardware_assign(&a.vm, false, &pins, &hw, &err), 0);
	assert_int_equal(hw.nics[0].slot, 9);
	assert_int_equal(prepared_macs(&p, &a.vm, &macs, &err), 0);
	assert_memory_equal(macs[0], a.hw_nic.mac, MAC_BYTES);
	free(macs);
	hardware_free(&hw);
	vm_pins_free(&pins);
	/* A file that somebody cut. */
	(void)json_object_del(p.state, "shape");
	assert_int_equal(prepared_pin(&p, &a.vm, &pins, &err), -EINVAL);
	assert_int_equal(prepared_macs(&p, &a.vm, &macs, &err), -EINVAL);
	json_decref(p.state);
}

static void test_told(void **state)
{
	cleanup_json json_t *args = NULL;
	json_t *words;
	struct machine a;

	(void)state;
	machine_init(&a, "a", 0x1b);
	args = guest_fork_exec(&a.vm, &a.hw);
	words = json_object_get(args, "arg");
	assert_int_equal(json_array_size(words), 7);
	assert_string_equal(json_string_value(json_array_get(words, 3)), "a");
	assert_string_equal(json_string_value(json_array_get(words, 4)),
			    "4c82c9737299468ebf15d442ee680061");
	assert_int_equal(strlen(json_string_value(json_array_get(words, 5))), 64);
	assert_string_equal(json_string_value(json_array_get(words, 6)),
			    "00:1b.0=52:54:00:01:02:61");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_choose),
		cmocka_unit_test(test_check),
		cmocka_unit_test(test_pin),
		cmocka_unit_test(test_told),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
