/* SPDX-License-Identifier: MIT */
/* Which descriptor fits what is wanted. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/cleanup.h"
#include "base/error.h"
#include "descriptors.h"
#include "firmware/descriptor.h"

#include <errno.h>

static const struct firmware_want uefi = {.arch = "x86_64", .machine = "pc-q35-7.2"};
static const struct firmware_want secure = {
	.secure_boot = true, .arch = "x86_64", .machine = "pc-q35-7.2"};

static int match(const char *text, const struct firmware_want *want, struct firmware_found *found,
		 struct strbuf *why, struct error *err)
{
	/* A copy without a NUL behind it: what is read beyond is found. */
	size_t len = strlen(text);
	char *copy = malloc(len ? len : 1);
	int rc;

	assert_non_null(copy);
	memcpy(copy, text, len);
	rc = firmware_match(copy, len, want, found, why, err);
	free(copy);
	return rc;
}

static void expect_fit(const char *text, const struct firmware_want *want,
		       struct firmware_found *ret_found)
{
	cleanup_strbuf struct strbuf why = {0};
	struct error err = ERROR_INIT;

	*ret_found = (struct firmware_found){0};
	if (match(text, want, ret_found, &why, &err) != 1)
		fail_msg("%s: %s%s", text, why.data ? why.data : "", err.text);
	assert_null(why.data);
}

static void test_fits(void **state)
{
	struct firmware_found found;

	(void)state;
	expect_fit(PLAIN, &uefi, &found);
	assert_string_equal(found.code, CODE);
	assert_string_equal(found.vars_template, VARS);
	assert_null(found.descriptor);
	assert_false(found.smm || found.code_qcow2 || found.vars_qcow2);
	firmware_found_free(&found);
	assert_null(found.code);
	expect_fit(SECURE, &secure, &found);
	assert_true(found.smm);
	firmware_found_free(&found);
}

static void test_formats(void **state)
{
	struct firmware_found found;

	(void)state;
	expect_fit(DESCRIPTOR("[\"bios\", \"uefi\"]",
			      "{\"device\": \"flash\", \"executable\": {\"filename\": \"/c\", "
			      "\"format\": \"qcow2\"}, \"nvram-template\": {\"filename\": \"/v\", "
			      "\"format\": \"qcow2\"}}",
			      Q35, "[]"),
		   &uefi, &found);
	assert_true(found.code_qcow2 && found.vars_qcow2);
	assert_string_equal(found.code, "/c");
	firmware_found_free(&found);
}

