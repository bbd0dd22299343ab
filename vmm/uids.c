/* SPDX-License-Identifier: MIT */
#include "vmm/uids.h"

#include "base/cleanup.h"
#include "base/error.h"
#include "base/file.h"
#include "base/str.h"
#include "jail/spawn.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>
#include <uuid.h>

/* Each state folder begins elsewhere in the range: two on one host are not likely
 * to give one uid to two machines. */
static unsigned first_of(const char *state)
{
	static const uuid_t name_space = {0x0b, 0x9c, 0x2a, 0x64, 0xe5, 0x17, 0x4f, 0x3d,
					  0xb1, 0x88, 0x6a, 0x40, 0xd2, 0x7e, 0x95, 0x1f};
	uuid_t derived;

	uuid_generate_sha1(derived, name_space, state, strlen(state));
	return (derived[0] | (unsigned)derived[1] << 8) % JAIL_UID_COUNT;
}

int uids_claim(const struct paths *paths, const char *owner, uid_t *ret_uid, struct error *err)
{
	cleanup_free char *folder = str_printf("%s/uids", paths->state);
	unsigned first = first_of(paths->state);
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
	for (unsigned i = 0; i < JAIL_UID_COUNT; i++) {
		uid_t uid = JAIL_UID_FIRST + (first + i) % JAIL_UID_COUNT;
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

/* Of a process that gave up all others: the real one is the only one. */
static int uid_of(pid_t pid, uid_t *ret_uid)
{
	static const char key[] = "\nUid:\t";
	cleanup_free char *text = NULL;
	char path[32];
	const char *line;

	(void)str_format(path, sizeof(path), "/proc/%d/status", (int)pid);
	if (file_read(AT_FDCWD, path, 16384, &text, NULL, NULL) < 0)
		return -ESRCH;
	line = strstr(text, key);
	if (!line)
		return -EPROTO;
	*ret_uid = (uid_t)strtoul(line + strlen(key), NULL, 10);
	return 0;
}

bool uids_is_process_of(const struct paths *paths, pid_t pid, const char *const owners[])
{
	cleanup_free char *path = NULL;
	char target[128];
	uid_t uid;
	ssize_t n;

	if (uid_of(pid, &uid) < 0 || uid < JAIL_UID_FIRST || uid >= JAIL_UID_FIRST + JAIL_UID_COUNT)
		return false;
	path = str_printf("%s/uids/%u", paths->state, uid);
	n = path ? readlink(path, target, sizeof(target) - 1) : -1;
	if (n < 0)
		return false;
	target[n] = '\0';
	while (*owners && !str_eq(target, *owners))
		owners++;
	return *owners != NULL;
}
