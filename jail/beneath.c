/* SPDX-License-Identifier: MIT */
#include "jail/beneath.h"

#include "jail/landlock.h"
#include "jail/private.h"

#include <errno.h>
#include <linux/capability.h>
#include <stdint.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

static int drop_capabilities(void)
{
	struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
	const struct __user_cap_data_struct none[_LINUX_CAPABILITY_U32S_3] = {0};

	/* Fails behind the kernel's last one, and for whoever has nothing to lose. */
	for (unsigned long cap = 0; prctl(PR_CAPBSET_DROP, cap, 0, 0, 0) == 0; cap++)
		;
	return syscall(SYS_capset, &header, none) < 0 ? -errno : 0;
}

int jail_write_beneath(int folder_fd, const char **ret_what)
{
	int rc;

	*ret_what = "drop capabilities";
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
		return -errno;
	rc = drop_capabilities();
	if (rc < 0)
		return rc;
	*ret_what = "restrict access by Landlock";
	return jail_restrict_writing(folder_fd);
}
