/* SPDX-License-Identifier: MIT */
/*
 * Each question is one that the kernel answers without doing anything: by a file that
 * is there, by a version, or by refusing a call that is wrong in one known point only.
 */
#include "jail/support.h"

#include "base/cleanup.h"
#include "base/error.h"
#include "base/file.h"
#include "base/str.h"
#include "jail/cgroup_place.h"
#include "jail/cgroup_text.h"
#include "jail/device_filter.h"
#include "jail/look.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/landlock.h>
#include <linux/sched.h>
#include <linux/seccomp.h>
#include <signal.h>
#include <stdint.h>
#include <sys/syscall.h>
#include <unistd.h>

/* Formats into the row's detail. */
#define SAY(s, kind, ...) (void)str_format((s)->v[kind].detail, JAIL_SUPPORT_TEXT, __VA_ARGS__)

static void probe_namespaces(struct jail_support *s)
{
	struct strbuf missing = {0};

	for (int i = 0; i < JAIL_NS_COUNT; i++) {
		char path[32];

		(void)str_format(path, sizeof(path), "/proc/self/ns/%s", jail_namespace_file(i));
		if (i != JAIL_NS_USER && access(path, F_OK) < 0)
			strbuf_addf(&missing, "%s%s", missing.len ? ", " : "",
				    jail_namespace_name(i));
	}
	s->v[JAIL_SUPPORT_NAMESPACES].there = !missing.len;
	SAY(s, JAIL_SUPPORT_NAMESPACES, "%s%s", missing.len ? "not there: " : "all six",
	    missing.len ? missing.data : "");
	strbuf_free(&missing);
}

static bool seccomp_has(uint32_t action)
{
	return syscall(SYS_seccomp, SECCOMP_GET_ACTION_AVAIL, 0, &action) == 0;
}

static void probe_seccomp(struct jail_support *s)
{
	bool filter = seccomp_has(SECCOMP_RET_KILL_PROCESS);
	bool notify = seccomp_has(SECCOMP_RET_USER_NOTIF);

	s->v[JAIL_SUPPORT_SECCOMP].there = filter;
	SAY(s, JAIL_SUPPORT_SECCOMP, "%s", filter ? "filters that end a process" : "no filters");
	s->v[JAIL_SUPPORT_SEAL].there = notify;
	SAY(s, JAIL_SUPPORT_SEAL, "%s",
	    notify ? "filters that ask" : "no filters that ask (kernel 5.0)");
}

static void probe_landlock(struct jail_support *s)
{
	long abi = syscall(SYS_landlock_create_ruleset, NULL, 0, LANDLOCK_CREATE_RULESET_VERSION);

	s->landlock_abi = abi > 0 ? (unsigned)abi : 0;
	s->v[JAIL_SUPPORT_LANDLOCK].there = abi > 0;
	if (abi > 0)
		SAY(s, JAIL_SUPPORT_LANDLOCK, "ABI %ld", abi);
	else
		SAY(s, JAIL_SUPPORT_LANDLOCK, "%s",
		    errno == EOPNOTSUPP ? "turned off at boot" : "not in this kernel");
}

static void probe_pidfd(struct jail_support *s)
{
	cleanup_close int fd = (int)syscall(SYS_pidfd_open, getpid(), 0);

	s->v[JAIL_SUPPORT_PIDFD].there = fd >= 0;
	SAY(s, JAIL_SUPPORT_PIDFD, "%s", fd >= 0 ? "there" : "not in this kernel (5.3)");
}

/* Asked for a descriptor that is not open, a kernel that knows the flag says just
 * that; one that does not, refuses the flag. */
static void probe_cgroup_spawn(struct jail_support *s)
{
	struct clone_args args = {
		.flags = CLONE_INTO_CGROUP,
		.exit_signal = SIGCHLD,
		.cgroup = INT32_MAX,
	};
	long pid = syscall(SYS_clone3, &args, sizeof(args));

	/* A kernel that made a child all the same would go on here twice. */
	if (pid == 0)
		_exit(0);
	s->v[JAIL_SUPPORT_CGROUP_SPAWN].there = pid < 0 && errno == EBADF;
	SAY(s, JAIL_SUPPORT_CGROUP_SPAWN, "%s",
	    s->v[JAIL_SUPPORT_CGROUP_SPAWN].there ? "there" : "not in this kernel (5.7)");
}

static void probe_limits(struct jail_support *s, const char *folder)
{
	static const char *const wanted[] = {"cpu", "memory", "io", "pids"};
	cleanup_free char *path = str_printf("%s/cgroup.controllers", folder), *text = NULL;
	struct strbuf missing = {0};

	if (!path || file_read(AT_FDCWD, path, 4096, &text, NULL, NULL) < 0)
		return;
	for (size_t i = 0; i < ARRAY_SIZE(wanted); i++)
		if (!cgroup_text_has_word(text, wanted[i]))
			strbuf_addf(&missing, "%s%s", missing.len ? ", " : "", wanted[i]);
	s->v[JAIL_SUPPORT_LIMITS].there = !missing.len;
	if (!missing.len) {
		s->cgroup_version = 2;
		SAY(s, JAIL_SUPPORT_LIMITS, "cpu, memory, io, pids");
	} else if (s->cgroup_version == 1)
		SAY(s, JAIL_SUPPORT_LIMITS, "cgroup v1 has the controllers %s", missing.data);
	else
		SAY(s, JAIL_SUPPORT_LIMITS, "version 2 lacks the controllers %s", missing.data);
	strbuf_free(&missing);
}

