/* SPDX-License-Identifier: MIT */
#include "base/file.h"

#include "base/cleanup.h"
#include "base/error.h"
#include "base/str.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

enum { READ_BYTES_FIRST = 4096, READ_BYTES_MIN = 1024, FULL_BYTES = 128 * 1024 };

/* It may hold secrets: it is read to where it stays, and neither stack nor heap keeps a copy. */
static int read_all(int fd, const char *path, size_t max, char **ret_data, size_t *ret_len,
		    struct error *err)
{
	cleanup_free char *data = NULL;
	size_t len = 0, cap = 0;

	for (;;) {
		ssize_t n;

		if (cap - len < READ_BYTES_MIN) {
			char *grown;

			cap = cap ? 2 * cap : READ_BYTES_FIRST;
			grown = str_realloc_secret(data, len, cap);
			if (!grown)
				return error_oom(err);
			data = grown;
		}
		n = read(fd, data + len, cap - len - 1);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return error_errno(err, errno, "read '%s'", path);
		if (n == 0)
			break;
		len += (size_t)n;
		if (len > max)
			return error_set(err, EFBIG, "read '%s': larger than %zu bytes", path, max);
	}
	data[len] = '\0';
	if (ret_len)
		*ret_len = len;
	*ret_data = steal_ptr(&data);
	return 0;
}

int file_read(int dirfd, const char *path, size_t max, char **ret_data, size_t *ret_len,
	      struct error *err)
{
	cleanup_close int fd = openat(dirfd, path, O_RDONLY | O_CLOEXEC | O_NOCTTY);

	if (fd < 0)
		return error_errno(err, errno, "open '%s'", path);
	return read_all(fd, path, max, ret_data, ret_len, err);
}

int file_read_plain(int dirfd, const char *name, size_t max, char **ret_data, size_t *ret_len,
		    struct error *err)
{
	cleanup_close int fd =
		openat(dirfd, name, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NOFOLLOW | O_NONBLOCK);
	struct stat st;

	if (fd < 0)
		return error_errno(err, errno, "open '%s'", name);
	if (fstat(fd, &st) < 0)
		return error_errno(err, errno, "look at '%s'", name);
	if (!S_ISREG(st.st_mode))
		return error_set(err, EINVAL, "'%s' is not a plain file", name);
	return read_all(fd, name, max, ret_data, ret_len, err);
}

int file_write_all(int fd, const void *data, size_t len, struct error *err)
{
	const char *p = data;

	while (len) {
		ssize_t n = write(fd, p, len);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return error_errno(err, errno, "write");
		p += n;
		len -= (size_t)n;
	}
	return 0;
}

