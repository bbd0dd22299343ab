/* SPDX-License-Identifier: MIT */
#include "disk/volume.h"

#include "base/cleanup.h"
#include "base/error.h"
#include "base/file.h"
#include "base/str.h"
#include "disk/chain.h"
#include "disk/qcow2.h"
#include "disk/qemu_img.h"
#include "disk/record.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <libgen.h>
#include <linux/fs.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
	/* QEMU marks each permission that it holds on an image by a shared lock
	 * on one byte: from 100 on what it does, from 200 on what it forbids. */
	LOCK_BYTES_FIRST = 100,
	LOCK_BYTES_COUNT = 200,
	LOCK_BYTE_WRITE = 101,
	LOCK_BYTE_RESIZE = 103,
	LOCK_BYTE_NO_READ = 200,
};

static int open_image(const char *path, int flags, int *ret_fd, struct error *err)
{
	/* O_NONBLOCK: opening a FIFO does not wait for its other end. */
	cleanup_close int fd = open(path, flags | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
	struct stat st;

	if (fd < 0)
		return error_errno(err, errno, "open '%s'", path);
	if (fstat(fd, &st) < 0)
		return error_errno(err, errno, "open '%s'", path);
	if (!S_ISREG(st.st_mode) && !S_ISBLK(st.st_mode))
		return error_set(err, EINVAL, "'%s' is neither a file nor a block device", path);
	if (fcntl(fd, F_SETFL, 0) < 0)
		return error_errno(err, errno, "open '%s'", path);
	*ret_fd = steal_fd(&fd);
	return 0;
}

int disk_open(const char *path, bool read_only, int *ret_fd, struct error *err)
{
	return open_image(path, read_only ? O_RDONLY : O_RDWR, ret_fd, err);
}

/* An exclusive lock would meet whatever QEMU, in any process, holds there. */
static bool is_locked(int fd, off_t first, off_t count)
{
	struct flock lock = {
		.l_type = F_WRLCK,
		.l_whence = SEEK_SET,
		.l_start = first,
		.l_len = count,
	};

	return fcntl(fd, F_OFD_GETLK, &lock) == 0 && lock.l_type != F_UNLCK;
}

/* What QEMU asks for one that its guest only reads. */
static bool is_written(int fd)
{
	return is_locked(fd, LOCK_BYTE_WRITE, 1) || is_locked(fd, LOCK_BYTE_RESIZE, 1) ||
	       is_locked(fd, LOCK_BYTE_NO_READ, 1);
}

static int size_of(int fd, const struct stat *st, uint64_t *ret_bytes, struct error *err)
{
	if (!S_ISBLK(st->st_mode)) {
		*ret_bytes = (uint64_t)st->st_size;
		return 0;
	}
	return ioctl(fd, BLKGETSIZE64, ret_bytes) < 0
		       ? error_errno(err, errno, "size of the block device")
		       : 0;
}

int disk_read_at(int fd, uint64_t offset, uint8_t *buf, size_t len, size_t *ret_len,
		 struct error *err)
{
	size_t done = 0;

	while (done < len) {
		ssize_t n = pread(fd, buf + done, len - done, (off_t)(offset + done));

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return error_errno(err, errno, "read the image");
		if (n == 0)
			break;
		done += (size_t)n;
	}
	*ret_len = done;
	return 0;
}

int disk_read_header(int fd, uint64_t file_bytes, struct qcow2_info *ret_info, struct error *err)
{
	cleanup_free uint8_t *start = NULL;
	uint8_t header[QCOW2_HEADER_BYTES];
	size_t len, want;
	int rc;

	rc = disk_read_at(fd, 0, header, sizeof(header), &len, err);
	if (rc < 0)
		return rc;
	want = qcow2_want_bytes(header, len);
	start = malloc(want ? want : 1);
	if (!start)
		return error_oom(err);
	rc = disk_read_at(fd, 0, start, want, &len, err);
	return rc < 0 ? rc : qcow2_parse(start, len, file_bytes, ret_info, err);
}

/* A file that a header names is anybody's: QEMU would open it for the guest. */
static int check_backing(const struct qcow2_info *info, const struct disk_record *below,
			 struct error *err)
{
	cleanup_strbuf struct strbuf shown = {0};
	const char *format = below && below->backing_format == DISK_FORMAT_RAW ? "raw" : "qcow2";

	if (below && str_eq(info->backing, below->backing) &&
	    (!info->backing_format[0] || str_eq(info->backing_format, format)))
		return 0;
	strbuf_add_printable(&shown, info->backing, strlen(info->backing), false);
	if (below)
		return error_set(err, EINVAL,
				 "qcow2: the image names a backing file, '%s', but was made on "
				 "'%s' (%s)",
				 shown.data ? shown.data : "", below->backing, format);
	return error_set(err, EINVAL,
			 "qcow2: the image names a backing file, '%s', which is not followed "
			 "(qemu-img rebase -b '' folds it in)",
			 shown.data ? shown.data : "");
}

static int examine_qcow2(int fd, uint64_t file_bytes, const struct disk_record *below,
			 struct disk_info *into, struct error *err)
{
	struct qcow2_info info;
	int rc = disk_read_header(fd, file_bytes, &info, err);

	if (rc == 0 && info.backing[0])
		rc = check_backing(&info, below, err);
	if (rc == 0) {
		into->virtual_bytes = info.virtual_bytes;
		into->n_snapshots = info.n_snapshots;
		into->has_backing = info.backing[0] != '\0';
	}
	return rc;
}

int disk_examine(int fd, enum disk_format want, const struct disk_record *below,
		 struct disk_info *ret_info, struct error *err)
{
	struct disk_info info = {.format = want};
	uint64_t file_bytes;
	struct stat st;
	int rc;

	if (fstat(fd, &st) < 0)
		return error_errno(err, errno, "look at the image");
	rc = size_of(fd, &st, &file_bytes, err);
	if (rc < 0)
		return rc;
	info.allocated_bytes = (uint64_t)st.st_blocks * 512;
	info.in_use = is_locked(fd, LOCK_BYTES_FIRST, LOCK_BYTES_COUNT);
	info.written = info.in_use && is_written(fd);
	info.virtual_bytes = file_bytes;
	if (want == DISK_FORMAT_QCOW2) {
		rc = examine_qcow2(fd, file_bytes, below, &info, err);
		if (rc < 0)
			return rc;
	}
	*ret_info = info;
	return 0;
}

static int sync_path(const char *path, int flags, struct error *err)
{
	cleanup_close int fd = open(path, O_RDONLY | O_CLOEXEC | flags);

	if (fd < 0 || fsync(fd) < 0)
		return error_errno(err, errno, "fsync '%s'", path);
	return 0;
}

static int make_raw(const char *path, uint64_t bytes, struct error *err)
{
	cleanup_close int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);

	if (fd < 0 || ftruncate(fd, (off_t)bytes) < 0)
		return error_errno(err, errno, "create '%s'", path);
	return 0;
}

