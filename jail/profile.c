/* SPDX-License-Identifier: MIT */
#include "jail/profile.h"

#include "base/cleanup.h"
#include "base/str.h"

#include <gnu/libc-version.h>
#include <seccomp.h>
#include <stdlib.h>

static const char *const phase_names[] = {
	[JAIL_STEADY] = "steady",
	[JAIL_START] = "start",
	[JAIL_REFUSED] = "refused",
};

_Static_assert(ARRAY_SIZE(phase_names) == JAIL_PHASE_COUNT, "a name for each phase");

const char *jail_phase_name(enum jail_phase phase)
{
	return phase_names[phase];
}

#if defined(__x86_64__)
enum { THIS_MACHINE = JAIL_X86_64 };
#elif defined(__aarch64__)
enum { THIS_MACHINE = JAIL_AARCH64 };
#else
#error "profiles are for x86-64 and aarch64"
#endif

/* Whether one of the bits that row has out of group is among those that hold. */
static bool one_of(unsigned where, unsigned group, unsigned holds)
{
	return !(where & group) || (where & group & holds);
}

static unsigned libc_stats_by(void)
{
	const char *minor = str_after(gnu_get_libc_version(), "2.");
	long version = minor ? strtol(minor, NULL, 10) : 0;

	return version <= 36   ? JAIL_LIBC_NEWFSTATAT
	       : version <= 40 ? JAIL_LIBC_EITHER
			       : JAIL_LIBC_FSTAT;
}

bool jail_row_applies(const struct jail_row *row, const struct jail_situation *situation)
{
	unsigned version = situation->version;

	return one_of(row->where, JAIL_X86_64 | JAIL_AARCH64, THIS_MACHINE) &&
	       one_of(row->where, JAIL_LIBC_NEWFSTATAT | JAIL_LIBC_EITHER | JAIL_LIBC_FSTAT,
		      libc_stats_by()) &&
	       one_of(row->where, JAIL_TCG | JAIL_KVM, situation->kvm ? JAIL_KVM : JAIL_TCG) &&
	       one_of(row->where, JAIL_SCREEN_FILES | JAIL_NO_SCREEN_FILES,
		      situation->screen_files ? JAIL_SCREEN_FILES : JAIL_NO_SCREEN_FILES) &&
	       (!version ||
		((!row->since || version >= row->since) && (!row->until || version <= row->until)));
}

bool jail_profile_starts(const struct jail_profile *profile, const struct jail_situation *situation)
{
	for (size_t i = 0; i < profile->n_rows; i++)
		if (profile->rows[i].phase == JAIL_START &&
		    jail_row_applies(&profile->rows[i], situation))
			return true;
	return false;
}

static bool holds(const struct jail_condition *c, const uint64_t arguments[static 6])
{
	return (arguments[c->argument] & (c->mask ? c->mask : UINT32_MAX)) == c->value;
}

const struct jail_row *jail_profile_find(const struct jail_profile *profile,
					 const struct jail_situation *situation, int nr,
					 const uint64_t arguments[static 6])
{
	for (size_t i = 0; i < profile->n_rows; i++) {
		const struct jail_row *row = &profile->rows[i];
		unsigned n = 0;

		if (!jail_row_applies(row, situation) ||
		    seccomp_syscall_resolve_name(row->syscall) != nr)
			continue;
		while (n < row->n_conditions && holds(&row->conditions[n], arguments))
			n++;
		if (n == row->n_conditions)
			return row;
	}
	return NULL;
}

const char *jail_syscall_name(int nr)
{
	static char name[64];
	char *resolved = seccomp_syscall_resolve_num_arch(SCMP_ARCH_NATIVE, nr);

	if (resolved)
		(void)str_format(name, sizeof(name), "%s", resolved);
	else
		(void)str_format(name, sizeof(name), "number %d", nr);
	free(resolved);
	return name;
}