static int write_replace(int dirfd, const char *name, const void *data, size_t len, mode_t mode,
			 bool durable, struct error *err)
{
	cleanup_close int fd = -1;
	struct stat folder;
	char temp[300];
	int rc;

	if (!str_format(temp, sizeof(temp), ".%s.%d.new", name, (int)getpid()))
		return error_set(err, ENAMETOOLONG, "write '%s': name too long", name);
	fd = openat(dirfd, temp, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, mode);
	if (fd < 0)
		return error_errno(err, errno, "create '%s'", temp);
	/* Whatever umask we were started with; and of the folder's group, as if that had
	 * its set-group-ID bit, which RestrictSUIDSGID= of a unit refuses. */
	rc = fstat(dirfd, &folder) < 0 || fchown(fd, (uid_t)-1, folder.st_gid) < 0 ||
			     fchmod(fd, mode) < 0
		     ? error_errno(err, errno, "give '%s' its group", name)
		     : 0;
	if (rc == 0)
		rc = file_write_all(fd, data, len, err);
	if (rc == 0 && durable && fsync(fd) < 0)
		rc = error_errno(err, errno, "fsync");
	if (rc == 0 && renameat(dirfd, temp, dirfd, name) < 0)
		rc = error_errno(err, errno, "rename");
	if (rc < 0) {
		(void)unlinkat(dirfd, temp, 0);
		return error_wrap(err, rc, "write '%s'", name);
	}
	if (durable) {
		cleanup_close int dir = openat(dirfd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

		if (dir < 0 || fsync(dir) < 0)
			return error_errno(err, errno, "fsync the folder of '%s'", name);
	}
	return 0;
}

int file_write_atomic(int dirfd, const char *name, const void *data, size_t len, mode_t mode,
		      struct error *err)
{
	return write_replace(dirfd, name, data, len, mode, true, err);
}

int file_write_volatile(int dirfd, const char *name, const void *data, size_t len, mode_t mode,
			struct error *err)
{
	return write_replace(dirfd, name, data, len, mode, false, err);
}

/* errno is kept as it was. */
static bool is_folder(const char *path)
{
	int code = errno;
	struct stat st;
	bool yes = stat(path, &st) == 0 && S_ISDIR(st.st_mode);

	errno = code;
	return yes;
}

int file_mkdir_all(const char *path, mode_t mode, struct error *err)
{
	cleanup_free char *copy = strdup(path);

	if (!copy)
		return error_oom(err);
	for (char *p = copy + 1; *copy; p++) {
		char was = *p;

		if (was != '/' && was != '\0')
			continue;
		*p = '\0';
		if (mkdir(copy, mode) == 0)
			(void)chmod(copy, mode);
		else if (errno != EEXIST || !is_folder(copy))
			return error_errno(err, errno, "create folder '%s'", copy);
		if (!was)
			break;
		*p = was;
	}
	return 0;
}

int file_open_dir(int dirfd, const char *name, mode_t mode, int *ret_fd, struct error *err)
{
	bool made = mkdirat(dirfd, name, mode) == 0;
	int fd;

	if (!made && errno != EEXIST)
		return error_errno(err, errno, "create folder '%s'", name);
	fd = openat(dirfd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0)
		return error_errno(err, errno, "open folder '%s'", name);
	if (made)
		(void)fchmod(fd, mode);
	*ret_fd = fd;
	return 0;
}

static int open_entries(int dirfd, DIR **ret_dir, struct error *err)
{
	/* Opened anew: a duplicate would share its read position. */
	cleanup_close int fd = openat(dirfd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (fd < 0)
		return error_errno(err, errno, "open folder");
	*ret_dir = fdopendir(fd);
	if (!*ret_dir)
		return error_errno(err, errno, "open folder");
	(void)steal_fd(&fd);
	return 0;
}

int file_remove_entries(int dirfd, const char *except, struct error *err)
{
	cleanup_closedir DIR *dir = NULL;
	struct dirent *entry;
	int rc = open_entries(dirfd, &dir, err);

	while (rc == 0 && (entry = readdir(dir))) {
		if (str_eq(entry->d_name, ".") || str_eq(entry->d_name, "..") ||
		    (except && str_eq(entry->d_name, except)))
			continue;
		rc = file_remove_tree(dirfd, entry->d_name, err);
	}
	return rc;
}

void file_remove_unfinished(int dirfd, const char *name)
{
	cleanup_closedir DIR *dir = NULL;
	struct dirent *entry;

	if (open_entries(dirfd, &dir, NULL) < 0)
		return;
	while ((entry = readdir(dir))) {
		const char *rest = str_after(entry->d_name, ".");

		rest = rest ? str_after(rest, name) : NULL;
		rest = rest ? str_after(rest, ".") : NULL;
		/* As write_replace() names them. */
		if (rest && str_eq(rest + strspn(rest, "0123456789"), ".new"))
			(void)unlinkat(dirfd, entry->d_name, 0);
	}
}

/* Depth is bounded by what hvup itself puts into its folders, and by the
 * descriptors that a process may have. */
int file_remove_tree(int dirfd, const char *name, struct error *err)
{
	cleanup_close int fd = -1;
	int rc;

	if (unlinkat(dirfd, name, 0) == 0 || errno == ENOENT)
		return 0;
	if (errno != EISDIR)
		return error_errno(err, errno, "remove '%s'", name);
	fd = openat(dirfd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0)
		return error_errno(err, errno, "open '%s'", name);
	rc = file_remove_entries(fd, NULL, err);
	if (rc < 0)
		return error_wrap(err, rc, "%s", name);
	if (unlinkat(dirfd, name, AT_REMOVEDIR) < 0 && errno != ENOENT)
		return error_errno(err, errno, "remove folder '%s'", name);
	return 0;
}

static int lock_file(int dirfd, const char *name, int how, int *ret_fd, struct error *err)
{
	for (;;) {
		cleanup_close int fd =
			openat(dirfd, name, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
		struct stat mine, current;
		int rc;

		if (fd < 0)
			return error_errno(err, errno, "open lock '%s'", name);
		do
			rc = fcntl(fd, how, &(struct flock){.l_type = F_WRLCK});
		while (rc < 0 && errno == EINTR);
		if (rc < 0)
			return errno == EAGAIN || errno == EACCES
				       ? -EWOULDBLOCK
				       : error_errno(err, errno, "lock '%s'", name);
		if (fstat(fd, &mine) < 0)
			return error_errno(err, errno, "stat lock '%s'", name);
		/* The last holder may have unlinked it while we opened it. */
		if (fstatat(dirfd, name, &current, AT_SYMLINK_NOFOLLOW) == 0 &&
		    current.st_ino == mine.st_ino && current.st_dev == mine.st_dev) {
			*ret_fd = steal_fd(&fd);
			return 0;
		}
	}
}

int file_lock(int dirfd, const char *name, int *ret_fd, struct error *err)
{
	return lock_file(dirfd, name, F_OFD_SETLK, ret_fd, err);
}

int file_lock_wait(int dirfd, const char *name, int *ret_fd, struct error *err)
{
	return lock_file(dirfd, name, F_OFD_SETLKW, ret_fd, err);
}

bool file_is_locked(int dirfd, const char *name)
{
	cleanup_close int fd = openat(dirfd, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	struct flock lock = {.l_type = F_WRLCK};

	/* Asks, and takes nothing: who asks is in nobody's way. */
	return fd >= 0 && fcntl(fd, F_OFD_GETLK, &lock) == 0 && lock.l_type != F_UNLCK;
}

bool file_system_is_full(int fd)
{
	struct statvfs fs;

	return fd >= 0 && fstatvfs(fd, &fs) == 0 &&
	       (uint64_t)fs.f_bavail * fs.f_frsize < FULL_BYTES;
}

char *file_find_program(const char *program)
{
	static const char usual[] = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
	const char *lists[] = {getenv("PATH"), usual};

	for (size_t i = 0; i < ARRAY_SIZE(lists); i++) {
		const char *p = lists[i];

		while (p && *p) {
			size_t n = strcspn(p, ":");

			if (*p == '/') {
				cleanup_free char *path = str_printf("%.*s/%s", (int)n, p, program);

				if (path && access(path, X_OK) == 0)
					return steal_ptr(&path);
			}
			p += n + (p[n] == ':');
		}
	}
	return NULL;
}
