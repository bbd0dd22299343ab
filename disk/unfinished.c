/* SPDX-License-Identifier: MIT */
#include "disk/unfinished.h"

#include "base/cleanup.h"
#include "base/error.h"
#include "base/fault.h"
#include "base/str.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

static void forget(struct disk_unfinished *u)
{
	close_fd(&u->fd);
	free(u->path);
	free(u->temp);
	free(u->folder);
	*u = (struct disk_unfinished)DISK_UNFINISHED_INIT;
}

/* On the first byte: QEMU's own locks, which qemu-img takes, lie further on. */
static int lock(const struct disk_unfinished *u, struct error *err)
{
	struct flock how = {.l_type = F_WRLCK, .l_whence = SEEK_SET, .l_len = 1};
	struct stat mine, current;

	if (fcntl(u->fd, F_OFD_SETLK, &how) < 0)
		return errno == EAGAIN || errno == EACCES
			       ? error_set(err, EBUSY, "'%s' is being made by somebody else",
					   u->path)
			       : error_errno(err, errno, "lock '%s'", u->temp);
	/* Whoever made it may have given it its name since it was opened. */
	if (fstat(u->fd, &mine) < 0 || stat(u->temp, &current) < 0 ||
	    mine.st_ino != current.st_ino || mine.st_dev != current.st_dev)
		return error_set(err, EBUSY, "'%s' is being made by somebody else", u->path);
	return 0;
}

int disk_unfinished_begin(const char *path, struct disk_unfinished *ret, struct error *err)
{
	struct disk_unfinished u = DISK_UNFINISHED_INIT;
	const char *name = strrchr(path, '/');
	int rc = 0;

	if (!name || path[0] != '/' || !name[1])
		return error_set(err, EINVAL, "'%s' is not the absolute path of a file", path);
	if (faccessat(AT_FDCWD, path, F_OK, AT_SYMLINK_NOFOLLOW) == 0)
		return error_errno(err, EEXIST, "create '%s'", path);
	u.path = strdup(path);
	u.folder = str_printf("%.*s", name == path ? 1 : (int)(name - path), path);
	u.temp = u.folder ? str_printf("%s/.%s.new", u.folder, name + 1) : NULL;
	if (!u.path || !u.temp)
		rc = error_oom(err);
	if (rc == 0) {
		u.fd = open(u.temp, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
		rc = u.fd < 0 ? error_errno(err, errno, "create '%s'", u.temp) : lock(&u, err);
	}
	if (rc == 0 && (ftruncate(u.fd, 0) < 0 || fchmod(u.fd, 0600) < 0))
		rc = error_errno(err, errno, "create '%s'", u.temp);
	if (rc < 0) {
		forget(&u);
		return rc;
	}
	*ret = u;
	return 0;
}

static int finish(const struct disk_unfinished *u, struct error *err)
{
	cleanup_close int folder = -1;

	/* Through its own descriptor, which sees what qemu-img wrote, too. */
	if (fsync(u->fd) < 0)
		return error_errno(err, errno, "fsync '%s'", u->temp);
	fault_point("image made");
	if (renameat2(AT_FDCWD, u->temp, AT_FDCWD, u->path, RENAME_NOREPLACE) < 0)
		return error_errno(err, errno, "create '%s'", u->path);
	folder = open(u->folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (folder < 0 || fsync(folder) < 0)
		return error_errno(err, errno, "fsync '%s'", u->folder);
	fault_point("image in place");
	return 0;
}

int disk_unfinished_finish(struct disk_unfinished *u, struct error *err)
{
	int rc = finish(u, err);

	if (rc < 0)
		disk_unfinished_abandon(u);
	else
		forget(u);
	return rc;
}

void disk_unfinished_abandon(struct disk_unfinished *u)
{
	if (u->fd >= 0)
		(void)unlink(u->temp);
	forget(u);
}
