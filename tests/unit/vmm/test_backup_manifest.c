/* SPDX-License-Identifier: MIT */
/* Manifests of backups: there and back, and such as nobody of ours wrote. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/cleanup.h"
#include "base/error.h"
#include "base/str.h"
#include "vmm/backup/backup_manifest.h"
#include "vmm/layers/layers.h"

#include <errno.h>

#define SUM "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
#define FILE_OF(name) "\"file\": \"" name "\", \"bytes\": 5, \"sha256\": \"" SUM "\""
#define DISK(name, backing)                                                                  \
	"{" FILE_OF(name) ", \"name\": \"p/a\", \"virtual_bytes\": 9, \"backing\": " backing \
			  ", \"bitmap\": null}"
#define GENERATION(n, disk)                                                               \
	"{\"generation\": " n ", \"time\": \"2026-11-21T14:51:48Z\", \"running\": true, " \
	"\"frozen\": false, \"disks\": [" disk                                            \
	"], \"nvram\": null, \"tpm\": null, \"config\": {}, "                             \
	"\"state\": {}}"
#define ALL(generations)                                                                         \
	"{\"hv-backup\": 1, \"vm\": \"a\", \"uuid\": \"0d9f6c4e-5c7c-4b7e-8f6e-3f3c2b7d7a01\", " \
	"\"generations\": [" generations "]}"

static void test_there_and_back(void **state)
{
	cleanup_backup_manifest struct backup_manifest m = {.n = 0}, again = {.n = 0};
	cleanup_free char *text = NULL;
	struct error err = ERROR_INIT;

	(void)state;
	if (backup_manifest_decode(
		    ALL(GENERATION("0", DISK("disk0.0.qcow2", "null")) ", " GENERATION(
			    "1", DISK("disk0.1.qcow2", "\"disk0.0.qcow2\""))),
		    &m, &err) < 0)
		fail_msg("%s", err.text);
	text = backup_manifest_encode(&m);
	assert_non_null(text);
	assert_int_equal(backup_manifest_decode(text, &again, NULL), 0);
	assert_int_equal(again.n, 2);
	assert_string_equal(again.vm, "a");
	assert_true(again.generations[1].running);
	assert_false(again.generations[1].frozen);
	assert_string_equal(again.generations[1].disks[0].backing, "disk0.0.qcow2");
	assert_string_equal(again.generations[1].disks[0].file.sha256, SUM);
	assert_int_equal(again.generations[1].disks[0].virtual_bytes, 9);
	assert_string_equal(again.generations[0].disks[0].backing, "");
	assert_string_equal(again.generations[0].nvram.name, "");
	assert_int_equal(backup_chain_length(&again, 0, &again.generations[1].disks[0]), 2);
	assert_ptr_equal(backup_find_disk(&again, 0, "disk0.0.qcow2"),
			 &again.generations[0].disks[0]);
	assert_null(backup_find_disk(&again, 1, "disk0.0.qcow2"));
}

static void test_hostile(void **state)
{
	static const char *const bad[] = {
		"",
		"[]",
		"{}",
		"{\"hv-backup\": 2}",
		ALL("{}"),
		ALL(GENERATION("1", "")),
		ALL(GENERATION("0", "3")),
		ALL(GENERATION("0", DISK("../disk0.0.qcow2", "null"))),
		ALL(GENERATION("0", DISK("/etc/shadow", "null"))),
		ALL(GENERATION("0", DISK("manifest.json", "null"))),
		ALL(GENERATION("0", DISK("disk0.0.qcow2", "\"disk0.0.qcow2\""))),
		ALL(GENERATION("0", DISK("disk0.0.qcow2", "\"/etc/shadow\""))),
		ALL(GENERATION("0", DISK("disk0.0.qcow2", "null")) ", " GENERATION(
			"1", DISK("disk0.0.qcow2", "null"))),
		ALL(GENERATION("0", DISK("disk0.0.qcow2\\u0000", "null"))),
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		struct backup_manifest m;
		struct error err = ERROR_INIT;

		if (backup_manifest_decode(bad[i], &m, &err) != -EINVAL)
			fail_msg("taken: %s", bad[i]);
		assert_non_null(strstr(err.text, BACKUP_MANIFEST));
	}
}

/* More images on each other than a restore opens. */
static void test_long_chain(void **state)
{
	cleanup_strbuf struct strbuf text = {0};
	struct backup_manifest m;

	(void)state;
	strbuf_addf(&text, "{\"hv-backup\": 1, \"vm\": \"a\", \"uuid\": "
			   "\"0d9f6c4e-5c7c-4b7e-8f6e-3f3c2b7d7a01\", \"generations\": [");
	for (int i = 0; i <= BACKUP_LAYERS_MAX; i++) {
		cleanup_free char *backing =
			i ? str_printf("\"disk0.%d.qcow2\"", i - 1) : strdup("null");

		strbuf_addf(&text,
			    "%s{\"generation\": %d, \"time\": \"t\", \"disks\": [{\"file\": "
			    "\"disk0.%d.qcow2\", \"bytes\": 1, \"sha256\": \"" SUM "\", \"name\": "
			    "\"x\", \"virtual_bytes\": 1, \"backing\": %s, \"bitmap\": null}], "
			    "\"nvram\": null, \"tpm\": null, \"config\": {}, \"state\": {}}",
			    i ? ", " : "", i, i, backing);
	}
	strbuf_addf(&text, "]}");
	assert_int_equal(backup_manifest_decode(text.data, &m, NULL), -EINVAL);
}

static void test_names(void **state)
{
	static const char *const good[] = {"disk0.0.qcow2", "disk12.345.qcow2", "nvram.1.qcow2",
					   "tpm.7.permall"};
	static const char *const bad[] = {"",
					  "disk.0.qcow2",
					  "disk0.qcow2",
					  "disk0.0.raw",
					  "disk0..qcow2",
					  "nvram.qcow2",
					  "tpm.0.qcow2",
					  "xdisk0.0.qcow2",
					  "disk0.0.qcow2/",
					  "disk0.999999.qcow2"};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(good); i++)
		assert_true(backup_is_file_name(good[i]));
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
		assert_false(backup_is_file_name(bad[i]));
}

static void expect_layer(const char *path, const char *name)
{
	cleanup_free char *made = layers_name(path, "t");

	assert_string_equal(made, name);
}

static void test_layer_names(void **state)
{
	(void)state;
	expect_layer("/f/dc01.qcow2", "/f/dc01@t.qcow2");
	expect_layer("/f.d/dc01", "/f.d/dc01@t");
	expect_layer("/f/.hidden", "/f/.hidden@t");
	expect_layer("/f/a.b.qcow2", "/f/a.b@t.qcow2");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_there_and_back), cmocka_unit_test(test_hostile),
		cmocka_unit_test(test_long_chain),     cmocka_unit_test(test_names),
		cmocka_unit_test(test_layer_names),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
