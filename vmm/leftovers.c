/* SPDX-License-Identifier: MIT */
#include "vmm/leftovers.h"

#include "base/child.h"
#include "base/cleanup.h"
#include "base/file.h"
#include "base/log.h"
#include "base/str.h"
#include "jail/spawn.h"

#include <dirent.h>
#include <fcntl.h>
#include <limits.h>

enum { ENVIRONMENT_MAX = 4096 };

static bool is_marked(const char *pid, const char *owner)
{
	cleanup_free char *path = str_printf("/proc/%s/environ", pid), *text = NULL;
	const char *mark;

	if (!path || file_read(AT_FDCWD, path, ENVIRONMENT_MAX, &text, NULL, NULL) < 0)
		return false;
	mark = str_after(text, JAIL_MARK "=");
	return mark && str_eq(mark, owner);
}

bool leftovers_is_marked(pid_t pid, const char *owner)
{
	char name[16];

	(void)str_format(name, sizeof(name), "%d", (int)pid);
	return is_marked(name, owner);
}

static void end(const char *text, const char *owner)
{
	struct child process = CHILD_INIT;
	unsigned long long start;
	uint64_t pid;

	if (!str_parse_u64(text, INT_MAX, &pid) || child_start_time((pid_t)pid, &start, NULL) < 0 ||
	    child_adopt((pid_t)pid, start, &process, NULL) < 0)
		return;
	log_info("process %s was left over of %s and is ended", text, owner);
	child_destroy(&process);
}

void leftovers_end(const char *owner)
{
	cleanup_closedir DIR *proc = opendir("/proc");
	struct dirent *entry;

	while (proc && (entry = readdir(proc)))
		if (*entry->d_name >= '1' && *entry->d_name <= '9' &&
		    is_marked(entry->d_name, owner))
			end(entry->d_name, owner);
}
