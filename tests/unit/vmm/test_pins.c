/* SPDX-License-Identifier: MIT */
/* state.json: what comes back is what went in, and nothing is guessed at. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/cleanup.h"
#include "base/error.h"
#include "base/file.h"
#include "base/str.h"
#include "vmm/pins.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>

static void expect_same(const struct vm_pins *a, const struct vm_pins *b)
{
	const char *texts[][2] = {
		{a->machine, b->machine}, {a->cpu, b->cpu}, {a->last_error, b->last_error}};

	for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
		assert_int_equal(!texts[i][0], !texts[i][1]);
		if (texts[i][0])
			assert_string_equal(texts[i][0], texts[i][1]);
	}
	assert_int_equal(a->tpm_used, b->tpm_used);
	assert_int_equal(a->crashed, b->crashed);
	assert_int_equal(a->lean, b->lean);
	assert_int_equal(a->n_devices, b->n_devices);
	for (size_t i = 0; i < a->n_devices; i++) {
		const struct vm_pin *pin = &a->devices[i];
		const struct vm_pin *other = vm_pins_find(b, pin->key);

		assert_non_null(other);
		assert_int_equal(pin->place, other->place);
		assert_int_equal(pin->has_mac, other->has_mac);
		assert_memory_equal(pin->mac, other->mac, 6);
	}
}

static void add(struct vm_pins *pins, const char *key, unsigned place, const char *mac)
{
	struct vm_pin *pin;

	assert_int_equal(vm_pins_add(pins, key, place, &pin, NULL), 0);
	if (mac) {
		memcpy(pin->mac, mac, 6);
		pin->has_mac = true;
	}
}

static void fill(struct vm_pins *pins)
{
	*pins = (struct vm_pins){
		.machine = strdup("pc-q35-7.2"),
		.cpu = strdup("host"),
		.tpm_used = true,
		.crashed = true,
		.lean = true,
		.last_error = strdup("QEMU was killed by SIGKILL: \"\xc3\xbc\", line 1\nline 2"),
	};
	add(pins, "pci/nic/lab-net/0", 6, "\x52\x54\x00\xff\x0a\x00");
	add(pins, "pci/disk/homelab/dc01.qcow2", 27, NULL);
	add(pins, "scsi/disk//srv/a \"b\", c.qcow2", 63, NULL);
	add(pins, "sata/cdrom/0", 0, NULL);
}

static void test_round_trip(void **state)
{
	struct vm_pins pins, back = {0}, none = {0};

	(void)state;
	fill(&pins);
	for (int i = 0; i < 2; i++) {
		const struct vm_pins *from = i ? &none : &pins;
		cleanup_free char *text = vm_pins_encode(from), *again = NULL;
		struct error err = ERROR_INIT;

		assert_non_null(text);
		if (vm_pins_decode(text, &back, &err) < 0)
			fail_msg("%s", err.text);
		expect_same(from, &back);
		again = vm_pins_encode(&back);
		assert_string_equal(text, again);
		vm_pins_free(&back);
	}
	assert_null(vm_pins_find(&pins, "pci/nic/lab-net/1"));
	vm_pins_free(&pins);
	assert_int_equal(pins.n_devices, 0);
	vm_pins_free(&pins);
}

/* A path in the last error need not be UTF-8; the file is written all the same. */
static void test_last_error_that_is_not_utf8(void **state)
{
	struct vm_pins pins = {.last_error = (char *)"open '/srv/\xff.iso'"}, back = {0};
	cleanup_free char *text = vm_pins_encode(&pins);

	(void)state;
	assert_non_null(text);
	assert_int_equal(vm_pins_decode(text, &back, NULL), 0);
	assert_string_equal(back.last_error, "open '/srv/\\xff.iso'");
	vm_pins_free(&back);
}

static void test_load_and_save(void **state)
{
	char dir[] = "/tmp/hv-test-pins-XXXXXX";
	cleanup_close int dirfd = -1;
	struct vm_pins pins, back = {0};
	struct error err = ERROR_INIT;

	(void)state;
	assert_non_null(mkdtemp(dir));
	dirfd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	assert_true(dirfd >= 0);
	/* Before the first start there is none. */
	assert_int_equal(vm_pins_load(dirfd, &back, NULL), 0);
	assert_int_equal(back.n_devices, 0);
	assert_null(back.machine);
	assert_true(back.lean);
	fill(&pins);
	assert_int_equal(vm_pins_save(dirfd, &pins, NULL), 0);
	assert_int_equal(vm_pins_load(dirfd, &back, NULL), 0);
	expect_same(&pins, &back);
	vm_pins_free(&back);
	vm_pins_free(&pins);
	/* A file that was cut short is an error that tells the way out. */
	assert_int_equal(
		file_write_volatile(dirfd, "state.json", "{\"version\": 1", 13, 0644, NULL), 0);
	assert_int_equal(vm_pins_load(dirfd, &back, &err), -EINVAL);
	assert_non_null(strstr(err.text, "state.json"));
	assert_non_null(strstr(err.text, "remove it"));
	assert_int_equal(back.n_devices, 0);
	assert_int_equal(file_remove_tree(AT_FDCWD, dir, NULL), 0);
}

