/* SPDX-License-Identifier: MIT */
#include "vmm/uids.h"

#include "base/cleanup.h"
#include "base/error.h"
#include "base/file.h"
#include "base/str.h"
#include "jail/spawn.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>
#include <uuid.h>

enum { OWNER_BYTES = 128 };

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

/* What a link says that nobody owns any more. It stays, for who looks for his own goes
 * from the first on to where there is none. */
static const char free_again[] = "-";

static int open_folder(const char *folder, int *ret_dirfd, struct error *err)
{
	*ret_dirfd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return *ret_dirfd < 0 ? error_errno(err, errno, "open folder '%s'", folder) : 0;
}

static int read_owner(int dirfd, const char *name, char ret_owner[static OWNER_BYTES])
{
	ssize_t n = readlinkat(dirfd, name, ret_owner, OWNER_BYTES - 1);

	if (n < 0)
		return -errno;
	ret_owner[n] = '\0';
	return 0;
}

/* Gives the number name from one owner to another: 1; 0 where it is not from's (any
 * more). */
static int change_owner(int dirfd, const char *name, const char *from, const char *to,
			struct error *err)
{
	static const char temp[] = ".new";
	cleanup_close int lockfd = -1;
	char owner[OWNER_BYTES];
	int rc = file_lock_wait(dirfd, ".lock", &lockfd, err);

	if (rc < 0)
		return rc;
	if (read_owner(dirfd, name, owner) < 0 || !str_eq(owner, from))
		return 0;
	(void)unlinkat(dirfd, temp, 0);
	if (symlinkat(to, dirfd, temp) < 0 || renameat(dirfd, temp, dirfd, name) < 0)
		return error_errno(err, errno, "claim uid %s", name);
	return 1;
}

/* From the first number on: the owner's own, or one that none has yet; *ret_free is a
 * number that was let go of on the way. 1: there is none left. */
static int look(int dirfd, unsigned first, const char *owner, uid_t *ret_uid, uid_t *ret_free,
		struct error *err)
{
	for (unsigned i = 0; i < JAIL_UID_COUNT; i++) {
		uid_t uid = JAIL_UID_FIRST + (first + i) % JAIL_UID_COUNT;
		char name[16], other[OWNER_BYTES];
		int rc;

		(void)str_format(name, sizeof(name), "%u", uid);
		*ret_uid = uid;
		rc = read_owner(dirfd, name, other);
		/* Nobody behind it: the free one before it is as good. */
		if (rc == -ENOENT && *ret_free)
			return 1;
		if (rc == -ENOENT && symlinkat(owner, dirfd, name) == 0)
			return 0;
		if (rc == -ENOENT && errno != EEXIST)
			return error_errno(err, errno, "claim uid %s", name);
		if (rc == -ENOENT)
			rc = read_owner(dirfd, name, other);
		if (rc < 0)
			return error_errno(err, -rc, "read uid %s", name);
		if (str_eq(other, owner))
			return 0;
		if (!*ret_free && str_eq(other, free_again))
			*ret_free = uid;
	}
	return 1;
}

int uids_claim(const struct paths *paths, const char *owner, uid_t *ret_uid, struct error *err)
{
	cleanup_free char *folder = str_printf("%s/uids", paths->state);
	cleanup_close int dirfd = -1;
	int rc;

	if (!folder)
		return error_oom(err);
	rc = file_mkdir_all(folder, 0755, err);
	if (rc == 0)
		rc = open_folder(folder, &dirfd, err);
	if (rc < 0)
		return rc;
	for (;;) {
		uid_t free_uid = 0, uid;
		char name[16];

		rc = look(dirfd, first_of(paths->state), owner, &uid, &free_uid, err);
		if (rc == 0)
			*ret_uid = uid;
		if (rc <= 0)
			return error_wrap_if(err, rc, "'%s'", folder);
		if (!free_uid)
			return error_set(
				err, ENOSPC,
				"all %d uids are taken; let go of those of what is gone: ln -sfn - "
				"%s/NUMBER",
				JAIL_UID_COUNT, folder);
		(void)str_format(name, sizeof(name), "%u", free_uid);
		rc = change_owner(dirfd, name, free_again, owner, err);
		if (rc > 0)
			*ret_uid = free_uid;
		if (rc)
			return rc < 0 ? rc : 0;
	}
}

int uids_release(const struct paths *paths, const char *owner, struct error *err)
{
	cleanup_free char *folder = str_printf("%s/uids", paths->state);
	cleanup_closedir DIR *dir = NULL;
	struct dirent *entry;

	if (!folder)
		return error_oom(err);
	dir = opendir(folder);
	if (!dir)
		return errno == ENOENT ? 0 : error_errno(err, errno, "open folder '%s'", folder);
	while ((entry = readdir(dir))) {
		char other[OWNER_BYTES];
		int rc;

		if (read_owner(dirfd(dir), entry->d_name, other) < 0 || !str_eq(other, owner))
			continue;
		rc = change_owner(dirfd(dir), entry->d_name, owner, free_again, err);
		if (rc < 0)
			return error_wrap(err, rc, "'%s'", folder);
	}
	return 0;
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
