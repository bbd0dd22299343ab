/* SPDX-License-Identifier: MIT */
/* Profiles: what they leave after the seal, and that each of their rows means something. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/cleanup.h"
#include "base/error.h"
#include "base/fd.h"
#include "base/str.h"
#include "jail/filter.h"

#include <errno.h>

#include <fcntl.h>
#include <seccomp.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

static const struct jail_profile *const profiles[] = {
	&jail_profile_qemu,
	&jail_profile_swtpm,
	&jail_profile_dnsmasq,
	&jail_profile_supervisor,
};

static const struct jail_situation situations[] = {
	{.kvm = false},
	{.kvm = true},
	{.kvm = false, .version = 702},
	{.kvm = true, .version = 1000},
	{.kvm = false, .version = 1000, .screen_files = true},
	{.kvm = true, .screen_files = true},
	{.kvm = false, .watch = JAIL_WATCH_BEYOND},
	{.kvm = true, .watch = JAIL_WATCH_ALL},
};

/* How many system calls, by name, a phase of a profile has. */
static unsigned count(const struct jail_profile *p, const struct jail_situation *s,
		      enum jail_phase phase)
{
	unsigned n = 0;

	for (size_t i = 0; i < p->n_rows; i++) {
		bool seen = p->rows[i].phase != phase || !jail_row_applies(&p->rows[i], s);

		for (size_t k = 0; k < i && !seen; k++)
			seen = p->rows[k].phase == phase && jail_row_applies(&p->rows[k], s) &&
			       str_eq(p->rows[k].syscall, p->rows[i].syscall);
		n += !seen;
	}
	return n;
}

static void test_sizes(void **state)
{
	const struct jail_situation tcg = {.kvm = false}, kvm = {.kvm = true};

	(void)state;
	print_message("# figure: system calls after the seal: QEMU %u under TCG and %u under KVM, "
		      "swtpm %u; dnsmasq %u, supervisor %u\n",
		      count(&jail_profile_qemu, &tcg, JAIL_STEADY),
		      count(&jail_profile_qemu, &kvm, JAIL_STEADY),
		      count(&jail_profile_swtpm, &tcg, JAIL_STEADY),
		      count(&jail_profile_dnsmasq, &tcg, JAIL_STEADY),
		      count(&jail_profile_supervisor, &tcg, JAIL_STEADY));
	assert_in_range(count(&jail_profile_qemu, &tcg, JAIL_STEADY), 1, 52);
	assert_in_range(count(&jail_profile_qemu, &kvm, JAIL_STEADY), 1, 52);
	assert_in_range(count(&jail_profile_swtpm, &tcg, JAIL_STEADY), 1, 16);
}

static void test_rows(void **state)
{
	(void)state;
	for (size_t p = 0; p < ARRAY_SIZE(profiles); p++)
		for (size_t i = 0; i < profiles[p]->n_rows; i++) {
			const struct jail_row *row = &profiles[p]->rows[i];

			if (!jail_row_applies(row, &situations[0]) &&
			    !jail_row_applies(row, &situations[1]))
				continue;
			if (seccomp_syscall_resolve_name(row->syscall) < 0)
				fail_msg("%s: no system call '%s'", profiles[p]->name,
					 row->syscall);
			if (!row->why || !*row->why)
				fail_msg("%s: '%s' without a reason", profiles[p]->name,
					 row->syscall);
			assert_true(row->phase < JAIL_PHASE_COUNT);
			assert_true(!row->in_vain || row->phase == JAIL_START);
			assert_in_range(row->n_conditions, 0, JAIL_CONDITIONS_MAX);
		}
}

/* A row that another one covers has no effect, and its reason would be a wrong one. */
static void test_no_row_twice(void **state)
{
	(void)state;
	for (size_t p = 0; p < ARRAY_SIZE(profiles); p++)
		for (size_t i = 0; i < profiles[p]->n_rows; i++)
			for (size_t k = i + 1; k < profiles[p]->n_rows; k++) {
				const struct jail_row *a = &profiles[p]->rows[i],
						      *b = &profiles[p]->rows[k];

				if (!str_eq(a->syscall, b->syscall) ||
				    (a->where && b->where && !(a->where & b->where)))
					continue;
				if (!a->n_conditions || !b->n_conditions ||
				    (a->conditions[0].argument == b->conditions[0].argument &&
				     a->conditions[0].mask == b->conditions[0].mask &&
				     a->conditions[0].value == b->conditions[0].value))
					fail_msg("%s: '%s' twice", profiles[p]->name, a->syscall);
			}
}

static void test_filters_build(void **state)
{
	(void)state;
	for (size_t p = 0; p < ARRAY_SIZE(profiles); p++)
		for (size_t s = 0; s < ARRAY_SIZE(situations); s++) {
			struct jail_filter f = {0};
			struct error err = ERROR_INIT;

			if (jail_filter_build(profiles[p], &situations[s], 256, &f, &err) < 0)
				fail_msg("%s", err.text);
			assert_in_range(f.n, 10, BPF_MAXINSNS);
			assert_true(f.listens == (situations[s].watch != JAIL_WATCH_NOTHING ||
						  profiles[p] != &jail_profile_supervisor));
			jail_filter_free(&f);
			assert_null(f.v);
		}
}

