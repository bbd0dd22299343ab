/* SPDX-License-Identifier: MIT */
#include "vmm/backup/backup_files.h"

#include "base/child.h"
#include "base/cleanup.h"
#include "base/error.h"
#include "base/file.h"
#include "base/interrupt.h"
#include "base/str.h"
#include "disk/record.h"
#include "disk/volume.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

enum { QEMU_IMG_MS = 120 * 1000, CHUNK_BYTES = 1024 * 1024 };

/* Writers of the manifest leave a name of their own where they are killed. */
static bool is_ours(const char *name)
{
	return backup_is_file_name(name) || strstr(name, BACKUP_MANIFEST);
}

static bool is_recorded(const struct backup_manifest *m, const char *name)
{
	for (size_t i = 0; i < m->n; i++) {
		const struct backup_generation *g = &m->generations[i];

		if (str_eq(g->nvram.name, name) || str_eq(g->tpm.name, name))
			return true;
		for (size_t k = 0; k < g->n_disks; k++)
			if (str_eq(g->disks[k].file.name, name))
				return true;
	}
	return str_eq(name, BACKUP_MANIFEST) && m->vm;
}

/* Calls for each entry until that returns other than 0, which is returned. */
static int each_entry(const struct backup_folder *f,
		      int (*visit)(const struct backup_folder *f, const char *name))
{
	int fd = openat(f->dirfd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC), rc = 0;
	cleanup_closedir DIR *dir = fd < 0 ? NULL : fdopendir(fd);
	struct dirent *entry;

	if (!dir) {
		close_fd(&fd);
		return 0;
	}
	while (rc == 0 && (entry = readdir(dir)))
		if (!str_eq(entry->d_name, ".") && !str_eq(entry->d_name, ".."))
			rc = visit(f, entry->d_name);
	return rc;
}

static int find_stranger(const struct backup_folder *f, const char *name)
{
	(void)f;
	return is_ours(name) ? 0 : -ENOTEMPTY;
}

static int sweep_one(const struct backup_folder *f, const char *name)
{
	if (is_ours(name) && !is_recorded(&f->manifest, name))
		(void)unlinkat(f->dirfd, name, 0);
	return 0;
}

void backup_folder_sweep(struct backup_folder *f)
{
	(void)each_entry(f, sweep_one);
}

static int open_folder(const char *path, struct backup_folder *f, struct error *err)
{
	f->dirfd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (f->dirfd < 0 && errno == ENOTDIR)
		return error_set(err, ENOTDIR,
				 "'%s' is a file, and a backup is a folder with an image of each "
				 "disk (name that, or one that is to be made)",
				 path);
	if (f->dirfd < 0)
		return error_errno(err, errno, "folder '%s'", path);
	f->path = realpath(path, NULL);
	if (!f->path)
		return error_errno(err, errno, "folder '%s'", path);
	/* Readers and writers alike: what is read must not change. */
	if (flock(f->dirfd, LOCK_EX | LOCK_NB) < 0)
		return errno == EWOULDBLOCK
			       ? error_set(err, EBUSY,
					   "'%s' is in use by another backup or restore", path)
			       : error_errno(err, errno, "lock '%s'", path);
	return error_wrap_if(err, backup_manifest_load(f->dirfd, &f->manifest, err), "'%s'", path);
}

int backup_folder_open(const char *path, struct backup_folder *ret_folder, struct error *err)
{
	struct backup_folder f = BACKUP_FOLDER_INIT;
	int rc = open_folder(path, &f, err);

	if (rc == -ENOENT && f.path)
		rc = error_set(err, ENOENT, "'%s' holds no backup (no " BACKUP_MANIFEST ")", path);
	if (rc == 0 && f.manifest.n == 0)
		rc = error_set(err, ENOENT, "'%s' holds no generation", path);
	if (rc < 0) {
		backup_folder_close(&f);
		return rc;
	}
	*ret_folder = f;
	return 0;
}

int backup_folder_make(const char *path, struct backup_folder *ret_folder, struct error *err)
{
	struct backup_folder f = BACKUP_FOLDER_INIT;
	int rc;

	if (mkdir(path, 0700) == 0)
		f.made = true;
	else if (errno != EEXIST)
		return error_errno(err, errno, "make folder '%s'", path);
	rc = open_folder(path, &f, err);
	if (rc == -ENOENT && f.path)
		rc = each_entry(&f, find_stranger) == 0
			     ? 0
			     : error_set(err, ENOTEMPTY, "'%s' holds something else than a backup",
					 path);
	if (rc < 0) {
		backup_folder_close(&f);
		return rc;
	}
	backup_folder_sweep(&f);
	*ret_folder = f;
	return 0;
}

