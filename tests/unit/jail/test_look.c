/* SPDX-License-Identifier: MIT */
/* What /proc says of a process: texts of it, and this very process. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/child.h"
#include "base/cleanup.h"
#include "base/error.h"
#include "jail/look_text.h"

#include <errno.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define IDS                                                      \
	"Name:\tqemu\nState:\tS (sleeping)\n"                    \
	"Uid:\t1950000000\t1950000001\t1950000002\t1950000003\n" \
	"Gid:\t1950000000\t1950000000\t1950000000\t1950000000\n"
#define CAPS                                                     \
	"CapInh:\t0000000000000000\nCapPrm:\t0000000000000002\n" \
	"CapEff:\t0000000000000003\nCapBnd:\t000001ffffffffff\n" \
	"CapAmb:\t0000000000000400\n"
#define REST "NoNewPrivs:\t1\nSeccomp:\t2\nSeccomp_filters:\t3\n"

static void test_status(void **state)
{
	struct jail_facts f = {.seccomp_filters = 7};

	(void)state;
	assert_true(look_text_status(IDS "Groups:\t4 24 27 \n" CAPS REST, &f));
	for (unsigned i = 0; i < 4; i++)
		assert_int_equal(f.uid[i], 1950000000 + i);
	assert_int_equal(f.gid[3], 1950000000);
	assert_int_equal(f.n_groups, 3);
	assert_int_equal(f.cap_inheritable, 0);
	assert_int_equal(f.cap_permitted, 2);
	assert_int_equal(f.cap_effective, 3);
	assert_int_equal(f.cap_bounding, 0x1ffffffffff);
	assert_int_equal(f.cap_ambient, 0x400);
	assert_true(f.no_new_privs);
	assert_int_equal(f.seccomp_mode, 2);
	assert_int_equal(f.seccomp_filters, 3);
}

/* Older kernels do not count filters, and some have no seccomp; a group list may be
 * empty. */
static void test_status_of_old(void **state)
{
	struct jail_facts f = {.n_groups = 9};

	(void)state;
	assert_true(look_text_status(IDS "Groups:\t \n" CAPS "NoNewPrivs:\t0\nSeccomp:\t0\n", &f));
	assert_int_equal(f.n_groups, 0);
	assert_false(f.no_new_privs);
	assert_int_equal(f.seccomp_mode, 0);
	assert_int_equal(f.seccomp_filters, -1);
	assert_true(look_text_status(IDS "Groups:\t\n" CAPS "NoNewPrivs:\t1\n", &f));
	assert_int_equal(f.seccomp_mode, 0);
}

static void test_bad_status(void **state)
{
	static const char *const rows[] = {
		"",
		CAPS REST,
		IDS CAPS REST,
		IDS "Groups:\t\n" REST,
		IDS "Groups:\t\n" CAPS,
		IDS "Groups:\t\n" CAPS "NoNewPrivs:\tx\n",
		"Uid:\t1\t2\t3\nGid:\t1\t1\t1\t1\nGroups:\t\n" CAPS REST,
		/* A name that holds a line's beginning is no such line. */
		"Name:\tUid:\t0\t0\t0\t0\nGid:\t1\t1\t1\t1\nGroups:\t\n" CAPS REST,
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct jail_facts f;

		if (look_text_status(rows[i], &f))
			fail_msg("taken: %s", rows[i]);
	}
}

static void test_mounts(void **state)
{
	struct jail_facts f;

	(void)state;
	look_text_mounts("1 0 8:1 / / ro,nosuid - tmpfs none rw,size=64k\n"
			 "2 1 8:1 /a /a rw,nosuid shared:1 - ext4 /dev/sda1 rw\n"
			 "3 1 8:1 /b /b rw - ext4 /dev/sda1 ro,errors=continue\n"
			 "4 1 8:1 /c /c rw - ext4 /dev/sda1 rw",
			 &f);
	assert_int_equal(f.mounts, 4);
	assert_int_equal(f.writable_mounts, 2);
	look_text_mounts("", &f);
	assert_int_equal(f.mounts, 0);
	assert_int_equal(f.writable_mounts, 0);
	look_text_mounts("rw\n\nrw rw rw rw rw\n", &f);
	assert_int_equal(f.mounts, 2);
	assert_int_equal(f.writable_mounts, 0);
}

static void test_limits(void **state)
{
	struct jail_facts f;

	(void)state;
	assert_true(look_text_limits(
		"Limit                     Soft Limit           Hard Limit           Units\n"
		"Max core file size        0                    unlimited            bytes\n"
		"Max open files            256                  1024                 files\n",
		&f));
	assert_true(f.core_max == JAIL_UNLIMITED);
	assert_int_equal(f.files_max, 1024);
	assert_false(look_text_limits("Max core file size  0  0 bytes\n", &f));
	assert_false(look_text_limits("Max core file size  0\nMax open files 1 x files\n", &f));
}

/* This process as it knows itself. */
static void test_self(void **state)
{
	struct jail_facts f;
	struct error err = ERROR_INIT;

	(void)state;
	assert_int_equal(jail_look(getpid(), &f, &err), 0);
	assert_int_equal(f.uid[0], getuid());
	assert_int_equal(f.uid[1], geteuid());
	assert_int_equal(f.gid[1], getegid());
	assert_true(f.deep);
	for (int i = 0; i < JAIL_NS_COUNT; i++)
		assert_false(f.own_namespace[i]);
	assert_true(f.mounts > 0);
	assert_true(f.cgroup_version == 0 || (f.cgroup_version == 2) == (f.cgroup_path != NULL));
	jail_facts_free(&f);
	assert_null(f.cgroup_path);
}

/* One that has ended is not looked at, reaped or not. */
static void test_gone(void **state)
{
	struct jail_facts f;
	siginfo_t info;
	pid_t pid = fork();

	(void)state;
	if (pid == 0)
		_exit(0);
	assert_true(pid > 0);
	assert_int_equal(waitid(P_PID, (id_t)pid, &info, WEXITED | WNOWAIT), 0);
	assert_int_equal(jail_look(pid, &f, NULL), -ESRCH);
	assert_int_equal(waitpid(pid, NULL, 0), pid);
	assert_int_equal(jail_look(pid, &f, NULL), -ESRCH);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_status),     cmocka_unit_test(test_status_of_old),
		cmocka_unit_test(test_bad_status), cmocka_unit_test(test_mounts),
		cmocka_unit_test(test_limits),     cmocka_unit_test(test_self),
		cmocka_unit_test(test_gone),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
