/* SPDX-License-Identifier: MIT */
/* The record of who needs forwarding on which interface. The interfaces named
 * here are none, so no switch is touched. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/cleanup.h"
#include "base/error.h"
#include "base/file.h"
#include "base/str.h"
#include "net/forwarding.h"

#include <errno.h>
#include <fcntl.h>

/* Writes the record, releases the network, and gives back what is left; the
 * caller frees it. NULL: no record. */
static char *release(const char *record, const char *network)
{
	char dir[] = "/tmp/hv-test-forwarding-XXXXXX", *left = NULL;
	struct error err = ERROR_INIT;
	int dirfd, rc;

	assert_non_null(mkdtemp(dir));
	dirfd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (record)
		assert_int_equal(file_write_volatile(dirfd, "forwarding", record, strlen(record),
						     0644, NULL),
				 0);
	/* Of one that was killed while it wrote. */
	assert_int_equal(file_write_volatile(dirfd, ".forwarding.4711.new", "hv-", 3, 0644, NULL),
			 0);
	for (int again = 0; again < 2; again++)
		if (net_forwarding_release(dirfd, network, &err) < 0)
			fail_msg("%s", err.text);
	rc = file_read(dirfd, "forwarding", 1024 * 1024, &left, NULL, NULL);
	assert_true(rc == 0 || rc == -ENOENT);
	/* With the record goes its lock. */
	assert_int_equal(faccessat(dirfd, "forwarding.lock", F_OK, 0) == 0, rc == 0);
	assert_int_equal(faccessat(dirfd, ".forwarding.4711.new", F_OK, 0) == 0, rc == 0);
	close(dirfd);
	assert_int_equal(file_remove_tree(AT_FDCWD, dir, NULL), 0);
	return left;
}

static void test_release(void **state)
{
	static const struct {
		const char *record, *network, *left;
	} rows[] = {
		{NULL, "a", NULL},
		{"", "a", NULL},
		{"hv-none0 0 ,a,\n", "a", NULL},
		{"hv-none0 0 ,a,\n", "b", "hv-none0 0 ,a,\n"},
		{"hv-none0 0 ,a,b,\n", "a", "hv-none0 0 ,b,\n"},
		{"hv-none0 0 ,a,b,\n", "b", "hv-none0 0 ,a,\n"},
		{"hv-none0 1 ,a,b,c,\nhv-none1 0 ,b,\nhv-none2 0 ,c,\n", "b",
		 "hv-none0 1 ,a,c,\nhv-none2 0 ,c,\n"},
		/* A name in another one is not that name. */
		{"hv-none0 0 ,lab-net,\n", "lab", "hv-none0 0 ,lab-net,\n"},
		{"hv-none0 0 ,my-lab,lab,lab-2,\n", "lab", "hv-none0 0 ,my-lab,lab-2,\n"},
		/* What we did not write restores nothing, and does not stay. */
		{"nonsense\nhv-none0 0 ,b,\n", "a", "hv-none0 0 ,b,\n"},
		{"hv-none0 2 ,b,\n", "a", NULL},
		{"hv-none0 00 ,b,\n", "a", NULL},
		{"hv-none0 0\n", "a", NULL},
		{"../../../../tmp 0 ,b,\n", "a", NULL},
		{"a-name-too-long-for-one 0 ,b,\n", "a", NULL},
		{" 0 ,b,\n", "a", NULL},
		{"hv-none0 0 ,b", "a", "hv-none0 0 ,b\n"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		cleanup_free char *left = release(rows[i].record, rows[i].network);

		if (!left != !rows[i].left || (left && !str_eq(left, rows[i].left)))
			fail_msg("row %zu: left is '%s'", i, left ? left : "(none)");
	}
}

static void test_many_lines(void **state)
{
	cleanup_strbuf struct strbuf record = {0};
	cleanup_free char *left = NULL;
	size_t n = 0;

	(void)state;
	for (unsigned i = 0; i < 300; i++)
		strbuf_addf(&record, "hv-none%u 0 ,%s,\n", i, i % 2 ? "a" : "b");
	left = release(record.data, "a");
	assert_non_null(left);
	for (const char *p = left; (p = strchr(p, '\n')); p++)
		n++;
	assert_int_equal(n, 128);
}

/* A record that is too large is an error, not a reason to forget it. */
static void test_record_beyond_its_bound(void **state)
{
	char dir[] = "/tmp/hv-test-forwarding-XXXXXX";
	cleanup_free char *large = calloc(1, 300 * 1024);
	struct error err = ERROR_INIT;
	int dirfd;

	(void)state;
	assert_non_null(mkdtemp(dir));
	dirfd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	assert_int_equal(file_write_volatile(dirfd, "forwarding", large, 300 * 1024, 0644, NULL),
			 0);
	assert_int_equal(net_forwarding_release(dirfd, "a", &err), -EFBIG);
	assert_int_equal(faccessat(dirfd, "forwarding", F_OK, 0), 0);
	close(dirfd);
	assert_int_equal(file_remove_tree(AT_FDCWD, dir, NULL), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_release),
		cmocka_unit_test(test_many_lines),
		cmocka_unit_test(test_record_beyond_its_bound),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
