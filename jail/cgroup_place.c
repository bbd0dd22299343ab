/* SPDX-License-Identifier: MIT */
#include "jail/cgroup_place.h"

#include "base/cleanup.h"
#include "base/error.h"
#include "base/file.h"
#include "base/str.h"
#include "jail/cgroup.h"
#include "jail/cgroup_text.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <sys/xattr.h>
#include <unistd.h>

enum { PROC_MAX = 1 << 20 };

/* Where the process sits that holds a unit's group; no name of a machine's. */
#define HOLDER_NAME "holder"

static const char *const controllers[] = {"cpu", "memory", "io", "pids"};

void cgroup_place_close(struct cgroup_place *place)
{
	close_fd(&place->fd);
	free(place->path);
	free(place->folder);
	*place = (struct cgroup_place)CGROUP_PLACE_INIT;
}

static bool is_cgroup2(const char *folder)
{
	struct statfs fs;

	return statfs(folder, &fs) == 0 && fs.f_type == CGROUP2_SUPER_MAGIC;
}

static char *find_folder(const char *mounts, const char *group, size_t *ret_top_len)
{
	char *folder;

	while ((folder = cgroup_text_folder(&mounts, group, ret_top_len))) {
		if (is_cgroup2(folder))
			return folder;
		/* What is mounted there is covered by something else. */
		free(folder);
	}
	return NULL;
}

char *cgroup_place_folder(const char *group)
{
	cleanup_free char *mounts = NULL;
	size_t top_len;

	if (file_read(AT_FDCWD, "/proc/self/mountinfo", PROC_MAX, &mounts, NULL, NULL) < 0)
		return NULL;
	return find_folder(mounts, group, &top_len);
}

/* Where this process is: its group, that group's folder, and the length of the
 * hierarchy's own folder in front. */
static int find_own(char **ret_group, char **ret_folder, size_t *ret_top_len, struct error *err)
{
	cleanup_free char *groups = NULL, *mounts = NULL, *group = NULL, *folder = NULL;
	bool v1;
	int rc;

	rc = file_read(AT_FDCWD, "/proc/self/cgroup", PROC_MAX, &groups, NULL, err);
	if (rc == 0)
		rc = file_read(AT_FDCWD, "/proc/self/mountinfo", PROC_MAX, &mounts, NULL, err);
	if (rc < 0)
		return error_set(err, EOPNOTSUPP, "no control groups: /proc tells of none");
	v1 = cgroup_text_is_v1(groups, "memory") || cgroup_text_is_v1(groups, "cpu");
	group = cgroup_text_own(groups);
	if (group)
		folder = find_folder(mounts, group, ret_top_len);
	if (!folder)
		return error_set(err, EOPNOTSUPP,
				 v1 ? "cgroup v1: limits cannot be set (boot the host with "
				      "systemd.unified_cgroup_hierarchy=1)"
				    : "no cgroup v2: it is not mounted, or this process is not "
				      "in what is mounted (mount -t cgroup2 none "
				      "/sys/fs/cgroup)");
	*ret_group = steal_ptr(&group);
	*ret_folder = steal_ptr(&folder);
	return 0;
}

char *cgroup_place_top(struct error *err)
{
	cleanup_free char *group = NULL, *folder = NULL;
	size_t top_len = 0;

	if (find_own(&group, &folder, &top_len, err) < 0)
		return NULL;
	folder[top_len] = '\0';
	return steal_ptr(&folder);
}

/* systemd marks what it has delegated. */
static bool is_delegated(const char *folder)
{
	char value[2];

	return (getxattr(folder, "trusted.delegate", value, sizeof(value)) == 1 ||
		getxattr(folder, "user.delegate", value, sizeof(value)) == 1) &&
	       value[0] == '1';
}

/* Cuts the last component of a path; the top is "". */
static void cut(char *path)
{
	char *slash = strrchr(path, '/');

	if (slash)
		*slash = '\0';
}

/* One at a time: one that is not there does not keep the others off. That it is
 * missing shows where its limit is written. */
