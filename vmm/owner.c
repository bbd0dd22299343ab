/* SPDX-License-Identifier: MIT */
#include "vmm/owner.h"

#include "base/str.h"

#include <uuid.h>

/* As long as a UUID, which stands for what is longer. */
enum { RUN_MAX = UUID_STR_LEN - 1 };

static const uuid_t name_space = {0xc2, 0x0f, 0x61, 0x1e, 0x7d, 0x95, 0x4b, 0x0c,
				  0x8a, 0x6d, 0x53, 0x0b, 0x9e, 0x27, 0x14, 0xd8};

/* The run folder as it is, where it is short and plain, else a UUID of it. */
static void format_run(char buf[static UUID_STR_LEN], const char *run)
{
	static const char plain[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
				    "./_+,-";
	size_t len = strlen(run);
	uuid_t derived;

	if (len <= RUN_MAX && strspn(run, plain) == len) {
		(void)str_format(buf, UUID_STR_LEN, "%s", run);
		return;
	}
	uuid_generate_sha1(derived, name_space, run, len);
	uuid_unparse_lower(derived, buf);
}

void owner_of_network(struct owner *ret_owner, const struct paths *paths, const char *network)
{
	char run[UUID_STR_LEN];

	format_run(run, paths->run);
	(void)str_format(ret_owner->text, sizeof(ret_owner->text), "net=%s;run=%s", network, run);
}

void owner_of_vm(struct owner *ret_owner, const struct paths *paths, const char *vm)
{
	char run[UUID_STR_LEN];

	format_run(run, paths->run);
	(void)str_format(ret_owner->text, sizeof(ret_owner->text), "vm=%s;run=%s", vm, run);
}

void owner_of_nic(struct owner *ret_owner, const struct paths *paths, const char *vm, size_t nic)
{
	char run[UUID_STR_LEN];

	format_run(run, paths->run);
	(void)str_format(ret_owner->text, sizeof(ret_owner->text), "vm=%s;nic=%zu;run=%s", vm, nic,
			 run);
}