static int format_qcow2(const char *path, uint64_t bytes, struct error *err)
{
	char size[32];
	char *argv[] = {(char *)"qemu-img", (char *)"create", (char *)"-q", (char *)"-f",
			(char *)"qcow2",    (char *)path,     size,         NULL};

	(void)str_format(size, sizeof(size), "%" PRIu64, bytes);
	return qemu_img_run(argv, QEMU_IMG_MS, err);
}

static int make_qcow2(const char *path, uint64_t bytes, struct error *err)
{
	/* Made here, so that it never has another mode than this. */
	cleanup_close int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);

	if (fd < 0)
		return error_errno(err, errno, "create '%s'", path);
	return format_qcow2(path, bytes, err);
}

int disk_format_file(const char *path, int fd, enum disk_format format, uint64_t bytes,
		     struct error *err)
{
	if (format == DISK_FORMAT_QCOW2)
		return format_qcow2(path, bytes, err);
	return ftruncate(fd, (off_t)bytes) < 0 ? error_errno(err, errno, "size of '%s'", path) : 0;
}

/* Gives the complete image its name, where nobody has it yet. */
static int put_in_place(const char *temp, const char *path, const char *folder, struct error *err)
{
	int rc;

	rc = sync_path(temp, 0, err);
	if (rc < 0)
		return rc;
	if (renameat2(AT_FDCWD, temp, AT_FDCWD, path, RENAME_NOREPLACE) < 0)
		return error_errno(err, errno, "create '%s'", path);
	return sync_path(folder, O_DIRECTORY, err);
}

int disk_create(const char *path, enum disk_format format, uint64_t bytes, struct error *err)
{
	cleanup_free char *copy = strdup(path), *temp = NULL;
	const char *folder, *name = strrchr(path, '/');
	int rc;

	if (!copy)
		return error_oom(err);
	if (!name)
		return error_set(err, EINVAL, "'%s' is not an absolute path", path);
	folder = dirname(copy);
	temp = str_printf("%s/.%s.%d.new", folder, name + 1, (int)getpid());
	if (!temp)
		return error_oom(err);
	if (faccessat(AT_FDCWD, path, F_OK, AT_SYMLINK_NOFOLLOW) == 0)
		return error_errno(err, EEXIST, "create '%s'", path);
	rc = format == DISK_FORMAT_RAW ? make_raw(temp, bytes, err) : make_qcow2(temp, bytes, err);
	if (rc == 0)
		rc = put_in_place(temp, path, folder, err);
	if (rc < 0)
		(void)unlink(temp);
	return error_wrap_if(err, rc, "create volume '%s'", path);
}

int disk_grow(const char *path, enum disk_format format, uint64_t bytes, struct error *err)
{
	char size[32];
	char *argv[] = {(char *)"qemu-img",
			(char *)"resize",
			(char *)"-q",
			(char *)"-f",
			format == DISK_FORMAT_QCOW2 ? (char *)"qcow2" : (char *)"raw",
			(char *)path,
			size,
			NULL};
	struct disk_info info;
	int rc;

	rc = disk_chain_examine(path, format, &info, err);
	if (rc < 0)
		return rc;
	if (info.in_use)
		return error_set(err, EBUSY, "grow '%s': it is in use by another process", path);
	if (info.virtual_bytes >= bytes)
		return info.virtual_bytes == bytes
			       ? 0
			       : error_set(err, EINVAL,
					   "grow '%s': it has %" PRIu64
					   " bytes already; images are never shrunk",
					   path, info.virtual_bytes);
	(void)str_format(size, sizeof(size), "%" PRIu64, bytes);
	return error_wrap_if(err, qemu_img_run(argv, QEMU_IMG_MS, err), "grow '%s'", path);
}