static void probe_cgroup(struct jail_support *s)
{
	cleanup_free char *groups = NULL, *folder = NULL;
	struct error err = ERROR_INIT;

	if (file_read(AT_FDCWD, "/proc/self/cgroup", 1 << 20, &groups, NULL, NULL) == 0)
		s->cgroup_version = cgroup_text_is_v1(groups, "memory") ? 1 : 0;
	folder = cgroup_place_top(&err);
	s->v[JAIL_SUPPORT_CGROUP].there = folder != NULL;
	SAY(s, JAIL_SUPPORT_CGROUP, "%s%s", folder ? "version 2 at " : err.text,
	    folder ? folder : "");
	SAY(s, JAIL_SUPPORT_LIMITS, "no control groups of version 2");
	if (folder)
		probe_limits(s, folder);
}

static void probe_devices(struct jail_support *s)
{
	struct error err = ERROR_INIT;

	if (geteuid() != 0) {
		s->v[JAIL_SUPPORT_DEVICES].unknown = true;
		SAY(s, JAIL_SUPPORT_DEVICES, "only root can tell");
		return;
	}
	s->v[JAIL_SUPPORT_DEVICES].there = device_filter_probe(&err) == 0;
	SAY(s, JAIL_SUPPORT_DEVICES, "%s",
	    s->v[JAIL_SUPPORT_DEVICES].there ? "programs for control groups" : err.text);
}

static void probe_user_namespaces(struct jail_support *s)
{
	cleanup_free char *most = NULL;
	bool there = access("/proc/self/ns/user", F_OK) == 0;

	/* None may be made where the number is 0. */
	if (there &&
	    file_read(AT_FDCWD, "/proc/sys/user/max_user_namespaces", 64, &most, NULL, NULL) == 0)
		there = strncmp(most, "0\n", 2) != 0;
	s->v[JAIL_SUPPORT_USER_NAMESPACES].there = there;
	SAY(s, JAIL_SUPPORT_USER_NAMESPACES, "%s", there ? "there" : "turned off");
}

void jail_support_probe(struct jail_support *ret_support)
{
	*ret_support = (struct jail_support){.landlock_abi = 0};
	probe_namespaces(ret_support);
	probe_seccomp(ret_support);
	probe_landlock(ret_support);
	probe_pidfd(ret_support);
	probe_cgroup(ret_support);
	probe_cgroup_spawn(ret_support);
	probe_devices(ret_support);
	probe_user_namespaces(ret_support);
}

static const struct {
	const char *name, *loss, *remedy;
	bool layer;
} rows[] = {
	[JAIL_SUPPORT_NAMESPACES] = {"namespaces", "machines see more of the host than they need",
				     "boot a distribution's kernel", true},
	[JAIL_SUPPORT_SECCOMP] = {"seccomp", "machines may make every system call",
				  "boot a distribution's kernel (CONFIG_SECCOMP_FILTER)", true},
	[JAIL_SUPPORT_SEAL] = {"seccomp-notify", "what QEMU needs for its start only stays allowed",
			       "boot kernel 5.0 or later", true},
	[JAIL_SUPPORT_LANDLOCK] = {"landlock", "one layer less between a machine and files",
				   "add landlock to the list in lsm= on the kernel's command line",
				   true},
	[JAIL_SUPPORT_PIDFD] = {"pidfd", "supervisors cannot hold on to processes",
				"boot kernel 5.3 or later", true},
	[JAIL_SUPPORT_CGROUP] = {"cgroup", "limits cannot be set, and devices are not filtered",
				 "boot with systemd.unified_cgroup_hierarchy=1", true},
	[JAIL_SUPPORT_LIMITS] = {"cgroup-limits", "limits cannot be set",
				 "boot with systemd.unified_cgroup_hierarchy=1", true},
	[JAIL_SUPPORT_CGROUP_SPAWN] = {"cgroup-spawn",
				       "a process joins its control group before it does "
				       "anything else, rather than being born there",
				       "boot kernel 5.7 or later", false},
	[JAIL_SUPPORT_DEVICES] = {"device-filter", "devices are kept from machines by less",
				  "boot a distribution's kernel (CONFIG_CGROUP_BPF)", true},
	[JAIL_SUPPORT_USER_NAMESPACES] = {"user-namespaces",
					  "nothing that a machine of root's needs",
					  "sysctl user.max_user_namespaces=10000", false},
};
static_assert(ARRAY_SIZE(rows) == JAIL_SUPPORT_COUNT, "a row each");

const char *jail_support_name(enum jail_support_kind kind)
{
	return rows[kind].name;
}

const char *jail_support_loss(enum jail_support_kind kind)
{
	return rows[kind].loss;
}

const char *jail_support_remedy(enum jail_support_kind kind)
{
	return rows[kind].remedy;
}

bool jail_support_is_layer(enum jail_support_kind kind)
{
	return rows[kind].layer;
}
