/* SPDX-License-Identifier: MIT */
/*
 * Limits, user, capabilities. The order matters: the bounding set, the groups and the
 * secure bits need privilege, the change of user drops it, no_new_privs comes last so
 * that nothing after it can gain any.
 */
#include "jail/private.h"

#include <cap-ng.h>
#include <errno.h>
#include <grp.h>
#include <linux/securebits.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

enum { FILES_MAX_DEFAULT = 256, FILES_ON_THE_WAY = 256 };

unsigned jail_files_max(const struct jail_spec *spec)
{
	unsigned wanted = spec->files_max ? spec->files_max : FILES_MAX_DEFAULT;
	struct rlimit r;

	/* A caller with a limit of its own cannot give more. */
	if (getrlimit(RLIMIT_NOFILE, &r) == 0 && r.rlim_max != RLIM_INFINITY &&
	    r.rlim_max > 2 * FILES_ON_THE_WAY && r.rlim_max - FILES_ON_THE_WAY < wanted)
		return (unsigned)(r.rlim_max - FILES_ON_THE_WAY);
	return wanted;
}

static int limit(__rlimit_resource_t resource, rlim_t value)
{
	struct rlimit r = {.rlim_cur = value, .rlim_max = value};

	return setrlimit(resource, &r) < 0 ? -errno : 0;
}

/* The report socket sits above the limit, and descriptors that are moved above it. */
int jail_make_room(const struct jail_spec *spec, const char **ret_what)
{
	rlim_t needed = jail_files_max(spec) + FILES_ON_THE_WAY;
	struct rlimit r;

	*ret_what = "make room for descriptors";
	if (getrlimit(RLIMIT_NOFILE, &r) < 0)
		return -errno;
	if (r.rlim_cur >= needed)
		return 0;
	r.rlim_cur = needed;
	if (r.rlim_max < needed)
		r.rlim_max = needed;
	return setrlimit(RLIMIT_NOFILE, &r) < 0 ? -errno : 0;
}

/* Not RLIMIT_NPROC: it counts threads, of which a backup takes many; processes are
 * bounded by the cgroup and by what may be called. */
int jail_set_limits(const struct jail_spec *spec, const char **ret_what)
{
	int rc;

	*ret_what = "set limits";
	rc = limit(RLIMIT_NOFILE, jail_files_max(spec));
	if (rc == 0 && jail_has(spec, JAIL_LAYER_LIMITS)) {
		rc = limit(RLIMIT_CORE, 0);
		if (rc == 0)
			rc = limit(RLIMIT_MEMLOCK, 0);
		if (rc == 0)
			rc = limit(RLIMIT_MSGQUEUE, 0);
		if (rc == 0)
			rc = limit(RLIMIT_RTPRIO, 0);
		if (rc == 0)
			rc = limit(RLIMIT_NICE, 0);
	}
	return rc;
}

/* The bounding set keeps what is wanted, else ambient ones would be lost on exec. */
static int bound_capabilities(const struct jail_spec *spec, const char **ret_what)
{
	unsigned long bits = SECBIT_NOROOT | SECBIT_NOROOT_LOCKED | SECBIT_KEEP_CAPS_LOCKED |
			     SECBIT_NO_SETUID_FIXUP_LOCKED;

	*ret_what = "drop the bounding set";
	capng_clear(CAPNG_SELECT_BOTH);
	for (size_t i = 0; i < spec->n_caps; i++)
		(void)capng_update(CAPNG_ADD, CAPNG_BOUNDING_SET, (unsigned)spec->caps[i]);
	if (capng_apply(CAPNG_SELECT_BOUNDS) < 0)
		return -EPERM;
	/* The wanted capabilities have to outlast the change of user; the flag is
	 * gone with exec. */
	*ret_what = "lock the secure bits";
	if (spec->n_caps)
		bits |= SECBIT_KEEP_CAPS;
	else
		bits |= SECBIT_NO_CAP_AMBIENT_RAISE | SECBIT_NO_CAP_AMBIENT_RAISE_LOCKED;
	return prctl(PR_SET_SECUREBITS, bits, 0L, 0L, 0L) < 0 ? -errno : 0;
}

static int change_identity(const struct jail_spec *spec, const char **ret_what)
{
	*ret_what = "drop the supplementary groups";
	if (setgroups(0, NULL) < 0)
		return -errno;
	*ret_what = "change the group";
	if (setresgid(spec->gid, spec->gid, spec->gid) < 0)
		return -errno;
	*ret_what = "change the user";
	if (setresuid(spec->uid, spec->uid, spec->uid) < 0)
		return -errno;
	return 0;
}

static int set_capabilities(const struct jail_spec *spec, const char **ret_what)
{
	*ret_what = "drop capabilities";
	capng_clear(CAPNG_SELECT_CAPS);
	for (size_t i = 0; i < spec->n_caps; i++)
		if (capng_update(CAPNG_ADD, CAPNG_EFFECTIVE | CAPNG_PERMITTED | CAPNG_INHERITABLE,
				 (unsigned)spec->caps[i]) < 0)
			return -EINVAL;
	if (capng_apply(CAPNG_SELECT_CAPS) < 0)
		return -EPERM;
	*ret_what = "raise ambient capabilities";
	for (size_t i = 0; i < spec->n_caps; i++)
		if (prctl(PR_CAP_AMBIENT, (long)PR_CAP_AMBIENT_RAISE, (long)spec->caps[i], 0L, 0L) <
		    0)
			return -errno;
	return 0;
}

int jail_drop_user(const struct jail_spec *spec, const char **ret_what)
{
	bool caps = jail_has(spec, JAIL_LAYER_CAPS);
	int rc = 0;

	if (caps)
		rc = bound_capabilities(spec, ret_what);
	if (rc == 0 && jail_has(spec, JAIL_LAYER_USER))
		rc = change_identity(spec, ret_what);
	if (rc == 0 && caps)
		rc = set_capabilities(spec, ret_what);
	if (rc < 0)
		return rc;
	/* A change of the user would undo it. */
	*ret_what = "die with its parent";
	if (spec->dies_with_parent && prctl(PR_SET_PDEATHSIG, SIGKILL, 0L, 0L, 0L) < 0)
		return -errno;
	*ret_what = "set no_new_privs";
	return prctl(PR_SET_NO_NEW_PRIVS, 1L, 0L, 0L, 0L) < 0 ? -errno : 0;
}