static void test_unknown_call(void **state)
{
	const struct jail_row rows[] = {{.syscall = "no_such_call", .why = "a test"}};
	const struct jail_profile bad = {.name = "bad", .rows = rows, .n_rows = 1};
	struct jail_filter f = {0};
	struct error err = ERROR_INIT;

	(void)state;
	assert_int_equal(jail_filter_build(&bad, &situations[0], 256, &f, &err), -EINVAL);
	assert_string_equal(err.text, "profile 'bad': there is no system call 'no_such_call'");
	assert_null(f.v);
}

static void test_filter_goes_over(void **state)
{
	struct jail_filter f = {0}, got = {0};
	int from, to;

	(void)state;
	assert_int_equal(jail_filter_build(&jail_profile_qemu, &situations[0], 256, &f, NULL), 0);
	assert_int_equal(fd_pipe(&from, &to, NULL), 0);
	assert_int_equal(jail_filter_write(&f, to, NULL), 0);
	close(to);
	assert_int_equal(jail_filter_read(from, &got), 0);
	assert_int_equal(got.listens, f.listens);
	assert_int_equal(got.n, f.n);
	assert_memory_equal(got.v, f.v, f.n * sizeof(*f.v));
	/* And no other one behind it. */
	assert_int_equal(jail_filter_read(from, &got), -EPIPE);
	close(from);
	jail_filter_free(&f);
	/* The largest that there can be does not wait for a reader. */
	f.n = BPF_MAXINSNS;
	f.v = calloc(f.n, sizeof(*f.v));
	assert_non_null(f.v);
	assert_int_equal(fd_pipe(&from, &to, NULL), 0);
	assert_int_equal(fd_set_nonblock(to, NULL), 0);
	assert_int_equal(jail_filter_write(&f, to, NULL), 0);
	close(to);
	assert_int_equal(jail_filter_read(from, &got), 0);
	assert_int_equal(got.n, f.n);
	close(from);
	jail_filter_free(&f);
}

static const struct jail_row *find(const struct jail_situation *s, int nr, unsigned argument,
				   uint64_t value)
{
	uint64_t arguments[6] = {0};

	arguments[argument] = value;
	return jail_profile_find(&jail_profile_qemu, s, nr, arguments);
}

static void test_find(void **state)
{
	const struct jail_situation tcg = {.kvm = false}, kvm = {.kvm = true};

	(void)state;
	assert_int_equal(find(&tcg, SYS_mmap, 2, PROT_READ)->phase, JAIL_STEADY);
	assert_int_equal(find(&tcg, SYS_mmap, 2, PROT_READ | PROT_EXEC)->phase, JAIL_START);
	assert_int_equal(find(&tcg, SYS_openat, 0, 0)->phase, JAIL_START);
	assert_int_equal(find(&tcg, SYS_io_uring_setup, 0, 0)->phase, JAIL_REFUSED);
	assert_null(find(&tcg, SYS_ptrace, 0, 0));
	assert_null(find(&tcg, SYS_fcntl, 1, F_SETOWN));
	/* KVM_RUN; the C library may have extended the sign of a request. */
	assert_null(find(&tcg, SYS_ioctl, 1, 0xae80));
	assert_non_null(find(&kvm, SYS_ioctl, 1, 0xffffffff0000ae80));
}

/* The one call more that a screen takes, with the one flag that QEMU gives it. */
static void test_screen_files(void **state)
{
	const struct jail_situation without = {.version = 1000},
				    with = {.version = 1000, .screen_files = true};
	unsigned before = count(&jail_profile_qemu, &without, JAIL_STEADY);

	(void)state;
	assert_int_equal(find(&without, SYS_memfd_create, 1, MFD_CLOEXEC)->phase, JAIL_START);
	assert_int_equal(find(&with, SYS_memfd_create, 1, MFD_CLOEXEC)->phase, JAIL_STEADY);
	assert_int_equal(find(&with, SYS_memfd_create, 1, MFD_CLOEXEC | MFD_ALLOW_SEALING)->phase,
			 JAIL_START);
	assert_null(find(&with, SYS_memfd_create, 1, 0));
	assert_int_equal(count(&jail_profile_qemu, &with, JAIL_STEADY), before + 1);
}

static void test_versions(void **state)
{
	const struct jail_row later = {.syscall = "read", .since = 900};
	const struct jail_row earlier = {.syscall = "read", .until = 899};
	const struct jail_situation old = {.version = 702}, new = {.version = 1000}, any = {0};

	(void)state;
	assert_false(jail_row_applies(&later, &old));
	assert_true(jail_row_applies(&later, &new));
	assert_true(jail_row_applies(&later, &any));
	assert_true(jail_row_applies(&earlier, &old));
	assert_false(jail_row_applies(&earlier, &new));
	assert_true(jail_row_applies(&earlier, &any));
}

static void test_names(void **state)
{
	(void)state;
	assert_string_equal(jail_syscall_name(SYS_openat), "openat");
	assert_string_equal(jail_syscall_name(9999), "number 9999");
	assert_string_equal(jail_phase_name(JAIL_REFUSED), "refused");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_sizes),        cmocka_unit_test(test_rows),
		cmocka_unit_test(test_no_row_twice), cmocka_unit_test(test_filters_build),
		cmocka_unit_test(test_unknown_call), cmocka_unit_test(test_filter_goes_over),
		cmocka_unit_test(test_find),         cmocka_unit_test(test_screen_files),
		cmocka_unit_test(test_versions),     cmocka_unit_test(test_names),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
