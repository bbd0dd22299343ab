/* SPDX-License-Identifier: MIT */
#include "jail/look.h"

#include "base/cleanup.h"
#include "base/error.h"
#include "base/file.h"
#include "base/str.h"
#include "jail/cgroup_place.h"
#include "jail/cgroup_text.h"
#include "jail/look_text.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>

enum { PROC_MAX = 1 << 20 };

static const struct {
	const char *name, *file;
} namespaces[] = {
	[JAIL_NS_MOUNT] = {"mount", "mnt"}, [JAIL_NS_PID] = {"pid", "pid"},
	[JAIL_NS_NET] = {"net", "net"},     [JAIL_NS_IPC] = {"ipc", "ipc"},
	[JAIL_NS_UTS] = {"uts", "uts"},     [JAIL_NS_CGROUP] = {"cgroup", "cgroup"},
	[JAIL_NS_USER] = {"user", "user"},
};
static_assert(ARRAY_SIZE(namespaces) == JAIL_NS_COUNT, "a name each");

const char *jail_namespace_name(enum jail_namespace ns)
{
	return namespaces[ns].name;
}

const char *jail_namespace_file(enum jail_namespace ns)
{
	return namespaces[ns].file;
}

void jail_facts_free(struct jail_facts *facts)
{
	free(facts->cgroup_path);
	free(facts->cgroup_cpu_max);
	free(facts->cgroup_memory_max);
	free(facts->cgroup_pids_max);
	free(facts->cgroup_io_max);
	*facts = (struct jail_facts){0};
}

/* Two names for one namespace lead to one inode. */
static int look_namespaces(int proc_fd, struct jail_facts *facts)
{
	for (int i = 0; i < JAIL_NS_COUNT; i++) {
		cleanup_free char *its = str_printf("ns/%s", namespaces[i].file);
		cleanup_free char *ours = str_printf("/proc/self/ns/%s", namespaces[i].file);
		struct stat a, b;

		if (!its || !ours)
			return -ENOMEM;
		/* A kernel without this kind has one for all. */
		if (stat(ours, &b) < 0)
			continue;
		if (fstatat(proc_fd, its, &a, 0) < 0)
			return -errno;
		facts->own_namespace[i] = a.st_ino != b.st_ino || a.st_dev != b.st_dev;
	}
	return 0;
}

/* The contents without the line's end; what has several lines keeps the others. */
static char *read_value(int dirfd, const char *name)
{
	char *text = NULL;
	size_t len;

	if (file_read(dirfd, name, PROC_MAX, &text, &len, NULL) < 0)
		return NULL;
	if (len && text[len - 1] == '\n')
		text[len - 1] = '\0';
	return text;
}

static int look_group(int proc_fd, struct jail_facts *facts)
{
	cleanup_free char *text = NULL, *folder = NULL;
	cleanup_close int fd = -1;
	int rc = file_read(proc_fd, "cgroup", PROC_MAX, &text, NULL, NULL);

	if (rc < 0)
		return rc == -ENOENT ? 0 : rc;
	facts->cgroup_path = cgroup_text_own(text);
	facts->cgroup_version = facts->cgroup_path ? 2 : *text ? 1 : 0;
	if (!facts->cgroup_path)
		return 0;
	folder = cgroup_place_folder(facts->cgroup_path);
	fd = folder ? open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC) : -1;
	if (fd < 0)
		return 0;
	facts->cgroup_cpu_max = read_value(fd, "cpu.max");
	facts->cgroup_memory_max = read_value(fd, "memory.max");
	facts->cgroup_pids_max = read_value(fd, "pids.max");
	facts->cgroup_io_max = read_value(fd, "io.max");
	return 0;
}

/* What the kernel shows to those only who could trace the process. */
static int look_deep(int proc_fd, struct jail_facts *facts)
{
	cleanup_free char *mounts = NULL;
	int rc = look_namespaces(proc_fd, facts);

	if (rc == 0)
		rc = file_read(proc_fd, "mountinfo", PROC_MAX, &mounts, NULL, NULL);
	if (rc == -EACCES || rc == -EPERM)
		return 0;
	if (rc < 0)
		return rc;
	look_text_mounts(mounts, facts);
	facts->deep = true;
	return 0;
}

/* Fields of a process that has ended are there in part only. */
static int look(int proc_fd, struct jail_facts *facts)
{
	cleanup_free char *status = NULL, *limits = NULL;
	int rc;

	rc = file_read(proc_fd, "status", PROC_MAX, &status, NULL, NULL);
	if (rc == 0)
		rc = file_read(proc_fd, "limits", PROC_MAX, &limits, NULL, NULL);
	if (rc < 0)
		return rc;
	if (strstr(status, "\nState:\tZ") || strstr(status, "\nState:\tX"))
		return -ESRCH;
	if (!look_text_status(status, facts) || !look_text_limits(limits, facts))
		return -EPROTO;
	rc = look_deep(proc_fd, facts);
	return rc < 0 ? rc : look_group(proc_fd, facts);
}

int jail_look(pid_t pid, struct jail_facts *ret_facts, struct error *err)
{
	cleanup_free char *path = str_printf("/proc/%d", (int)pid);
	cleanup_close int proc_fd = -1;
	struct jail_facts facts = {0};
	int rc;

	if (!path)
		return error_oom(err);
	proc_fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	rc = proc_fd < 0 ? -errno : look(proc_fd, &facts);
	if (rc == 0) {
		*ret_facts = facts;
		return 0;
	}
	jail_facts_free(&facts);
	if (rc == -ENOENT)
		rc = -ESRCH;
	return error_errno(err, -rc, "look at process %d", (int)pid);
}
