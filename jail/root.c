/* SPDX-License-Identifier: MIT */
/*
 * Theory of operation
 *
 * A descriptor can be bound only in the mount namespace that it belongs to, while a
 * detached clone of it can be mounted in any. So each source is cloned by open_tree()
 * first, then comes the mount namespace, then a tmpfs on top of "/", into which the
 * clones are mounted with their restrictions. pivot_root(".", ".") makes it the root
 * and leaves the old one on top of it, from where it is detached. What is made in the
 * tmpfs itself (folders, links, device nodes, copies) is made while it can be written
 * to; the last step makes it read-only.
 *
 * Files that root alone may read are copied into that tmpfs: a memfd cannot be bound,
 * for it belongs to no mount namespace, and not every file system maps user ids. The
 * copy is what the program maps, so it is in memory once.
 */
#include "jail/private.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

static const char host_name[] = "jail";

static bool is_made(const struct jail_bind *b)
{
	return b->text || b->link || b->within;
}

/* The source of a bind: a clone of it that can be mounted anywhere, or the file that
 * is to be copied or looked at. -1: there is none, *ret_rc says whether that is right. */
static int open_source(const struct jail_bind *b, int *ret_rc)
{
	int fd;

	*ret_rc = 0;
	if (is_made(b))
		return -1;
	if (b->device)
		fd = open(b->source, O_PATH | O_CLOEXEC);
	else if (b->copy)
		fd = b->source ? open(b->source, O_RDONLY | O_CLOEXEC)
			       : fcntl(b->fd, F_DUPFD_CLOEXEC, 0);
	else if (b->source)
		fd = open_tree(AT_FDCWD, b->source, OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC);
	else
		fd = open_tree(b->fd, "",
			       OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | (unsigned)AT_EMPTY_PATH);
	if (fd < 0 && !(b->optional && errno == ENOENT))
		*ret_rc = -errno;
	return fd;
}

static int open_sources(struct jail_start *start, const char **ret_what)
{
	const struct jail_spec *spec = start->spec;
	int rc = 0;

	*ret_what = "open what is bound into its root";
	for (size_t i = 0; rc == 0 && i < spec->n_binds; i++)
		start->trees[i] = open_source(&spec->binds[i], &rc);
	return rc;
}

/* In place of the working folder: a small tmpfs, of which the caller gets hold. */
static int make_root(const struct jail_start *start, int *ret_fd)
{
	char size[32];
	int fs, fd = -1, code;

	fs = fsopen("tmpfs", FSOPEN_CLOEXEC);
	if (fs < 0)
		return -errno;
	/* A page for each file and folder, and what is copied. */
	(void)snprintf(size, sizeof(size), "%zu", start->root_bytes);
	if (fsconfig(fs, FSCONFIG_SET_STRING, "size", size, 0) == 0 &&
	    fsconfig(fs, FSCONFIG_SET_STRING, "nr_inodes", "256", 0) == 0 &&
	    fsconfig(fs, FSCONFIG_SET_STRING, "mode", "755", 0) == 0 &&
	    fsconfig(fs, FSCONFIG_CMD_CREATE, NULL, NULL, 0) == 0)
		fd = fsmount(fs, FSMOUNT_CLOEXEC, MOUNT_ATTR_NOSUID | MOUNT_ATTR_NOEXEC);
	code = errno;
	(void)close(fs);
	if (fd < 0)
		return -code;
	if (move_mount(fd, "", AT_FDCWD, "/", MOVE_MOUNT_F_EMPTY_PATH) < 0 || fchdir(fd) < 0) {
		code = errno;
		(void)close(fd);
		return -code;
	}
	*ret_fd = fd;
	return 0;
}

/* The folders above path, which is relative to the new root. */
static int make_parents(const char *path)
{
	char buf[256];
	size_t len = strlen(path);

	if (len >= sizeof(buf))
		return -ENAMETOOLONG;
	memcpy(buf, path, len + 1);
	for (char *slash = strchr(buf, '/'); slash; slash = strchr(slash + 1, '/')) {
		*slash = '\0';
		if (mkdir(buf, 0755) < 0 && errno != EEXIST)
			return -errno;
		*slash = '/';
	}
	return 0;
}

static int make_file(const char *path, mode_t mode, int *ret_fd)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, mode);

	if (fd < 0)
		return -errno;
	if (fchmod(fd, mode) < 0) {
		int code = errno;

		(void)close(fd);
		return -code;
	}
	*ret_fd = fd;
	return 0;
}

static int write_text(const char *path, const char *text)
{
	ssize_t n;
	int fd, rc = make_file(path, 0444, &fd);

	if (rc < 0)
		return rc;
	n = write(fd, text, strlen(text));
	rc = n < 0 ? -errno : n == (ssize_t)strlen(text) ? 0 : -ENOSPC;
	(void)close(fd);
	return rc;
}

static int copy_file(int from, const char *path)
{
	int fd, rc = make_file(path, 0444, &fd);
	off_t offset = 0;
	struct stat st;
	ssize_t n = 0;

	if (rc < 0)
		return rc;
	if (fstat(from, &st) < 0)
		n = -1;
	while (n >= 0 && offset < st.st_size) {
		n = sendfile(fd, from, &offset, (size_t)(st.st_size - offset));
		if (n == 0)
			break;
	}
	rc = n < 0 ? -errno : offset < st.st_size ? -EIO : 0;
	(void)close(fd);
	return rc;
}

