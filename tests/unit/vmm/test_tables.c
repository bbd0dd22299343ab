/* SPDX-License-Identifier: MIT */
/* Credentials and OEM strings: where they come from, and what becomes of them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/cleanup.h"
#include "base/error.h"
#include "base/str.h"
#include "vmm/keeper/tables.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

static char folder[] = "/tmp/hv-tables.XXXXXX";

static int set_up(void **state)
{
	(void)state;
	return mkdtemp(folder) ? 0 : -1;
}

static int tear_down(void **state)
{
	(void)state;
	return rmdir(folder);
}

/* Of the table at i. */
static char *contents(const struct tables *t, size_t i, size_t *ret_len)
{
	char *text = calloc(1, 2 * SPEC_CREDENTIAL_BYTES_MAX);
	ssize_t n;

	assert_non_null(text);
	assert_true(i < t->n);
	n = pread(t->fds[i], text, 2 * SPEC_CREDENTIAL_BYTES_MAX - 1, 0);
	assert_true(n >= 0);
	*ret_len = (size_t)n;
	return text;
}

static void expect_table(const struct tables *t, size_t i, const char *fw_cfg, const char *wanted)
{
	size_t len;
	cleanup_free char *text = contents(t, i, &len);

	assert_string_equal(t->v[i].fw_cfg, fw_cfg);
	assert_string_equal(text, wanted);
	assert_int_equal(len, strlen(wanted));
}

static void put_file(const char *path, const void *data, size_t len)
{
	cleanup_close int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, data, len), len);
}

static void expect_failure(const struct spec_vm *vm, int code, const char *words)
{
	struct error err = ERROR_INIT;
	struct tables t;

	assert_int_equal(tables_read(vm, &t, &err), -code);
	if (!strstr(err.text, words))
		fail_msg("'%s' does not say '%s'", err.text, words);
	assert_int_equal(t.n, 0);
}

static struct spec_vm machine(struct spec_credential *credentials, size_t n)
{
	return (struct spec_vm){
		.name = (char *)"a", .credentials = credentials, .n_credentials = n};
}

