/* SPDX-License-Identifier: MIT */
#include "disk/frozen.h"

#include "base/cleanup.h"
#include "base/error.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

static int open_plain(const char *path, int *ret_fd, struct stat *ret_st, struct error *err)
{
	*ret_fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
	if (*ret_fd < 0)
		return error_errno(err, errno, "open '%s'", path);
	return fstat(*ret_fd, ret_st) < 0 ? error_errno(err, errno, "look at '%s'", path) : 0;
}

/* Many file systems know no such thing, and some hosts allow it to nobody: the mode has
 * to do then. */
static void set_immutable(int fd, bool wanted)
{
	int flags;

	if (ioctl(fd, FS_IOC_GETFLAGS, &flags) < 0 || !(flags & FS_IMMUTABLE_FL) == !wanted)
		return;
	flags ^= FS_IMMUTABLE_FL;
	(void)ioctl(fd, FS_IOC_SETFLAGS, &flags);
}

int disk_freeze(const char *path, mode_t *ret_mode, struct error *err)
{
	cleanup_close int fd = -1;
	struct stat st;
	int rc = open_plain(path, &fd, &st, err);

	if (rc < 0)
		return rc;
	*ret_mode = st.st_mode & 07777;
	if (!S_ISREG(st.st_mode))
		return 0;
	if (fsync(fd) < 0)
		return error_errno(err, errno, "fsync '%s'", path);
	/* An immutable one has had its mode changed already, and takes no other. */
	if (*ret_mode & 0222 && fchmod(fd, *ret_mode & ~(mode_t)0222) < 0)
		return error_errno(err, errno, "take away the right to write to '%s'", path);
	set_immutable(fd, true);
	return 0;
}

int disk_thaw(const char *path, mode_t mode, struct error *err)
{
	cleanup_close int fd = -1;
	struct stat st;
	int rc = open_plain(path, &fd, &st, err);

	if (rc < 0)
		return rc == -ENOENT ? 0 : rc;
	if (!S_ISREG(st.st_mode))
		return 0;
	set_immutable(fd, false);
	return fchmod(fd, mode & 07777) < 0
		       ? error_errno(err, errno, "give back the right to write to '%s'", path)
		       : 0;
}

int disk_remove(const char *path, struct error *err)
{
	struct stat st;

	if (lstat(path, &st) == 0 && S_ISREG(st.st_mode))
		(void)disk_thaw(path, 0600, NULL);
	return unlink(path) < 0 ? error_errno(err, errno, "remove '%s'", path) : 0;
}