static void test_does_not_fit(void **state)
{
	static const struct {
		const char *text;
		const struct firmware_want *want;
		const char *why;
	} rows[] = {
		{PLAIN, &secure, "no Secure Boot"},
		{SECURE, &uefi, "made for Secure Boot"},
		{DESCRIPTOR("[\"uefi\"]", MAPPING, Q35, "[\"secure-boot\", \"requires-smm\"]"),
		 &secure, "no Secure Boot"},
		{DESCRIPTOR("[\"uefi\"]", MAPPING, Q35, "[\"secure-boot\", \"enrolled-keys\"]"),
		 &secure, "no Secure Boot"},
		{DESCRIPTOR("[\"uefi\"]", MAPPING, Q35, "[\"enrolled-keys\", \"requires-smm\"]"),
		 &secure, "no Secure Boot"},
		{DESCRIPTOR("[\"uefi\"]", MAPPING, Q35, "[\"requires-smm\"]"), &uefi,
		 "made for Secure Boot"},
		{DESCRIPTOR("[\"bios\"]", MAPPING, Q35, "[]"), &uefi, "no UEFI"},
		{DESCRIPTOR("[]", MAPPING, Q35, "[]"), &uefi, "no UEFI"},
		{DESCRIPTOR("\"uefi\"", MAPPING, Q35, "[]"), &uefi, "no UEFI"},
		{DESCRIPTOR("[\"uefi\"]", "{\"device\": \"memory\", \"filename\": \"/x\"}", Q35,
			    "[]"),
		 &uefi, "flash"},
		{DESCRIPTOR("[\"uefi\"]", "{}", Q35, "[]"), &uefi, "flash"},
		{DESCRIPTOR("[\"uefi\"]", "7", Q35, "[]"), &uefi, "flash"},
		{DESCRIPTOR(
			 "[\"uefi\"]",
			 "{\"device\": \"flash\", \"mode\": \"stateless\", \"executable\": " EXECUTABLE
			 "}",
			 Q35, "[]"),
		 &uefi, "two files"},
		{DESCRIPTOR(
			 "[\"uefi\"]",
			 "{\"device\": \"flash\", \"mode\": \"combined\", \"executable\": " EXECUTABLE
			 "}",
			 Q35, "[]"),
		 &uefi, "two files"},
		{DESCRIPTOR("[\"uefi\"]", MAPPING,
			    "[{\"architecture\": \"aarch64\", \"machines\": [\"pc-q35-*\"]}]",
			    "[]"),
		 &uefi, "machine type"},
		{DESCRIPTOR("[\"uefi\"]", MAPPING,
			    "[{\"architecture\": \"x86_64\", \"machines\": [\"pc-i440fx-*\", "
			    "\"microvm\"]}]",
			    "[]"),
		 &uefi, "machine type"},
		{DESCRIPTOR("[\"uefi\"]", MAPPING,
			    "[{\"architecture\": \"x86_64\", \"machines\": [\"q35\"]}]", "[]"),
		 &uefi, "machine type"},
		{DESCRIPTOR("[\"uefi\"]", MAPPING, "[]", "[]"), &uefi, "machine type"},
		{DESCRIPTOR("[\"uefi\"]", MAPPING,
			    "[7, {}, {\"architecture\": \"x86_64\", "
			    "\"machines\": [7, null]}]",
			    "[]"),
		 &uefi, "machine type"},
		{DESCRIPTOR("[\"uefi\"]", "{\"device\": \"flash\", \"executable\": " EXECUTABLE "}",
			    Q35, "[]"),
		 &uefi, "no absolute path"},
		{DESCRIPTOR("[\"uefi\"]",
			    "{\"device\": \"flash\", \"nvram-template\": " TEMPLATE "}", Q35, "[]"),
		 &uefi, "no absolute path"},
		{DESCRIPTOR("[\"uefi\"]",
			    "{\"device\": \"flash\", \"executable\": {\"filename\": \"CODE.fd\", "
			    "\"format\": \"raw\"}, \"nvram-template\": " TEMPLATE "}",
			    Q35, "[]"),
		 &uefi, "no absolute path"},
		{DESCRIPTOR("[\"uefi\"]",
			    "{\"device\": \"flash\", \"executable\": " EXECUTABLE
			    ", \"nvram-template\": {\"filename\": \"/v\", \"format\": \"vmdk\"}}",
			    Q35, "[]"),
		 &uefi, "no absolute path"},
		{"{}", &uefi, "no UEFI"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		cleanup_strbuf struct strbuf why = {0};
		struct firmware_found found = {.code = (char *)"untouched"};
		struct error err = ERROR_INIT;
		int rc = match(rows[i].text, rows[i].want, &found, &why, &err);

		if (rc != 0 || !why.data || !strstr(why.data, rows[i].why))
			fail_msg("row %zu: %d, '%s' in place of '%s'", i, rc,
				 why.data ? why.data : "", rows[i].why);
		assert_string_equal(found.code, "untouched");
	}
}

static void test_machines_are_patterns(void **state)
{
	static const struct {
		const char *machine, *arch;
		bool fits;
	} rows[] = {
		{"pc-q35-7.2", "x86_64", true},    {"pc-q35-0", "x86_64", true},
		{"pc-i440fx-2.0", "x86_64", true}, {"q35", "x86_64", false},
		{"virt-7.2", "x86_64", false},     {"pc-q35-7.2", "i386", false},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct firmware_want want = {.arch = rows[i].arch, .machine = rows[i].machine};
		cleanup_strbuf struct strbuf why = {0};
		struct firmware_found found = {0};

		assert_int_equal(match(PLAIN, &want, &found, &why, NULL), rows[i].fits);
		firmware_found_free(&found);
	}
}

static void test_malformed(void **state)
{
	static const char *const rows[] = {
		"", "x", "7", "null", "{", "{\"a\": 1, \"a\": 2}", "{}{}", "{\"a\": \"\xff\"}",
	};
	struct firmware_found found = {0};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		cleanup_strbuf struct strbuf why = {0};
		struct error err = ERROR_INIT;

		if (match(rows[i], &uefi, &found, &why, &err) != -EINVAL)
			fail_msg("taken: %s", rows[i]);
		assert_int_equal(err.code, EINVAL);
	}
	/* Every good one, cut anywhere. */
	for (size_t cut = 0; cut < strlen(SECURE); cut++) {
		cleanup_free char *head = strndup(SECURE, cut);
		cleanup_strbuf struct strbuf why = {0};

		assert_int_equal(match(head, &secure, &found, &why, NULL), -EINVAL);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_fits),         cmocka_unit_test(test_formats),
		cmocka_unit_test(test_does_not_fit), cmocka_unit_test(test_machines_are_patterns),
		cmocka_unit_test(test_malformed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
