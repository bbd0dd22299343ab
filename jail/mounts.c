/* SPDX-License-Identifier: MIT */
#include "jail/mounts.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#define DEVICE_NODE JAIL_FOLDER "/device"

static int own_namespace(const char **ret_what)
{
	*ret_what = "make a mount namespace";
	return unshare(CLONE_NEWNS) < 0 || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0
		       ? -errno
		       : 0;
}

/* By descriptor, so no folder above it has to let the new user through. It is
 * cloned before the namespace changes, for it belongs to the old one. */
static int mount_folder(const char **ret_what)
{
	int tree, rc;

	*ret_what = "take its folder";
	tree = open_tree(JAIL_FOLDER_TARGET, "",
			 OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_EMPTY_PATH);
	if (tree < 0)
		return -errno;
	rc = own_namespace(ret_what);
	if (rc < 0)
		return rc;
	*ret_what = "mount its folder";
	if (move_mount(tree, "", AT_FDCWD, JAIL_FOLDER, MOVE_MOUNT_F_EMPTY_PATH) < 0 ||
	    mount(NULL, JAIL_FOLDER, NULL, MS_REMOUNT | MS_BIND | MS_NOSUID | MS_NODEV | MS_NOEXEC,
		  NULL) < 0)
		return -errno;
	(void)close(tree);
	(void)close(JAIL_FOLDER_TARGET);
	return 0;
}

/* A node of its own in the place of the host's: whatever that one's owner and
 * mode are, this user may open this one, and nothing else changes hands. */
static int mount_device(const struct jail_spec *spec, const char **ret_what)
{
	struct stat st;
	int rc;

	*ret_what = "look at its device";
	if (stat(spec->device, &st) < 0)
		return -errno;
	if (!S_ISCHR(st.st_mode))
		return -ENODEV;
	rc = own_namespace(ret_what);
	if (rc < 0)
		return rc;
	*ret_what = "make its device";
	if (mount("none", JAIL_FOLDER, "tmpfs", MS_NOSUID | MS_NOEXEC, "mode=755,size=64k") < 0 ||
	    mknod(DEVICE_NODE, S_IFCHR | 0600, st.st_rdev) < 0 ||
	    chown(DEVICE_NODE, spec->uid, spec->gid) < 0 ||
	    mount(DEVICE_NODE, spec->device, NULL, MS_BIND, NULL) < 0)
		return -errno;
	return 0;
}

int jail_mount(const struct jail_spec *spec, const char **ret_what)
{
	if (spec->folder_fd >= 0)
		return mount_folder(ret_what);
	return spec->device ? mount_device(spec, ret_what) : 0;
}
