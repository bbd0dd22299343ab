/* SPDX-License-Identifier: MIT */
/* Credentials, OEM strings and vsock in the configuration. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/cleanup.h"
#include "tests/unit/lab/parse.h"

static void test_sources(void **state)
{
	struct lab *lab = parse_lab("profiles: {p: {credentials: {gone: {text: x}}}}\n"
				    "vms:\n"
				    "  a:\n"
				    "    profile: p\n"
				    "    credentials:\n"
				    "      f: {file: /etc/x}\n"
				    "      my.text_1-2: {text: \"a\\nb\"}\n"
				    "      u: {from: unit}\n"
				    "      e: {encrypted: /etc/y.cred}\n"
				    "    oem-strings: [one, \"two=2,3\"]\n"
				    "  b: {profile: p}\n"
				    "  c: {profile: p, credentials: {}}\n");
	const struct spec_vm *a = &lab->vms[0];

	(void)state;
	assert_int_equal(a->n_credentials, 4);
	assert_int_equal(a->credentials[0].source, SPEC_CREDENTIAL_FILE);
	assert_string_equal(a->credentials[0].file, "/etc/x");
	assert_int_equal(a->credentials[1].source, SPEC_CREDENTIAL_TEXT);
	assert_string_equal(a->credentials[1].name, "my.text_1-2");
	assert_string_equal(a->credentials[1].text, "a\nb");
	assert_int_equal(a->credentials[2].source, SPEC_CREDENTIAL_UNIT);
	assert_int_equal(a->credentials[3].source, SPEC_CREDENTIAL_ENCRYPTED);
	assert_string_equal(a->credentials[3].encrypted, "/etc/y.cred");
	assert_int_equal(a->n_oem_strings, 2);
	assert_string_equal(a->oem_strings[1], "two=2,3");
	assert_int_equal(lab->vms[1].n_credentials, 1);
	assert_int_equal(lab->vms[2].n_credentials, 0);
	lab_free(lab);
}

/* No fault shows a value: a secret that stands in the wrong place stays one. */
static void test_faults(void **state)
{
	static const struct fault_row rows[] = {
		{"vms: {a: {credentials: s3cret}}\n",
		 "1:24: credentials: has to be a map of names, not text\n"},
		{"vms: {a: {credentials: {x: s3cret}}}\n",
		 "1:28: credential 'x' has to be a map, as in {file: /PATH}, not text\n"},
		{"vms: {a: {credentials: {x: {}}}}\n",
		 "1:28: credential 'x' needs one of file:, text:, from: and encrypted:\n"},
		{"vms: {a: {credentials: {x: {text: a, file: /b}}}}\n",
		 "1:28: credential 'x' needs one of file:, text:, from: and encrypted:, not "
		 "several\n"},
		{"vms: {a: {credentials: {x: {file: b}}}}\n",
		 "1:35: file: 'b' is not an absolute path\n"},
		{"vms: {a: {credentials: {x: {from: me}}}}\n",
		 "1:35: from: 'me' is none of: unit\n"},
		{"vms: {a: {credentials: {\"a=b\": {text: x}}}}\n",
		 "1:25: 'a=b' is not a credential's name: up to 64 letters, digits and _ . - only, "
		 "and no dot at its beginning\n"},
		{"vms: {a: {credentials: {.a: {text: x}}}}\n",
		 "1:25: '.a' is not a credential's name: up to 64 letters, digits and _ . - only, "
		 "and no dot at its beginning\n"},
		{"vms: {a: {oem-strings: x}}\n",
		 "1:24: oem-strings: has to be a list of text, not text\n"},
		{"vms: {a: {oem-strings: [\"a\\nb\", [], \"\"]}}\n",
		 "1:25: oem-strings: an entry has to be text of 1 to 1024 bytes without control "
		 "characters\n"
		 "1:33: oem-strings: an entry has to be text of 1 to 1024 bytes without control "
		 "characters\n"
		 "1:37: oem-strings: an entry has to be text of 1 to 1024 bytes without control "
		 "characters\n"},
	};

	(void)state;
	assert_fault_rows(rows, ARRAY_SIZE(rows));
}

static void test_vsock(void **state)
{
	struct lab *lab = parse_lab("vms:\n"
				    "  a: {vsock: auto}\n"
				    "  b: {vsock: auto}\n"
				    "  c: {vsock: 3}\n"
				    "  d: {vsock: no}\n"
				    "  e: {}\n"
				    "  f: {vsock: 4294967294}\n"),
		   *again = parse_lab("vms: {x: {uuid: "
				      "4c82c973-7299-468e-bf15-d442ee681475, vsock: auto}}\n");
	const struct spec_vm *v = lab->vms;

	(void)state;
	assert_int_equal(v[0].vsock, SPEC_VSOCK_AUTO);
	assert_true(v[0].vsock_cid >= 0x40000000U && v[0].vsock_cid <= 0x7fffffffU);
	assert_int_not_equal(v[0].vsock_cid, v[1].vsock_cid);
	assert_int_equal(v[2].vsock, SPEC_VSOCK_CID);
	assert_int_equal(v[2].vsock_cid, 3);
	assert_int_equal(v[3].vsock, SPEC_VSOCK_NO);
	assert_int_equal(v[3].vsock_cid, 0);
	assert_int_equal(v[4].vsock_cid, 0);
	assert_int_equal(v[5].vsock_cid, 4294967294U);
	/* The same machine has the same one everywhere, for good. */
	assert_int_equal(again->vms[0].vsock_cid, 0x62c40f8aU);
	lab_free(lab);
	lab_free(again);
}

static void test_vsock_faults(void **state)
{
	static const struct fault_row rows[] = {
		{"vms: {a: {vsock: 2}}\n",
		 "1:18: vsock: '2' is neither no, auto nor a context id from 3 to 4294967294\n"},
		{"vms: {a: {vsock: 4294967295}}\n",
		 "1:18: vsock: '4294967295' is neither no, auto nor a context id from 3 to "
		 "4294967294\n"},
		{"vms: {a: {vsock: yes}}\n",
		 "1:18: vsock: 'yes' is neither no, auto nor a context id from 3 to 4294967294\n"},
		{"vms: {a: {vsock: 7}, b: {vsock: 7}}\n",
		 "1:22: vm 'b': vsock: context id 7 is that of vm 'a' too; give one of them "
		 "another\n"},
	};

	(void)state;
	assert_fault_rows(rows, ARRAY_SIZE(rows));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_sources),
		cmocka_unit_test(test_faults),
		cmocka_unit_test(test_vsock),
		cmocka_unit_test(test_vsock_faults),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