/* Every prefix of a good text is refused. */
static void test_cut_short(void **state)
{
	cleanup_free char *text = NULL;
	struct vm_pins pins, back = {0};

	(void)state;
	fill(&pins);
	text = vm_pins_encode(&pins);
	assert_non_null(text);
	for (size_t cut = strlen(text); cut-- > 0;) {
		text[cut] = '\0';
		assert_int_equal(vm_pins_decode(text, &back, NULL), -EINVAL);
	}
	vm_pins_free(&pins);
}

static void test_refused(void **state)
{
	static const char *const rows[] = {
		"",
		"null",
		"[]",
		"{}",
		"{\"version\": 1}",
		"{\"devices\": {}}",
		"{\"version\": 2, \"devices\": {}}",
		"{\"version\": 0, \"devices\": {}}",
		"{\"version\": \"1\", \"devices\": {}}",
		"{\"version\": 4294967297, \"devices\": {}}",
		"{\"version\": 1, \"devices\": []}",
		"{\"version\": 1, \"devices\": null}",
		"{\"version\": 1, \"version\": 1, \"devices\": {}}",
		"{\"version\": 1, \"devices\": {}} x",
		"{\"version\": 1, \"machine\": 7, \"devices\": {}}",
		"{\"version\": 1, \"machine\": null, \"devices\": {}}",
		"{\"version\": 1, \"cpu\": [], \"devices\": {}}",
		"{\"version\": 1, \"tpm-used\": 1, \"devices\": {}}",
		"{\"version\": 1, \"crashed\": \"no\", \"devices\": {}}",
		"{\"version\": 1, \"last-error\": {}, \"devices\": {}}",
		"{\"version\": 1, \"devices\": {\"a\": 6}}",
		"{\"version\": 1, \"devices\": {\"a\": {}}}",
		"{\"version\": 1, \"devices\": {\"a\": {\"place\": \"6\"}}}",
		"{\"version\": 1, \"devices\": {\"a\": {\"place\": 6.0}}}",
		"{\"version\": 1, \"devices\": {\"a\": {\"place\": -1}}}",
		"{\"version\": 1, \"devices\": {\"a\": {\"place\": 4097}}}",
		"{\"version\": 1, \"devices\": {\"a\": {\"place\": 4294967302}}}",
		"{\"version\": 1, \"devices\": {\"a\": {\"place\": 18446744073709551622}}}",
		"{\"version\": 1, \"devices\": {\"a\": {\"place\": 6}, \"a\": {\"place\": 7}}}",
		"{\"version\": 1, \"devices\": {\"a\": {\"place\": 6, \"mac\": 7}}}",
		"{\"version\": 1, \"devices\": {\"a\": {\"place\": 6, \"mac\": \"\"}}}",
		"{\"version\": 1, \"devices\": {\"a\": {\"place\": 6, \"mac\": \"52:54:00:00:00\"}}}",
		"{\"version\": 1, \"devices\": {\"a\": {\"place\": 6, \"mac\": "
		"\"52:54:00:00:00:0g\"}}}",
		"{\"version\": 1, \"devices\": {\"a\": {\"place\": 6, \"mac\": "
		"\"52-54-00-00-00-00\"}}}",
		"{\"version\": 1, \"devices\": {\"a\": {\"place\": 6, \"mac\": "
		"\"52:54:00:00:00:00:\"}}}",
		"{\"version\": 1, \"devices\": {\"\\u0000\": {\"place\": 6}}}",
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct error err = ERROR_INIT;
		struct vm_pins pins = {0};

		if (vm_pins_decode(rows[i], &pins, &err) != -EINVAL)
			fail_msg("taken: %s", rows[i]);
		assert_int_equal(err.code, EINVAL);
		assert_true(strlen(err.text) > 0);
		assert_null(pins.devices);
	}
}

/* Keys of a newer hvup of the same format are passed over. */
static void test_unknown_keys(void **state)
{
	struct vm_pins pins = {0};

	(void)state;
	assert_int_equal(vm_pins_decode("{\"version\": 1, \"later\": [], \"devices\": {\"a\": "
					"{\"place\": 0, \"more\": 1}, \"b\": {\"place\": 4096}}}",
					&pins, NULL),
			 0);
	assert_int_equal(pins.n_devices, 2);
	assert_int_equal(vm_pins_find(&pins, "b")->place, 4096);
	assert_false(vm_pins_find(&pins, "a")->has_mac);
	vm_pins_free(&pins);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_round_trip),
		cmocka_unit_test(test_load_and_save),
		cmocka_unit_test(test_cut_short),
		cmocka_unit_test(test_refused),
		cmocka_unit_test(test_unknown_keys),
		cmocka_unit_test(test_last_error_that_is_not_utf8),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
