/* SPDX-License-Identifier: MIT */
#include "vmm/uids.h"

#include "base/cleanup.h"
#include "base/error.h"
#include "base/file.h"
#include "base/str.h"
#include "jail/spawn.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

int uids_claim(const struct paths *paths, const char *owner, uid_t *ret_uid, struct error *err)
{
	cleanup_free char *folder = str_printf("%s/uids", paths->state);
	cleanup_close int dirfd = -1;
	int rc;

	if (!folder)
		return error_oom(err);
	rc = file_mkdir_all(folder, 0755, err);
	if (rc < 0)
		return rc;
	dirfd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (dirfd < 0)
		return error_errno(err, errno, "open folder '%s'", folder);
	for (uid_t uid = JAIL_UID_FIRST; uid < JAIL_UID_FIRST + JAIL_UID_COUNT; uid++) {
		char name[16], target[128];
		ssize_t n;

		(void)str_format(name, sizeof(name), "%u", uid);
		if (symlinkat(owner, dirfd, name) == 0) {
			*ret_uid = uid;
			return 0;
		}
		if (errno != EEXIST)
			return error_errno(err, errno, "claim a uid in '%s'", folder);
		n = readlinkat(dirfd, name, target, sizeof(target) - 1);
		if (n < 0)
			return error_errno(err, errno, "read '%s/%s'", folder, name);
		target[n] = '\0';
		if (str_eq(target, owner)) {
			*ret_uid = uid;
			return 0;
		}
	}
	return error_set(err, ENOSPC,
			 "all %d uids are taken; remove links of what is gone from '%s'",
			 JAIL_UID_COUNT, folder);
}