void backup_folder_close(struct backup_folder *f)
{
	/* Fails where something is in it. */
	if (f->made && f->path)
		(void)rmdir(f->path);
	backup_manifest_free(&f->manifest);
	free(f->path);
	close_fd(&f->dirfd);
	*f = (struct backup_folder)BACKUP_FOLDER_INIT;
}

int backup_make_image(const struct backup_folder *f, const char *name, uint64_t virtual_bytes,
		      const char *backing, int *ret_fd, struct error *err)
{
	cleanup_free char *path = str_printf("%s/%s", f->path, name);
	cleanup_free char *program = file_find_program("qemu-img");
	cleanup_strv struct strv argv = {0};
	cleanup_close int fd = -1;
	int rc;

	if (!program)
		return error_set(err, ENOENT, "qemu-img is not installed (apt install qemu-utils)");
	/* Made here, so that it never has another mode than this. */
	fd = openat(f->dirfd, name, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (fd < 0 || !path)
		return error_errno(err, path ? errno : ENOMEM, "create '%s/%s'", f->path, name);
	strv_add(&argv, "qemu-img");
	strv_add(&argv, "create");
	strv_add(&argv, "-q");
	strv_add(&argv, "-u");
	strv_add(&argv, "-f");
	strv_add(&argv, "qcow2");
	if (backing[0]) {
		strv_add(&argv, "-F");
		strv_add(&argv, "qcow2");
		strv_add(&argv, "-b");
		strv_add(&argv, backing);
	}
	strv_add(&argv, path);
	strv_addf(&argv, "%" PRIu64, virtual_bytes);
	rc = argv.failed ? error_oom(err)
			 : child_run(program, argv.v, NULL, 0, QEMU_IMG_MS, NULL, err);
	if (rc == 0)
		*ret_fd = steal_fd(&fd);
	return rc;
}

int backup_check_image(const struct backup_folder *f, const char *name, const char *backing,
		       struct error *err)
{
	cleanup_close int fd = openat(f->dirfd, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	const struct disk_record below = {
		.backing = (char *)backing,
		.backing_format = DISK_FORMAT_QCOW2,
	};
	struct disk_info info;
	int rc;

	if (fd < 0)
		return error_errno(err, errno, "'%s'", name);
	rc = disk_examine(fd, DISK_FORMAT_QCOW2, backing[0] ? &below : NULL, &info, err);
	if (rc == 0 && backing[0] && !info.has_backing)
		rc = error_set(err, EINVAL,
			       "qcow2: the image does not name '%s' as its backing "
			       "file",
			       backing);
	return error_wrap_if(err, rc, "'%s'", name);
}

uint64_t backup_file_bytes(const struct backup_folder *f, const char *name)
{
	struct stat st;

	return fstatat(f->dirfd, name, &st, AT_SYMLINK_NOFOLLOW) == 0 ? (uint64_t)st.st_size : 0;
}

static int sum(int fd, struct backup_file *f, uint64_t *done_bytes, uint64_t total_bytes,
	       backup_show_fn show, void *arg, struct error *err)
{
	cleanup_free unsigned char *chunk = malloc(CHUNK_BYTES);
	struct sha256 hash;
	ssize_t n = chunk ? 1 : 0;
	int rc = chunk ? 0 : error_oom(err);

	sha256_init(&hash);
	for (f->bytes = 0; rc == 0 && n > 0;) {
		n = read(fd, chunk, CHUNK_BYTES);
		if (n < 0)
			return error_errno(err, errno, "read");
		sha256_add(&hash, chunk, (size_t)n);
		f->bytes += (uint64_t)n;
		*done_bytes += (uint64_t)n;
		if (show)
			show(*done_bytes, total_bytes, arg);
		rc = interrupt_check(err);
	}
	if (rc == 0)
		sha256_finish(&hash, f->sha256);
	return rc;
}

int backup_sum_file(const struct backup_folder *f, const char *name, struct backup_file *ret_file,
		    uint64_t *done_bytes, uint64_t total_bytes, backup_show_fn show, void *arg,
		    struct error *err)
{
	cleanup_close int fd =
		openat(f->dirfd, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
	struct backup_file file = {.bytes = 0};
	struct stat st;
	int rc;

	if (fd < 0 || fstat(fd, &st) < 0)
		return error_errno(err, errno, "'%s'", name);
	if (!S_ISREG(st.st_mode))
		return error_set(err, EINVAL, "'%s' is no plain file", name);
	(void)str_format(file.name, sizeof(file.name), "%s", name);
	if (fsync(fd) < 0)
		return error_errno(err, errno, "fsync '%s'", name);
	rc = sum(fd, &file, done_bytes, total_bytes, show, arg, err);
	if (rc == 0)
		*ret_file = file;
	return error_wrap_if(err, rc, "'%s'", name);
}