static void test_texts(void **state)
{
	static const struct {
		const char *text, *wanted;
	} rows[] = {
		{"s3cret", "io.systemd.credential:x=s3cret"},
		{"a=b,c \"d\"", "io.systemd.credential:x=a=b,c \"d\""},
		{"", "io.systemd.credential.binary:x="},
		{"a\n", "io.systemd.credential.binary:x=YQo="},
		{" a", "io.systemd.credential.binary:x=IGE="},
		{"a ", "io.systemd.credential.binary:x=YSA="},
		{"\xc3\xbc", "io.systemd.credential.binary:x=w7w="},
		{"\xff\xfe\xfd", "io.systemd.credential.binary:x=//79"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct spec_credential c = {.name = (char *)"x",
					    .source = SPEC_CREDENTIAL_TEXT,
					    .text = (char *)rows[i].text};
		struct spec_vm vm = machine(&c, 1);
		struct error err = ERROR_INIT;
		struct tables t;

		if (tables_read(&vm, &t, &err) < 0)
			fail_msg("%s", err.text);
		assert_int_equal(t.n, 1);
		expect_table(&t, 0, "", rows[i].wanted);
		tables_free(&t);
		assert_int_equal(t.n, 0);
	}
}

/* OEM strings come first, and what is large goes by fw_cfg as it is. */
static void test_sizes(void **state)
{
	char *strings[] = {(char *)"one", (char *)"two"};
	cleanup_free char *large = calloc(1, 70000), *path = str_printf("%s/large", folder);
	struct spec_credential c[] = {
		{.name = (char *)"big", .source = SPEC_CREDENTIAL_FILE, .file = path},
		{.name = (char *)"small", .source = SPEC_CREDENTIAL_TEXT, .text = (char *)"s"},
	};
	struct spec_vm vm = machine(c, 2);
	struct error err = ERROR_INIT;
	struct tables t;
	size_t len;

	(void)state;
	assert_non_null(large);
	memset(large, 0, 70000);
	large[69999] = 'e';
	put_file(path, large, 70000);
	vm.oem_strings = strings;
	vm.n_oem_strings = 2;
	if (tables_read(&vm, &t, &err) < 0)
		fail_msg("%s", err.text);
	assert_int_equal(t.n, 4);
	expect_table(&t, 0, "", "one");
	expect_table(&t, 1, "", "two");
	assert_string_equal(t.v[2].fw_cfg, "opt/io.systemd.credentials/big");
	{
		cleanup_free char *text = contents(&t, 2, &len);

		assert_int_equal(len, 70000);
		assert_memory_equal(text, large, 70000);
	}
	expect_table(&t, 3, "", "io.systemd.credential:small=s");
	tables_free(&t);
	assert_int_equal(unlink(path), 0);
}

static void test_bounds(void **state)
{
	cleanup_free char *huge = calloc(1, SPEC_CREDENTIAL_BYTES_MAX + 2);
	cleanup_free char *path = str_printf("%s/huge", folder);
	char names[12][8];
	struct spec_credential c[12];
	struct spec_vm vm = machine(c, 1);
	struct error err = ERROR_INIT;
	struct tables t;

	(void)state;
	assert_non_null(huge);
	memset(huge, 'x', SPEC_CREDENTIAL_BYTES_MAX + 1);
	put_file(path, huge, SPEC_CREDENTIAL_BYTES_MAX + 1);
	c[0] = (struct spec_credential){
		.name = (char *)"h", .source = SPEC_CREDENTIAL_FILE, .file = path};
	expect_failure(&vm, EFBIG, "credential 'h'");
	assert_int_equal(truncate(path, SPEC_CREDENTIAL_BYTES_MAX), 0);
	if (tables_read(&vm, &t, &err) < 0)
		fail_msg("%s", err.text);
	tables_free(&t);
	/* Two that are small enough, and too large together. */
	c[1] = (struct spec_credential){
		.name = (char *)"more", .source = SPEC_CREDENTIAL_TEXT, .text = (char *)"x"};
	vm.n_credentials = 2;
	expect_failure(&vm, EFBIG, "credential 'more'");
	/* Too large for an OEM string, and no name for fw_cfg. */
	assert_int_equal(truncate(path, 5000), 0);
	c[0].name = (char *)"a-name-of-more-than-28-letters";
	vm.n_credentials = 1;
	expect_failure(&vm, ENAMETOOLONG, "fw_cfg");
	/* More files than fw_cfg has places for. */
	for (size_t i = 0; i < ARRAY_SIZE(c); i++) {
		(void)str_format(names[i], sizeof(names[i]), "n%zu", i);
		c[i] = (struct spec_credential){
			.name = names[i], .source = SPEC_CREDENTIAL_FILE, .file = path};
	}
	vm.n_credentials = ARRAY_SIZE(c);
	expect_failure(&vm, E2BIG, "credential 'n8'");
	assert_int_equal(unlink(path), 0);
}

static void test_missing(void **state)
{
	cleanup_free char *path = str_printf("%s/none", folder);
	cleanup_free char *fifo = str_printf("%s/fifo", folder);
	struct spec_credential c = {
		.name = (char *)"m", .source = SPEC_CREDENTIAL_FILE, .file = path};
	struct spec_vm vm = machine(&c, 1);

	(void)state;
	expect_failure(&vm, ENOENT, "credential 'm': '/tmp/");
	/* One that is no file is not waited for. */
	assert_int_equal(mkfifo(fifo, 0600), 0);
	c.file = fifo;
	expect_failure(&vm, EINVAL, "no plain file");
	assert_int_equal(unlink(fifo), 0);
}

/* By the credential's own name, else by the machine's. */
static void test_of_unit(void **state)
{
	cleanup_free char *own = str_printf("%s/tok", folder),
			  *general = str_printf("%s/hv.a", folder);
	struct spec_credential c = {.name = (char *)"tok", .source = SPEC_CREDENTIAL_UNIT};
	struct spec_vm vm = machine(&c, 1);
	struct error err = ERROR_INIT;
	struct tables t;

	(void)state;
	assert_int_equal(unsetenv("CREDENTIALS_DIRECTORY"), 0);
	expect_failure(&vm, ENOENT, "neither 'tok' nor 'hv.a'");
	assert_int_equal(setenv("CREDENTIALS_DIRECTORY", folder, 1), 0);
	expect_failure(&vm, ENOENT, "hv@a.service");
	put_file(general, "general", 7);
	if (tables_read(&vm, &t, &err) < 0)
		fail_msg("%s", err.text);
	expect_table(&t, 0, "", "io.systemd.credential:tok=general");
	tables_free(&t);
	put_file(own, "own", 3);
	if (tables_read(&vm, &t, &err) < 0)
		fail_msg("%s", err.text);
	expect_table(&t, 0, "", "io.systemd.credential:tok=own");
	tables_free(&t);
	assert_int_equal(unlink(own), 0);
	assert_int_equal(unlink(general), 0);
	assert_int_equal(unsetenv("CREDENTIALS_DIRECTORY"), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_texts),   cmocka_unit_test(test_sizes),
		cmocka_unit_test(test_bounds),  cmocka_unit_test(test_missing),
		cmocka_unit_test(test_of_unit),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
