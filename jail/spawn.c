/* SPDX-License-Identifier: MIT */
/*
 * What the child does before exec, one step after the other; each is named in
 * the error when it fails. The order matters: the bounding set and the groups
 * need privilege, the user change drops it, no_new_privs comes last so that
 * nothing after it can gain any.
 */
#include "jail/spawn.h"

#include "base/cleanup.h"
#include "base/error.h"
#include "base/str.h"
#include "jail/mounts.h"

#include <cap-ng.h>
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

enum { FILES_MAX = 1024 };

static int limit(int resource, rlim_t value)
{
	struct rlimit r = {.rlim_cur = value, .rlim_max = value};

	return setrlimit(resource, &r) < 0 ? -errno : 0;
}

static int change_identity(const struct jail_spec *spec, const char **ret_what)
{
	*ret_what = "drop the supplementary groups";
	if (setgroups(0, NULL) < 0)
		return -errno;
	*ret_what = "change the group";
	if (setresgid(spec->gid, spec->gid, spec->gid) < 0)
		return -errno;
	/* The wanted capabilities have to outlast the change of user. */
	*ret_what = "keep capabilities";
	if (spec->n_caps && prctl(PR_SET_KEEPCAPS, 1L, 0L, 0L, 0L) < 0)
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

static int confine(const void *arg, const char **ret_what)
{
	const struct jail_spec *spec = arg;
	int rc;

	*ret_what = "set limits";
	rc = limit(RLIMIT_CORE, 0);
	if (rc == 0)
		rc = limit(RLIMIT_NOFILE, FILES_MAX);
	if (rc == 0)
		rc = jail_mount(spec, ret_what);
	if (rc < 0)
		return rc;
	/* The bounding set keeps what is wanted, else ambient ones would be
	 * lost on exec. */
	*ret_what = "drop the bounding set";
	capng_clear(CAPNG_SELECT_BOTH);
	for (size_t i = 0; i < spec->n_caps; i++)
		(void)capng_update(CAPNG_ADD, CAPNG_BOUNDING_SET, (unsigned)spec->caps[i]);
	if (capng_apply(CAPNG_SELECT_BOUNDS) < 0)
		return -EPERM;
	rc = change_identity(spec, ret_what);
	if (rc == 0)
		rc = set_capabilities(spec, ret_what);
	if (rc < 0)
		return rc;
	*ret_what = "set no_new_privs";
	if (prctl(PR_SET_NO_NEW_PRIVS, 1L, 0L, 0L, 0L) < 0)
		return -errno;
	return 0;
}

static int join_group(int cgroup_fd, struct child *child, struct error *err)
{
	cleanup_close int fd = -1;

	if (cgroup_fd < 0)
		return 0;
	fd = openat(cgroup_fd, "cgroup.procs", O_WRONLY | O_CLOEXEC);
	if (fd >= 0 && dprintf(fd, "%d", (int)child->pid) > 0)
		return 0;
	(void)error_errno(err, errno, "put it into its control group");
	child_destroy(child);
	return -errno;
}

int jail_spawn(const struct jail_spec *spec, struct child *ret_child, struct error *err)
{
	struct child_fd folder = {.fd = spec->folder_fd, .target = JAIL_FOLDER_TARGET};
	cleanup_free char *mark = str_printf(JAIL_MARK "=%s", spec->owner);
	char *env[] = {mark, NULL};
	int rc;

	if (!mark)
		return error_oom(err);
	if (spec->uid == 0 || spec->gid == 0 || spec->n_caps > JAIL_CAPS_MAX)
		return error_set(err, EINVAL, "start '%s': a jailed process is never root",
				 spec->program);
	if (spec->folder_fd >= 0 && spec->n_fds)
		return error_set(err, EINVAL, "start '%s': a folder or descriptors, not both",
				 spec->program);
	if (spec->folder_fd >= 0 && spec->device)
		return error_set(err, EINVAL, "start '%s': a folder or a device, not both",
				 spec->program);
	rc = child_spawn(
		&(struct child_spec){
			.path = spec->program,
			.argv = spec->argv,
			.env = env,
			.fds = spec->folder_fd >= 0 ? &folder : spec->fds,
			.n_fds = spec->folder_fd >= 0 ? 1 : spec->n_fds,
			.stdin_fd = -1,
			.stdout_fd = -1,
			.stderr_fd = spec->stderr_fd,
			.cwd_fd = spec->cwd_fd,
			.new_session = true,
			.confine = confine,
			.confine_arg = spec,
			.run = spec->run,
			.run_arg = spec->run_arg,
		},
		ret_child, err);
	return rc < 0 ? rc : join_group(spec->cgroup_fd, ret_child, err);
}
