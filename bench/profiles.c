/* SPDX-License-Identifier: MIT */
/*
 * How many system calls the profiles leave on this machine: a line for each program and
 * accelerator with the distinct names that are steady, those that are for the start only,
 * and the requests of ioctl that are steady.
 */
#include "jail/profile.h"

#include <stdio.h>
#include <string.h>

/* Whether an earlier row has the same name in the same phase. */
static int is_known(const struct jail_profile *p, size_t row, const struct jail_situation *s)
{
	for (size_t i = 0; i < row; i++)
		if (jail_row_applies(&p->rows[i], s) && p->rows[i].phase == p->rows[row].phase &&
		    strcmp(p->rows[i].syscall, p->rows[row].syscall) == 0)
			return 1;
	return 0;
}

static void count(const struct jail_profile *p, const struct jail_situation *s)
{
	unsigned names[JAIL_PHASE_COUNT] = {0}, ioctls = 0;

	for (size_t i = 0; i < p->n_rows; i++) {
		const struct jail_row *row = &p->rows[i];

		if (!jail_row_applies(row, s))
			continue;
		names[row->phase] += !is_known(p, i, s);
		ioctls += row->phase == JAIL_STEADY && strcmp(row->syscall, "ioctl") == 0;
	}
	printf("%s %s %u %u %u\n", p->name, s->kvm ? "KVM" : "TCG", names[JAIL_STEADY],
	       names[JAIL_START], ioctls);
}

int main(void)
{
	const struct jail_profile *const profiles[] = {
		&jail_profile_qemu,
		&jail_profile_swtpm,
		&jail_profile_dnsmasq,
		&jail_profile_supervisor,
	};

	for (size_t i = 0; i < sizeof(profiles) / sizeof(*profiles); i++) {
		count(profiles[i], &(struct jail_situation){.kvm = false});
		if (i == 0)
			count(profiles[i], &(struct jail_situation){.kvm = true});
	}
	return 0;
}
