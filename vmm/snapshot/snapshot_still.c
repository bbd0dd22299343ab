/* SPDX-License-Identifier: MIT */
/* Snapshots of a machine that is stopped: qemu-img for each image, and a copy of the TPM's
 * state, which is a folder of two small files. */
#include "vmm/snapshot/snapshot_private.h"

#include "base/cleanup.h"
#include "base/error.h"
#include "base/fault.h"
#include "base/file.h"
#include "base/interrupt.h"
#include "base/str.h"
#include "disk/snapshots.h"
#include "tpm/swtpm.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#define TPM_FOLDER "tpm"
#define TPM_NEW "tpm.new"
#define TPM_OLD "tpm.old"

enum { TPM_FILE_MAX = 16 * 1024 * 1024, NAME_BYTES = 80 };

/* One file of at most TPM_FILE_MAX, with its owner. */
static int copy_file(int from, int to, const char *name, struct error *err)
{
	cleanup_close int fd = -1;
	cleanup_free char *data = NULL;
	struct stat st;
	size_t len;
	int rc;

	if (fstatat(from, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return error_errno(err, errno, "'%s'", name);
	if (!S_ISREG(st.st_mode))
		return 0;
	rc = file_read_plain(from, name, TPM_FILE_MAX, &data, &len, err);
	if (rc < 0)
		return rc;
	fd = openat(to, name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (fd < 0 || fchown(fd, st.st_uid, st.st_gid) < 0)
		return error_errno(err, errno, "create '%s'", name);
	rc = file_write_all(fd, data, len, err);
	if (rc == 0 && fsync(fd) < 0)
		rc = error_errno(err, errno, "fsync '%s'", name);
	return rc;
}

/* Copies the files of the folder from/name to a new one, to/copy, on the disk when it returns. */
static int copy_folder(int from, const char *name, int to, const char *copy, struct error *err)
{
	cleanup_close int source =
		openat(from, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	cleanup_close int target = -1, listed = -1;
	cleanup_closedir DIR *dir = NULL;
	struct dirent *entry;
	struct stat st;
	int rc;

	if (source < 0 || fstat(source, &st) < 0)
		return error_errno(err, errno, "open '%s'", name);
	rc = file_remove_tree(to, copy, err);
	if (rc == 0)
		rc = file_open_dir(to, copy, 0700, &target, err);
	if (rc < 0)
		return rc;
	listed = openat(source, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	dir = listed < 0 ? NULL : fdopendir(listed);
	if (!dir)
		return error_errno(err, errno, "open '%s'", name);
	(void)steal_fd(&listed);
	while (rc == 0 && (entry = readdir(dir)))
		rc = copy_file(source, target, entry->d_name, err);
	if (rc == 0 &&
	    (fchown(target, st.st_uid, st.st_gid) < 0 || fsync(target) < 0 || fsync(to) < 0))
		rc = error_errno(err, errno, "fsync '%s'", copy);
	return rc;
}

int snapshot_still_save(struct snapshot_work *w, struct snapshot_record *r, struct error *err)
{
	char name[NAME_BYTES];
	int rc = 0;

	r->tpm = tpm_state_exists(w->store.state_dirfd);
	(void)str_format(name, sizeof(name), "%s.tpm", r->tag);
	if (r->tpm)
		rc = error_wrap_if(
			err,
			copy_folder(w->store.state_dirfd, TPM_FOLDER, w->store.dirfd, name, err),
			"copy the TPM's state");
	fault_point("TPM copied");
	for (size_t i = 0; rc == 0 && i < r->n_disks; i++) {
		rc = snapshot_check_interrupt(err);
		if (rc == 0)
			rc = disk_snapshot_edit(r->disks[i].path, DISK_SNAPSHOT_MAKE, r->tag, err);
		fault_point("snapshot in an image");
	}
	return rc;
}

/* The old state goes when the new one has its place. */
static int put_tpm_back(struct snapshot_work *w, const char *tag, struct error *err)
{
	int state = w->store.state_dirfd, rc;
	char name[NAME_BYTES];

	(void)str_format(name, sizeof(name), "%s.tpm", tag);
	rc = copy_folder(w->store.dirfd, name, state, TPM_NEW, err);
	if (rc == 0)
		rc = file_remove_tree(state, TPM_OLD, err);
	if (rc == 0 && renameat(state, TPM_FOLDER, state, TPM_OLD) < 0 && errno != ENOENT)
		rc = error_errno(err, errno, "move '" TPM_FOLDER "' aside");
	fault_point("TPM moved aside");
	if (rc == 0 && renameat(state, TPM_NEW, state, TPM_FOLDER) < 0)
		rc = error_errno(err, errno, "rename '" TPM_NEW "'");
	if (rc == 0 && fsync(state) < 0)
		rc = error_errno(err, errno, "fsync");
	if (rc == 0)
		rc = file_remove_tree(state, TPM_OLD, err);
	return error_wrap_if(err, rc, "the TPM's state");
}

int snapshot_still_load(struct snapshot_work *w, const struct snapshot_record *r, struct error *err)
{
	int rc = 0;

	for (size_t i = 0; rc == 0 && i < r->n_disks; i++) {
		rc = disk_snapshot_edit(r->disks[i].path, DISK_SNAPSHOT_APPLY, r->tag, err);
		/* A terminal interrupts qemu-img, too, and what was begun is brought to its end. */
		if (rc < 0 && interrupt_asked())
			rc = disk_snapshot_edit(r->disks[i].path, DISK_SNAPSHOT_APPLY, r->tag, err);
		fault_point("an image brought back");
	}
	if (rc == 0 && r->tpm)
		rc = put_tpm_back(w, r->tag, err);
	return rc;
}

static bool has_disk(const struct snapshot_record *r, const char *path)
{
	for (size_t i = 0; r && i < r->n_disks; i++)
		if (r->disks[i].path && str_eq(r->disks[i].path, path))
			return true;
	return false;
}

int snapshot_still_delete(const struct snapshot_record *r, const struct snapshot_record *but,
			  const char *tag, struct error *err)
{
	int rc = 0;

	for (size_t i = 0; rc == 0 && i < r->n_disks; i++) {
		struct disk_snapshots list;

		if (!r->disks[i].path || has_disk(but, r->disks[i].path))
			continue;
		rc = disk_snapshots_read_path(r->disks[i].path, &list, err);
		/* With the image its snapshots have gone. */
		if (rc == -ENOENT) {
			rc = 0;
			continue;
		}
		if (rc < 0)
			return error_wrap(err, rc, "disk '%s'", r->disks[i].name);
		if (disk_snapshots_find(&list, tag))
			rc = disk_snapshot_edit(r->disks[i].path, DISK_SNAPSHOT_DELETE, tag, err);
		disk_snapshots_free(&list);
		rc = error_wrap_if(err, rc, "disk '%s'", r->disks[i].name);
		fault_point("snapshot out of an image");
	}
	return rc;
}
