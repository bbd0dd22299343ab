/* SPDX-License-Identifier: MIT */
/* Files and folders of configuration, of lab/load.c. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/cleanup.h"
#include "tests/unit/base/scratch.h"
#include "tests/unit/lab/parse.h"

static void put(const struct scratch *s, const char *name, const char *text)
{
	assert_int_equal(file_write_volatile(s->fd, name, text, strlen(text), 0600, NULL), 0);
}

/* The faults of a folder, a line each, with the folder's path left out. */
static char *faults_in(const struct scratch *s)
{
	struct lab_faults faults = {0};
	struct error err = ERROR_INIT;
	struct strbuf all = {0};
	struct lab *lab = NULL;

	assert_int_equal(lab_load(s->path, &lab, &faults, &err), -EINVAL);
	for (size_t i = 0; i < faults.n; i++) {
		const char *name = str_after(faults.v[i].file, s->path);

		assert_non_null(name);
		strbuf_addf(&all, "%s:%u:%u: %s\n", name + 1, faults.v[i].line, faults.v[i].column,
			    faults.v[i].text);
	}
	lab_faults_free(&faults);
	return strbuf_steal(&all);
}

static void test_folder_is_merged(void **state)
{
	const struct scratch *s = *state;
	struct lab_faults faults = {0};
	struct error err = ERROR_INIT;
	struct lab *lab = NULL;

	/* References go across files, whatever their order. */
	put(s, "10-vms.yaml", "vms: {b: {profile: p, nics: [{network: n}]}}\n");
	put(s, "20-net.yaml",
	    "networks: {n: {bridge: br0, address: 10.0.0.1/24}}\n"
	    "profiles: {p: {cpus: 3}}\n");
	put(s, "05-first.yaml", "vms: {z: {}, a: {}}\n");
	put(s, "99-empty.yaml", "");
	/* None of these is read. */
	put(s, ".hidden.yaml", "[");
	put(s, "backup.yaml~", "[");
	put(s, "other.yml", "[");
	put(s, ".yaml", "[");
	assert_int_equal(lab_load(s->path, &lab, &faults, &err), 0);
	assert_int_equal(lab->n_vms, 3);
	assert_string_equal(lab->vms[0].name, "z");
	assert_string_equal(lab->vms[1].name, "a");
	assert_string_equal(lab->vms[2].name, "b");
	assert_int_equal(lab->vms[2].cpus, 3);
	assert_string_equal(lab->vms[2].nics[0].network->bridge, "br0");
	assert_non_null(strstr(lab->vms[2].where.file, "/10-vms.yaml"));
	lab_free(lab);
}

static void test_same_name_in_two_files(void **state)
{
	const struct scratch *s = *state;
	cleanup_free char *faults = NULL, *expected = NULL;

	put(s, "a.yaml", "vms:\n  x: {}\n  dc01: {cpus: 2}\npools: {p: {path: /a}}\n");
	put(s, "b.yaml", "vms: {dc01: {cpus: 3}}\npools: {p: {path: /b}}\n");
	faults = faults_in(s);
	expected = str_printf("b.yaml:1:7: 'dc01' is in vms twice; the first is in %s/a.yaml:3\n"
			      "b.yaml:2:9: 'p' is in pools twice; the first is in %s/a.yaml:4\n",
			      s->path, s->path);
	assert_string_equal(faults, expected);
}

/* Sorted by file, the syntax of one does not hide what is wrong in another. */
static void test_faults_of_all_files(void **state)
{
	const struct scratch *s = *state;
	cleanup_free char *faults = NULL;

	put(s, "c.yaml", "vms: {c: {cpus: 0}}\n");
	put(s, "a.yaml", "vms: {a: {tpm: 7}}\n");
	put(s, "b.yaml", "vms: {}\n---\n{}\n");
	faults = faults_in(s);
	assert_string_equal(faults, "a.yaml:1:16: tpm: '7' is not true or false\n"
				    "b.yaml:3:1: a second document; one file holds one\n"
				    "c.yaml:1:17: cpus: '0' is not a number from 1 to 255\n");
}

/* What cannot be read is a plain error, with no fault and no lab. */
static void test_unreadable(void **state)
{
	const struct scratch *s = *state;
	cleanup_free char *missing = str_printf("%s/none.yaml", s->path);
	cleanup_free char *text = NULL, *big = malloc(5 << 20);
	struct lab_faults faults = {0};
	struct error err = ERROR_INIT;
	struct lab *lab = NULL;

	assert_int_equal(lab_load(missing, &lab, &faults, &err), -ENOENT);
	text = str_printf("configuration '%s': No such file or directory", missing);
	assert_string_equal(err.text, text);
	assert_int_equal(lab_load(s->path, &lab, &faults, &err), -ENOENT);
	assert_non_null(strstr(err.text, "has no *.yaml"));
	assert_non_null(big);
	memset(big, '#', 5 << 20);
	assert_int_equal(file_write_volatile(s->fd, "big.yaml", big, 5 << 20, 0600, NULL), 0);
	assert_int_equal(lab_load(s->path, &lab, &faults, &err), -EFBIG);
	assert_non_null(strstr(err.text, "/big.yaml': larger than 4194304 bytes"));
	assert_int_equal(file_write_volatile(s->fd, "big.yaml", big, 4 << 20, 0600, NULL), 0);
	assert_int_equal(mkdirat(s->fd, "folder.yaml", 0700), 0);
	assert_int_equal(lab_load(s->path, &lab, &faults, &err), -EISDIR);
	assert_int_equal(faults.n, 0);
	assert_null(lab);
}

/* The largest file that is read: one comment of 4 MiB. */
static void test_largest(void **state)
{
	const struct scratch *s = *state;
	cleanup_free char *path = str_printf("%s/lab.yaml", s->path), *text = malloc(4 << 20);
	struct lab_faults faults = {0};
	struct lab *lab = NULL;

	assert_non_null(text);
	memset(text, '#', 4 << 20);
	assert_int_equal(file_write_volatile(s->fd, "lab.yaml", text, 4 << 20, 0600, NULL), 0);
	assert_int_equal(lab_load(path, &lab, &faults, NULL), 0);
	assert_int_equal(lab->n_vms, 0);
	lab_free(lab);
}

/* File names are shown as they can be shown. */
static void test_file_name_is_printable(void **state)
{
	const struct scratch *s = *state;
	cleanup_free char *faults = NULL;

	put(s, "a\x1b[2J\n.yaml", "vms: {a: {cpus: 0}}\n");
	faults = faults_in(s);
	assert_string_equal(faults, "a\\x1b[2J\\x0a.yaml:1:17: cpus: '0' is not a number from 1 "
				    "to 255\n");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		scratch_test(test_folder_is_merged),
		scratch_test(test_same_name_in_two_files),
		scratch_test(test_faults_of_all_files),
		scratch_test(test_unreadable),
		scratch_test(test_largest),
		scratch_test(test_file_name_is_printable),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
