/* SPDX-License-Identifier: MIT */
/* Images, and disks that are made of them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/cleanup.h"
#include "tests/unit/lab/parse.h"

#define SUM "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"

static void test_whole(void **state)
{
	struct lab *lab = parse_lab(
		"images:\n"
		"  web: {url: https://h.test/a.qcow2, sha256: " SUM "}\n"
		"  file: {path: /a.raw, format: raw,\n"
		"    sha256: ABCDEF6789abcdef0123456789abcdef0123456789abcdef0123456789abcdef}\n"
		"pools: {p: {path: /p}}\n"
		"vms: {a: {disks: [{volume: p/a.qcow2, image: web, cache: none},\n"
		"                  {volume: p/b.qcow2, image: file},\n"
		"                  {volume: p/c.raw, image: file, format: raw}]}}\n");
	const struct spec_disk *disks = lab->vms[0].disks;

	(void)state;
	assert_int_equal(lab->n_images, 2);
	assert_string_equal(lab->images[0].url, "https://h.test/a.qcow2");
	assert_null(lab->images[0].path);
	assert_int_equal(lab->images[0].format, SPEC_FORMAT_QCOW2);
	assert_string_equal(lab->images[0].sha256, SUM);
	/* One spelling, which is the file's name in the cache. */
	assert_memory_equal(lab->images[1].sha256, "abcdef67", 8);
	assert_ptr_equal(disks[0].image, &lab->images[0]);
	assert_int_equal(disks[0].cache, SPEC_CACHE_NONE);
	assert_int_equal(disks[1].cache, SPEC_CACHE_AUTO);
	assert_ptr_equal(disks[2].image, &lab->images[1]);
	lab_free(lab);
}

static void test_faults(void **state)
{
	static const struct fault_row rows[] = {
		{"images: {a: {url: http://h/x}}", "1:13: 'sha256' is missing (SHA-256)\n"},
		{"images: {a: {sha256: " SUM "}}",
		 "1:13: an image has url: or path:, and not both\n"},
		{"images: {a: {url: http://h/x, path: /x, sha256: " SUM "}}",
		 "1:13: an image has url: or path:, and not both\n"},
		{"images: {a: {url: 'file:///etc/shadow', sha256: " SUM "}}",
		 "1:19: url: 'file:///etc/shadow' is not a URL that begins with https:// or "
		 "http://\n"},
		{"images: {a: {url: 'http:///x', sha256: " SUM "}}",
		 "1:19: url: 'http:///x' is not a URL that begins with https:// or http://\n"},
		{"images: {a: {url: 'http://h/a b', sha256: " SUM "}}",
		 "1:19: url: 'http://h/a b' is not a URL that begins with https:// or http://\n"},
		{"images: {a: {path: /x, sha256: 12}}",
		 "1:32: sha256: '12' is not 64 hexadecimal digits, as sha256sum prints them\n"},
		{"images: {a: {path: /x, sha256: ../../../../../../../../../../../../../../../../"
		 "../../../../../x}}",
		 "1:32: sha256: '../../../../../../../../../../../../../../../../../../../../../x' "
		 "is not 64 hexadecimal digits, as sha256sum prints them\n"},
		{"vms: {a: {disks: [{path: /x, image: b}]}}",
		 "1:37: image: there is no image 'b'; there are: none\n"},
		{"images: {b: {path: /x, sha256: " SUM "}}\n"
		 "vms: {a: {disks: [{path: /y, image: b, format: raw}]}}",
		 "2:19: a disk with format: raw is a copy of its image, and 'b' is not raw\n"},
		{"vms: {a: {disks: [{path: /x, cache: unsafe}]}}",
		 "1:37: cache: 'unsafe' is none of: auto, none, writeback\n"},
	};

	(void)state;
	assert_fault_rows(rows, ARRAY_SIZE(rows));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_whole),
		cmocka_unit_test(test_faults),
	};

	return cmocka_run_group_tests_name("lab/images", tests, NULL, NULL);
}
