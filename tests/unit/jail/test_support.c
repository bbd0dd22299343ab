/* SPDX-License-Identifier: MIT */
/* What the kernel is said to have holds against what it does. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/cleanup.h"
#include "jail/support.h"

#include <linux/filter.h>
#include <linux/seccomp.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

static void test_rows(void **state)
{
	struct jail_support s;

	(void)state;
	jail_support_probe(&s);
	for (int i = 0; i < JAIL_SUPPORT_COUNT; i++) {
		assert_true(*s.v[i].detail);
		assert_false(s.v[i].there && s.v[i].unknown);
		assert_true(*jail_support_name(i) && *jail_support_loss(i));
		for (int j = 0; j < i; j++)
			assert_string_not_equal(jail_support_name(i), jail_support_name(j));
	}
	assert_int_equal(s.v[JAIL_SUPPORT_LANDLOCK].there, s.landlock_abi > 0);
	/* Limits need a hierarchy to be set in. */
	assert_true(s.v[JAIL_SUPPORT_CGROUP].there || !s.v[JAIL_SUPPORT_LIMITS].there);
	assert_int_equal(s.v[JAIL_SUPPORT_LIMITS].there, s.cgroup_version == 2);
}

/* It leaves no trace: no child, no descriptor, and it says the same again. */
static void test_changes_nothing(void **state)
{
	struct jail_support first, second;
	int fd = dup(0), after;

	(void)state;
	assert_true(fd >= 0);
	close(fd);
	jail_support_probe(&first);
	jail_support_probe(&second);
	assert_memory_equal(&first, &second, sizeof(first));
	after = dup(0);
	assert_int_equal(after, fd);
	close(after);
	assert_int_equal(waitpid(-1, NULL, WNOHANG), -1);
}

/* In a process whose kernel seems to know no Landlock and no pidfds. */
static int without(void)
{
	struct sock_filter code[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_landlock_create_ruleset, 2, 0),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_pidfd_open, 1, 0),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | 38),
	};
	struct sock_fprog program = {.len = ARRAY_SIZE(code), .filter = code};
	struct jail_support s;

	if (prctl(PR_SET_NO_NEW_PRIVS, 1L, 0L, 0L, 0L) < 0 ||
	    prctl(PR_SET_SECCOMP, (long)SECCOMP_MODE_FILTER, &program, 0L, 0L) < 0)
		return 1;
	jail_support_probe(&s);
	if (s.v[JAIL_SUPPORT_LANDLOCK].there || s.landlock_abi || s.v[JAIL_SUPPORT_PIDFD].there)
		return 2;
	return s.v[JAIL_SUPPORT_SECCOMP].there ? 0 : 3;
}

static void test_missing(void **state)
{
	int status;
	pid_t pid = fork();

	(void)state;
	if (pid == 0)
		_exit(without());
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_rows),
		cmocka_unit_test(test_changes_nothing),
		cmocka_unit_test(test_missing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
