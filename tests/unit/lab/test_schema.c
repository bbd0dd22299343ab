/* SPDX-License-Identifier: MIT */
/* The schema table: complete, without doubles, and its suggestions. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/cleanup.h"
#include "lab/schema.h"
#include "tests/unit/lab/parse.h"

static void test_rows(void **state)
{
	const struct lab_schema_row *rows;
	size_t n;

	(void)state;
	rows = lab_schema_rows(&n);
	assert_true(n > 0);
	for (size_t i = 0; i < n; i++) {
		const struct lab_schema_row *row = &rows[i];

		/* Found by its key: so no key is there twice in a section. */
		assert_ptr_equal(lab_schema_find(row->section, row->key), row);
		assert_non_null(row->help);
		assert_int_equal(row->help[strlen(row->help) - 1], '.');
		assert_int_equal(row->words != NULL, row->type == LAB_TYPE_ENUM);
		assert_true(row->type < LAB_TYPE_COUNT && row->section < LAB_SECTION_COUNT);
		/* The decoder of a number compares with max as it is. */
		if (row->type == LAB_TYPE_UINT || row->type == LAB_TYPE_SIZE ||
		    row->type == LAB_TYPE_DECIMAL)
			assert_true(row->min < row->max);
		/* Sections stand together. */
		assert_true(i == 0 || row->section >= rows[i - 1].section);
		assert_false(row->required && (row->default_text || row->default_note));
	}
	assert_null(lab_schema_find(LAB_SECTION_VM, "volume"));
	assert_null(lab_schema_find(LAB_SECTION_VM, ""));
}

/* Each default text is what its own decoder takes: said in full, a VM is the
 * same as one that says nothing. */
static void test_defaults(void **state)
{
	cleanup_strbuf struct strbuf text = {0};
	const struct lab_schema_row *rows;
	const struct spec_vm *plain, *full;
	struct lab *lab;
	size_t n;

	(void)state;
	rows = lab_schema_rows(&n);
	strbuf_addf(&text, "vms:\n  plain: {}\n  full:\n");
	for (size_t i = 0; i < n; i++)
		if (rows[i].section == LAB_SECTION_VM && rows[i].default_text)
			strbuf_addf(&text, "    %s: %s\n", rows[i].key, rows[i].default_text);
	lab = parse_lab(text.data);
	plain = &lab->vms[0];
	full = &lab->vms[1];
	assert_int_equal(plain->firmware, full->firmware);
	assert_int_equal(plain->memory_bytes, full->memory_bytes);
	assert_int_equal(plain->memory_bytes, 1ULL << 30);
	assert_int_equal(plain->cpus, full->cpus);
	assert_int_equal(plain->agent, full->agent);
	assert_int_equal(plain->tpm, full->tpm);
	assert_int_equal(plain->clock, full->clock);
	assert_int_equal(plain->accel, full->accel);
	assert_int_equal(plain->display, full->display);
	assert_int_equal(plain->restart, full->restart);
	assert_int_equal(plain->restart, SPEC_RESTART_NO);
	assert_int_equal(plain->jail, full->jail);
	assert_int_equal(plain->jail, SPEC_JAIL_AUTO);
	lab_free(lab);
}

static void test_suggest(void **state)
{
	static const struct {
		enum lab_section section;
		const char *key, *like;
	} rows[] = {
		{LAB_SECTION_VM, "memry", "memory"},
		{LAB_SECTION_VM, "cpu_s", "cpus"},
		{LAB_SECTION_VM, "disk", "disks"},
		{LAB_SECTION_VM, "auto_start", "autostart"},
		{LAB_SECTION_NETWORK, "adress", "address"},
		{LAB_SECTION_NETWORK, "memry", NULL},
		{LAB_SECTION_NIC, "modle", "model"},
		{LAB_SECTION_DISK, "readonly", "read_only"},
		{LAB_SECTION_VM, "limit", "limits"},
		{LAB_SECTION_LIMITS, "cpu", "cpus"},
		{LAB_SECTION_LIMITS, "memory", NULL},
		{LAB_SECTION_VM, "wallpaper", NULL},
		{LAB_SECTION_VM, "memory_memory_memory_memory_memory", NULL},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		const char *like = lab_schema_suggest(rows[i].section, rows[i].key);

		if (!rows[i].like)
			assert_null(like);
		else
			assert_string_equal(like ? like : "none", rows[i].like);
	}
}

/* Words of the configuration and back, for each enum. */
static void test_words(void **state)
{
	static const char *const firmware[] = {"uefi", "secure-boot", "bios"};
	static const char *const bus[] = {"virtio", "sata", "scsi", "nvme"};
	static const char *const model[] = {"virtio", "e1000e", "e1000"};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(bus); i++) {
		cleanup_free char *text = str_printf(
			"networks: {n: {bridge: b, address: 10.0.0.1/24}}\n"
			"vms: {a: {firmware: %s, disks: [{path: /d, bus: %s}],"
			" nics: [{network: n, model: %s}]}}\n",
			firmware[i % ARRAY_SIZE(firmware)], bus[i], model[i % ARRAY_SIZE(model)]);
		struct lab *lab = parse_lab(text);
		const struct spec_vm *vm = &lab->vms[0];

		assert_string_equal(spec_firmware_name(vm->firmware),
				    firmware[i % ARRAY_SIZE(firmware)]);
		assert_string_equal(spec_bus_name(vm->disks[0].bus), bus[i]);
		assert_string_equal(spec_nic_model_name(vm->nics[0].model),
				    model[i % ARRAY_SIZE(model)]);
		lab_free(lab);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_rows),
		cmocka_unit_test(test_defaults),
		cmocka_unit_test(test_suggest),
		cmocka_unit_test(test_words),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