static int mount_tree(int tree, const char *path, uint64_t set, uint64_t clear)
{
	struct mount_attr attr = {.attr_set = set, .attr_clr = clear};

	if (mount_setattr(tree, "", AT_EMPTY_PATH, &attr, sizeof(attr)) < 0 ||
	    move_mount(tree, "", AT_FDCWD, path, MOVE_MOUNT_F_EMPTY_PATH) < 0)
		return -errno;
	return 0;
}

/* Where nodes may not be made (a unit's PrivateDevices=), one that everybody may open
 * is the host's own: "/" still leads there. */
static int stand_in(const struct jail_bind *b, const struct stat *st, const char *path,
		    const char **ret_from)
{
	int fd, rc;

	if (!b->source || (st->st_mode & 0666) != 0666)
		return -EPERM;
	rc = make_file(path, 0444, &fd);
	if (rc < 0)
		return rc;
	(void)close(fd);
	*ret_from = b->source;
	return 0;
}

/* A node that belongs to the user, whatever the host's owner and mode are. It is
 * mounted on itself, so that it alone is on a mount that knows devices. */
static int make_device(const struct jail_spec *spec, const struct jail_bind *b, int like,
		       const char *path)
{
	const char *from = path;
	struct stat st;
	int tree, rc = 0;

	if (fstat(like, &st) < 0)
		return -errno;
	if (!S_ISCHR(st.st_mode))
		return -ENODEV;
	if (mknod(path, S_IFCHR | 0600, st.st_rdev) < 0)
		rc = errno == EPERM ? stand_in(b, &st, path, &from) : -errno;
	else if (chmod(path, b->writable ? 0600 : 0400) < 0 ||
		 chown(path, spec->uid, spec->gid) < 0)
		rc = -errno;
	if (rc < 0)
		return rc;
	tree = open_tree(AT_FDCWD, from, OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC);
	if (tree < 0)
		return -errno;
	rc = mount_tree(tree, path, MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID | MOUNT_ATTR_NOEXEC,
			MOUNT_ATTR_NODEV);
	(void)close(tree);
	return rc;
}

static int mount_bind(const struct jail_bind *b, int tree, const char *path)
{
	struct stat st;
	int fd, rc;

	if (fstat(tree, &st) < 0)
		return -errno;
	if (S_ISDIR(st.st_mode)) {
		if (mkdir(path, 0755) < 0 && errno != EEXIST)
			return -errno;
	} else {
		rc = make_file(path, 0444, &fd);
		if (rc < 0)
			return rc;
		(void)close(fd);
	}
	return mount_tree(tree, path,
			  MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV |
				  (b->writable ? 0 : MOUNT_ATTR_RDONLY) |
				  (b->executable ? 0 : MOUNT_ATTR_NOEXEC),
			  0);
}

static int furnish(const struct jail_start *start, const char **ret_what)
{
	const struct jail_spec *spec = start->spec;

	for (size_t i = 0; i < spec->n_binds; i++) {
		const struct jail_bind *b = &spec->binds[i];
		const char *path = jail_bind_target(b) + 1;
		int fd = start->trees[i], rc;

		if (b->within || (fd < 0 && !is_made(b)))
			continue;
		*ret_what = jail_bind_target(b);
		rc = make_parents(path);
		if (rc < 0)
			return rc;
		if (b->link)
			rc = symlink(b->link, path) < 0 ? -errno : 0;
		else if (b->text)
			rc = write_text(path, b->text);
		else if (b->copy)
			rc = copy_file(fd, path);
		else if (b->device)
			rc = make_device(spec, b, fd, path);
		else
			rc = mount_bind(b, fd, path);
		if (rc < 0)
			return rc;
	}
	return 0;
}

static int settle(int root_fd, const char **ret_what)
{
	struct mount_attr attr = {
		.attr_set = MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV |
			    MOUNT_ATTR_NOEXEC,
	};

	*ret_what = "change the root";
	if (syscall(SYS_pivot_root, ".", ".") < 0)
		return -errno;
	*ret_what = "let go of the old root";
	if (umount2(".", MNT_DETACH) < 0 || chdir("/") < 0)
		return -errno;
	*ret_what = "make its root read-only";
	return mount_setattr(root_fd, "", AT_EMPTY_PATH, &attr, sizeof(attr)) < 0 ? -errno : 0;
}

static int enter_namespaces(const struct jail_spec *spec, const char **ret_what)
{
	*ret_what = "make a mount namespace";
	if (unshare(CLONE_NEWNS) < 0 || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0)
		return -errno;
	*ret_what = "set the host name";
	if (jail_has(spec, JAIL_LAYER_UTS) &&
	    (sethostname(host_name, sizeof(host_name) - 1) < 0 || setdomainname("", 0) < 0))
		return -errno;
	return 0;
}

int jail_enter_root(struct jail_start *start, const char **ret_what)
{
	mode_t mask = umask(0);
	int root_fd = -1, rc;

	rc = open_sources(start, ret_what);
	if (rc == 0)
		rc = enter_namespaces(start->spec, ret_what);
	if (rc == 0) {
		*ret_what = "make its root";
		rc = make_root(start, &root_fd);
	}
	if (rc == 0)
		rc = furnish(start, ret_what);
	if (rc == 0)
		rc = settle(root_fd, ret_what);
	(void)umask(mask);
	return rc;
}
