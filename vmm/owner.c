/* SPDX-License-Identifier: MIT */
#include "vmm/owner.h"

#include "base/str.h"

enum { RUN_MAX = 120 };

static const char *run_of(const struct paths *paths)
{
	size_t len = strlen(paths->run);

	return len > RUN_MAX ? paths->run + len - RUN_MAX : paths->run;
}

void owner_of_network(struct owner *ret_owner, const struct paths *paths, const char *network)
{
	(void)str_format(ret_owner->text, sizeof(ret_owner->text), "net=%s;run=%s", network,
			 run_of(paths));
}

void owner_of_nic(struct owner *ret_owner, const struct paths *paths, const char *vm, size_t nic)
{
	(void)str_format(ret_owner->text, sizeof(ret_owner->text), "vm=%s;nic=%zu;run=%s", vm, nic,
			 run_of(paths));
}
