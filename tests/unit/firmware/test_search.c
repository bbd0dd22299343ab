/* SPDX-License-Identifier: MIT */
/* The search through folders: order, override, hiding. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/cleanup.h"
#include "base/error.h"
#include "base/file.h"
#include "firmware/descriptor.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>

static char top[64], low[80], high[80];
static const struct firmware_want uefi = {.arch = "x86_64", .machine = "pc-q35-7.2"};

static int setup(void **state)
{
	(void)state;
	(void)str_format(top, sizeof(top), "/tmp/hv-test-firmware-XXXXXX");
	if (!mkdtemp(top))
		return -1;
	(void)str_format(low, sizeof(low), "%s/low", top);
	(void)str_format(high, sizeof(high), "%s/high", top);
	return mkdir(low, 0700) < 0 || mkdir(high, 0700) < 0 ? -1 : 0;
}

static int teardown(void **state)
{
	(void)state;
	return file_remove_tree(AT_FDCWD, top, NULL);
}

static void put(const char *dir, const char *name, const char *text)
{
	cleanup_close int dirfd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	assert_int_equal(file_write_volatile(dirfd, name, text, strlen(text), 0644, NULL), 0);
}

/* A descriptor whose firmware is called so; with files, it exists. */
static void put_firmware(const char *dir, const char *name, const char *firmware, bool files)
{
	cleanup_free char *text = str_printf(
		"{\"interface-types\": [\"uefi\"], \"mapping\": {\"device\": \"flash\", "
		"\"executable\": {\"filename\": \"%s/%s.code\", \"format\": \"raw\"}, "
		"\"nvram-template\": {\"filename\": \"%s/%s.vars\", \"format\": \"raw\"}}, "
		"\"targets\": [{\"architecture\": \"x86_64\", \"machines\": [\"pc-q35-*\"]}], "
		"\"features\": [], \"tags\": []}",
		top, firmware, top, firmware);
	cleanup_free char *code = str_printf("%s.code", firmware);
	cleanup_free char *vars = str_printf("%s.vars", firmware);

	put(dir, name, text);
	if (files) {
		put(top, code, "");
		put(top, vars, "");
	}
}

static void expect_found(const char *dir, const char *name, const char *firmware)
{
	const char *const dirs[] = {low, high, NULL};
	cleanup_free char *descriptor = str_printf("%s/%s", dir, name);
	cleanup_free char *code = str_printf("%s/%s.code", top, firmware);
	struct firmware_found found;
	struct error err = ERROR_INIT;

	if (firmware_find(dirs, &uefi, &found, &err) < 0)
		fail_msg("%s", err.text);
	assert_string_equal(found.descriptor, descriptor);
	assert_string_equal(found.code, code);
	firmware_found_free(&found);
}

static void expect_none(const char *why)
{
	const char *const dirs[] = {low, high, NULL};
	struct firmware_found found = {.code = (char *)"untouched"};
	struct error err = ERROR_INIT;

	assert_int_equal(firmware_find(dirs, &uefi, &found, &err), -ENOENT);
	assert_string_equal(found.code, "untouched");
	if (!strstr(err.text, why))
		fail_msg("'%s' is not in '%s'", why, err.text);
	assert_non_null(strstr(err.text, "apt install ovmf"));
}

static void test_nothing(void **state)
{
	const char *const dirs[] = {"/nowhere/at/all", NULL}, *const none[] = {NULL};
	struct firmware_found found;

	(void)state;
	expect_none("no descriptor at all");
	assert_int_equal(firmware_find(dirs, &uefi, &found, NULL), -ENOENT);
	assert_int_equal(firmware_find(none, &uefi, &found, NULL), -ENOENT);
}

static void test_order_of_names(void **state)
{
	(void)state;
	put_firmware(low, "60-b.json", "b", true);
	expect_found(low, "60-b.json", "b");
	/* The name decides, whatever folder it is in. */
	put_firmware(low, "50-a.json", "a", true);
	expect_found(low, "50-a.json", "a");
	put_firmware(high, "70-c.json", "c", true);
	expect_found(low, "50-a.json", "a");
	put_firmware(high, "40-d.json", "d", true);
	expect_found(high, "40-d.json", "d");
}

static void test_override(void **state)
{
	(void)state;
	put_firmware(low, "50-a.json", "low", true);
	put_firmware(high, "50-a.json", "high", true);
	expect_found(high, "50-a.json", "high");
	/* Also by one that does not fit. */
	put(high, "50-a.json", "{}");
	expect_none("50-a.json: no UEFI");
	put_firmware(low, "60-b.json", "b", true);
	expect_found(low, "60-b.json", "b");
}

static void test_hidden_by_an_empty_file(void **state)
{
	cleanup_free char *link = str_printf("%s/60-b.json", high);

	(void)state;
	put_firmware(low, "50-a.json", "a", true);
	put_firmware(low, "60-b.json", "b", true);
	put(high, "50-a.json", "");
	expect_found(low, "60-b.json", "b");
	/* As distributions do it, too. */
	assert_int_equal(symlink("/dev/null", link), 0);
	expect_none("60-b.json: switched off");
	/* An empty file below hides nothing above. */
	put(low, "70-c.json", "");
	put_firmware(high, "70-c.json", "c", true);
	expect_found(high, "70-c.json", "c");
}

static void test_files_that_are_not_there(void **state)
{
	cleanup_free char *vars = str_printf("%s/a.vars", top);

	(void)state;
	put_firmware(low, "50-a.json", "a", false);
	expect_none("50-a.json: the files it names are not there");
	put_firmware(low, "50-a.json", "a", true);
	expect_found(low, "50-a.json", "a");
	assert_int_equal(unlink(vars), 0);
	expect_none("not there");
}

/* One bad file is told, and does not keep the others from being found. */
static void test_bad_files(void **state)
{
	cleanup_free char *large = malloc(300 * 1024), *folder = str_printf("%s/30-x.json", low);

	(void)state;
	memset(large, ' ', 300 * 1024);
	large[300 * 1024 - 1] = '\0';
	put(low, "10-broken.json", "{\"a\": \x1b[2J");
	put(low, "20-large.json", large);
	assert_int_equal(mkdir(folder, 0700), 0);
	expect_none("10-broken.json: line 1");
	expect_none("; 20-large.json: ");
	expect_none("; 30-x.json: ");
	put_firmware(low, "90-good.json", "good", true);
	expect_found(low, "90-good.json", "good");
}

static void test_names_that_are_no_descriptors(void **state)
{
	static const char *const names[] = {".50-a.json", "50-a.json~", "50-a.json.dpkg-old",
					    "50-a",       ".json",      "README"};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(names); i++)
		put_firmware(low, names[i], "a", true);
	expect_none("no descriptor at all");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_nothing, setup, teardown),
		cmocka_unit_test_setup_teardown(test_order_of_names, setup, teardown),
		cmocka_unit_test_setup_teardown(test_override, setup, teardown),
		cmocka_unit_test_setup_teardown(test_hidden_by_an_empty_file, setup, teardown),
		cmocka_unit_test_setup_teardown(test_files_that_are_not_there, setup, teardown),
		cmocka_unit_test_setup_teardown(test_bad_files, setup, teardown),
		cmocka_unit_test_setup_teardown(test_names_that_are_no_descriptors, setup,
						teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
