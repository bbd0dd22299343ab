/* SPDX-License-Identifier: MIT */
#include "tpm/swtpm.h"

#include "base/cleanup.h"
#include "base/error.h"
#include "base/file.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#define STATE_FOLDER "tpm"
#define STATE_PERMANENT "tpm2-00.permall"

void tpm_swtpm_args(const char *program, int ctrl_fd, struct strv *ret_argv)
{
	strv_add(ret_argv, program);
	strv_add(ret_argv, "socket");
	strv_add(ret_argv, "--tpm2");
	strv_add(ret_argv, "--tpmstate");
	/* The process starts in its state folder: no path, no quoting. */
	strv_add(ret_argv, "dir=.,mode=0600");
	strv_add(ret_argv, "--ctrl");
	strv_addf(ret_argv, "type=unixio,clientfd=%d", ctrl_fd);
	strv_add(ret_argv, "--flags");
	strv_add(ret_argv, "startup-clear");
}

bool tpm_state_exists(int vm_state_dirfd)
{
	struct stat st;

	return fstatat(vm_state_dirfd, STATE_FOLDER "/" STATE_PERMANENT, &st,
		       AT_SYMLINK_NOFOLLOW) == 0 &&
	       S_ISREG(st.st_mode) && st.st_size > 0;
}

/* What its former owner made there goes over with it, the folder last, so that what was
 * begun is done again. Nothing is followed, and nothing that belongs to a third. */
static int give_folder(int fd, uid_t uid, gid_t gid)
{
	cleanup_closedir DIR *dir = NULL;
	struct stat folder, st;
	int copy;

	if (fstat(fd, &folder) < 0)
		return -errno;
	if (folder.st_uid == uid && folder.st_gid == gid)
		return 0;
	copy = openat(fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	dir = copy >= 0 ? fdopendir(copy) : NULL;
	if (!dir) {
		int code = errno;

		close_fd(&copy);
		return -code;
	}
	for (struct dirent *e; (errno = 0, e = readdir(dir));)
		if (fstatat(fd, e->d_name, &st, AT_SYMLINK_NOFOLLOW) == 0 && S_ISREG(st.st_mode) &&
		    st.st_uid == folder.st_uid && st.st_nlink == 1 &&
		    fchownat(fd, e->d_name, uid, gid, AT_SYMLINK_NOFOLLOW) < 0)
			return -errno;
	if (errno)
		return -errno;
	return fchown(fd, uid, gid) < 0 ? -errno : 0;
}

int tpm_state_open(int vm_state_dirfd, bool used_before, uid_t uid, gid_t gid, int *ret_dirfd,
		   struct error *err)
{
	cleanup_close int fd = -1;
	int rc;

	if (used_before && !tpm_state_exists(vm_state_dirfd))
		return error_set(
			err, ENOENT,
			"the state of its TPM is gone, and with it what the guest sealed in it "
			"(disk encryption keys, for one). Restore the folder 'tpm' beside its "
			"state.json; or set \"tpm-used\" to false there for an empty TPM");
	rc = file_open_dir(vm_state_dirfd, STATE_FOLDER, 0700, &fd, err);
	if (rc < 0)
		return rc;
	rc = uid == (uid_t)-1 ? 0 : give_folder(fd, uid, gid);
	if (rc < 0)
		return error_errno(err, -rc, "give the TPM's folder to user %u", uid);
	*ret_dirfd = steal_fd(&fd);
	return 0;
}

static int sync_at(int dirfd, const char *name, int flags, struct error *err)
{
	/* The folder is swtpm's own: what lies there may be anything. */
	cleanup_close int fd =
		openat(dirfd, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK | flags);

	if (fd < 0)
		return errno == ENOENT ? 0 : error_errno(err, errno, "open the TPM's state");
	return fsync(fd) < 0 ? error_errno(err, errno, "fsync the TPM's state") : 0;
}

int tpm_state_sync(int vm_state_dirfd, struct error *err)
{
	int rc = sync_at(vm_state_dirfd, STATE_FOLDER "/" STATE_PERMANENT, 0, err);

	return rc < 0 ? rc : sync_at(vm_state_dirfd, STATE_FOLDER, O_DIRECTORY, err);
}
