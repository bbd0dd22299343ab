/* SPDX-License-Identifier: MIT */
/* What a machine adds to its unit; above all, that no path leaves its line. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tests/unit/lab/parse.h"
#include "vmm/units/unit_files.h"

static char *drop_in(const char *lab_text)
{
	struct lab *lab = parse_lab(lab_text);
	struct strbuf text = {0};

	unit_files_vm(&lab->vms[0], &text);
	lab_free(lab);
	return strbuf_steal(&text);
}

#define HEAD "# Made by hv-generator out of hv's configuration.\n[Unit]\n"

static void test_plain(void **state)
{
	char *text = drop_in("vms: {a: {}}\n");

	(void)state;
	assert_string_equal(text, HEAD "\n[Service]\nTimeoutStopSec=120\n");
	free(text);
}

/* Each byte that a path can have, in a place of its own. */
static void test_bytes(void **state)
{
	(void)state;
	for (int c = 1; c < 256; c++) {
		char path[] = {'/', 'a', (char)c, '\0'};
		struct spec_disk disk = {.path = path};
		struct spec_vm vm = {.name = (char *)"a", .disks = &disk, .n_disks = 1};
		struct strbuf text = {0};
		size_t lines = 0;

		unit_files_vm(&vm, &text);
		for (const char *p = text.data; *p; p++)
			lines += *p == '\n';
		assert_int_equal(lines, 7);
		if (c < ' ' || c == 0x7f)
			assert_null(strchr(text.data, c == '\n' ? '\r' : c));
		else if (c == '%')
			assert_non_null(strstr(text.data, "=\"/a%%\"\n"));
		else if (c == '"' || c == '\\')
			assert_non_null(
				strstr(text.data, c == '"' ? "=\"/a\\\"\"\n" : "=\"/a\\\\\"\n"));
		else if (c != '/')
			assert_null(strstr(text.data, "left out"));
		strbuf_free(&text);
	}
}

static void test_devices(void **state)
{
	char *text = drop_in("vms: {a: {disks: [{path: /dev/sda, format: raw, read_only: true}],"
			     " cdroms: [/dev/sr0]}}\n");

	(void)state;
	assert_string_equal(text, HEAD "RequiresMountsFor=\"/dev/sda\"\n"
				       "RequiresMountsFor=\"/dev/sr0\"\n"
				       "\n[Service]\nTimeoutStopSec=120\n"
				       "DeviceAllow=\"/dev/sda\" r\n"
				       "DeviceAllow=\"/dev/sr0\" r\n");
	free(text);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_plain),
		cmocka_unit_test(test_bytes),
		cmocka_unit_test(test_devices),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