static void enable(int fd)
{
	for (size_t i = 0; i < ARRAY_SIZE(controllers); i++) {
		cleanup_close int file = openat(fd, "cgroup.subtree_control", O_WRONLY | O_CLOEXEC);
		char word[16];

		(void)str_format(word, sizeof(word), "+%s", controllers[i]);
		if (file >= 0)
			(void)file_write_all(file, word, strlen(word), NULL);
	}
}

static int open_folder(const char *folder, int *ret_fd, struct error *err)
{
	int fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);

	if (fd < 0)
		return error_errno(err, errno, "open '%s'", folder);
	*ret_fd = fd;
	return 0;
}

static int open_top(const char *top, struct cgroup_place *place, struct error *err)
{
	cleanup_close int top_fd = -1;
	int rc;

	place->ours = true;
	place->path = strdup("/" CGROUP_FOLDER);
	place->folder = str_printf("%s/" CGROUP_FOLDER, top);
	if (!place->path || !place->folder)
		return error_oom(err);
	rc = open_folder(top, &top_fd, err);
	if (rc < 0)
		return rc;
	if (mkdirat(top_fd, CGROUP_FOLDER, 0755) < 0 && errno != EEXIST)
		return error_errno(err, errno, "make '%s'", place->folder);
	enable(top_fd);
	return open_folder(place->folder, &place->fd, err);
}

/* A folder that systemd delegated, at group in the hierarchy; 0 where it is none. */
static int open_delegated(const char *folder, const char *group, struct cgroup_place *place,
			  struct error *err)
{
	if (!is_delegated(folder))
		return 0;
	place->path = strdup(group);
	place->folder = strdup(folder);
	if (!place->path || !place->folder)
		return error_oom(err);
	return open_folder(folder, &place->fd, err);
}

static int open_holder(const char *top, struct cgroup_place *place, struct error *err)
{
	cleanup_free char *folder = str_printf("%s" CGROUP_HOLDER, top);

	return folder ? open_delegated(folder, CGROUP_HOLDER, place, err) : error_oom(err);
}

int cgroup_place_open(struct cgroup_place *ret_place, struct error *err)
{
	cleanup_cgroup_place struct cgroup_place place = CGROUP_PLACE_INIT;
	cleanup_free char *group = NULL, *folder = NULL;
	size_t top_len = 0;
	int rc;

	rc = find_own(&group, &folder, &top_len, err);
	if (rc < 0)
		return rc;
	cut(group);
	if (strlen(folder) > top_len)
		cut(folder);
	if (strlen(folder) > top_len)
		rc = open_delegated(folder, group, &place, err);
	folder[top_len] = '\0';
	if (rc == 0 && place.fd < 0)
		rc = open_holder(folder, &place, err);
	if (rc == 0 && place.fd < 0)
		rc = open_top(folder, &place, err);
	if (rc < 0)
		return rc;
	*ret_place = place;
	place = (struct cgroup_place)CGROUP_PLACE_INIT;
	return 0;
}

void cgroup_place_enable(const struct cgroup_place *place)
{
	enable(place->fd);
}

int cgroup_hold(struct error *err)
{
	cleanup_free char *group = NULL, *folder = NULL;
	cleanup_close int unit_fd = -1, fd = -1;
	size_t top_len = 0;
	int rc;

	rc = find_own(&group, &folder, &top_len, err);
	if (rc == 0 && !is_delegated(folder))
		rc = error_set(err, EPERM, "control group '%s' is not delegated (Delegate=yes)",
			       group);
	if (rc == 0)
		rc = open_folder(folder, &unit_fd, err);
	if (rc < 0)
		return rc;
	if (mkdirat(unit_fd, HOLDER_NAME, 0755) < 0 && errno != EEXIST)
		return error_errno(err, errno, "make control group '%s/" HOLDER_NAME "'", group);
	fd = openat(unit_fd, HOLDER_NAME "/cgroup.procs", O_WRONLY | O_CLOEXEC | O_NOFOLLOW);
	if (fd < 0 || write(fd, "0", 1) != 1)
		return error_errno(err, errno, "join control group '%s/" HOLDER_NAME "'", group);
	return 0;
}
