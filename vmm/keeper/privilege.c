/* SPDX-License-Identifier: MIT */
#include "vmm/keeper/privilege.h"

#include "base/cleanup.h"
#include "base/error.h"
#include "base/log.h"
#include "jail/narrow.h"

#include <linux/capability.h>

void privilege_narrow(enum paths_kind kind)
{
	static const int caps[] = {
		CAP_NET_ADMIN, /* TAPs, bridges, rules */
		CAP_SYS_ADMIN, /* namespaces and mounts of the jails, device filters */
		CAP_SETUID,
		CAP_SETGID,
		CAP_SETPCAP, /* a user for each jail, and nothing else */
		CAP_CHOWN,
		CAP_DAC_OVERRIDE,
		CAP_FOWNER, /* their files, images of whoever */
		CAP_KILL, /* to end them */
		CAP_MKNOD, /* devices of the jails */
		CAP_SYS_PTRACE, /* to find what a killed keeper left, by its mark */
		/* The last two are dnsmasq's. */
		CAP_NET_BIND_SERVICE,
		CAP_NET_RAW,
	};
	struct error err = ERROR_INIT;

	if (jail_narrow(caps, ARRAY_SIZE(caps) - (kind == PATHS_VM ? 2 : 0), &err) < 0)
		log_warning("%s", err.text);
}
