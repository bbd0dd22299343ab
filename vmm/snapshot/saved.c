/* SPDX-License-Identifier: MIT */
#include "vmm/snapshot/saved.h"

#include "base/cleanup.h"
#include "base/error.h"
#include "base/fault.h"
#include "base/file.h"
#include "base/str.h"
#include "vmm/json.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#define SAVED_FILE "saved.json"
#define USED_FILE "saved.used"
#define MEMORY_FILE "saved.memory"
#define MEMORY_NEW "saved.memory.new"

enum { SAVED_VERSION = 1, SAVED_BYTES_MAX = 1024 * 1024, NSEC = 1000 * 1000 * 1000 };

int saved_read(int state_dirfd, json_t **ret_saved, struct error *err)
{
	cleanup_free char *text = NULL;
	cleanup_json json_t *saved = NULL;
	json_int_t version, date, memory;
	json_t *shape, *disks;
	json_error_t fault;
	int rc = file_read_plain(state_dirfd, SAVED_FILE, SAVED_BYTES_MAX, &text, NULL, err);

	if (rc < 0)
		return rc;
	saved = json_loads(text, JSON_REJECT_DUPLICATES, &fault);
	if (!saved ||
	    json_unpack(saved, "{s:I s:I s:I s:o s:o}", "version", &version, "date", &date,
			"memory", &memory, "shape", &shape, "disks", &disks) < 0 ||
	    version != SAVED_VERSION || !json_is_object(shape) || !json_is_array(disks))
		return error_set(err, EINVAL, "'" SAVED_FILE "' is not as expected");
	*ret_saved = json_incref(saved);
	return 0;
}

int saved_make(int state_dirfd, int *ret_fd, struct error *err)
{
	if (unlinkat(state_dirfd, MEMORY_NEW, 0) < 0 && errno != ENOENT)
		return error_errno(err, errno, "remove '" MEMORY_NEW "'");
	*ret_fd = openat(state_dirfd, MEMORY_NEW,
			 O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
	return *ret_fd < 0 ? error_errno(err, errno, "create '" MEMORY_NEW "'") : 0;
}

void saved_give_up(int state_dirfd)
{
	(void)unlinkat(state_dirfd, MEMORY_NEW, 0);
}

int saved_commit(int state_dirfd, int fd, json_t *saved, struct error *err)
{
	cleanup_free char *text = NULL;

	(void)json_object_set_new(saved, "version", json_integer(SAVED_VERSION));
	text = json_dumps(saved, JSON_INDENT(2));
	if (!text)
		return error_oom(err);
	if (fsync(fd) < 0)
		return error_errno(err, errno, "fsync '" MEMORY_NEW "'");
	fault_point("state saved");
	/* One of before is none from here on. */
	saved_forget(state_dirfd);
	if (renameat(state_dirfd, MEMORY_NEW, state_dirfd, MEMORY_FILE) < 0)
		return error_errno(err, errno, "rename '" MEMORY_NEW "'");
	fault_point("saved state in place");
	return file_write_atomic(state_dirfd, SAVED_FILE, text, strlen(text), 0644, err);
}

int saved_open(int state_dirfd, int *ret_fd, struct error *err)
{
	*ret_fd = openat(state_dirfd, MEMORY_FILE, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	return *ret_fd < 0 ? error_errno(err, errno, "open '" MEMORY_FILE "'") : 0;
}

static int look_at_disk(const char *path, json_int_t *ret_bytes, json_int_t *ret_modified,
			struct error *err)
{
	struct stat st;

	if (stat(path, &st) < 0)
		return error_errno(err, errno, "'%s'", path);
	*ret_bytes = (json_int_t)st.st_size;
	*ret_modified = (json_int_t)st.st_mtim.tv_sec * NSEC + st.st_mtim.tv_nsec;
	return 0;
}

int saved_add_disk(json_t *list, const char *name, const char *path, struct error *err)
{
	json_int_t bytes = 0, modified = 0;
	int rc = look_at_disk(path, &bytes, &modified, err);

	if (rc < 0)
		return error_wrap(err, rc, "disk '%s'", name);
	return json_array_append_new(list, json_pack("{s:s s:s s:I s:I}", "name", name, "path",
						     path, "size", bytes, "modified", modified)) < 0
		       ? error_oom(err)
		       : 0;
}

int saved_check_disks(json_t *saved, struct error *err)
{
	json_t *disk;
	size_t i;

	json_array_foreach (json_object_get(saved, "disks"), i, disk) {
		json_int_t bytes, modified, bytes_now = 0, modified_now = 0;
		const char *name, *path;
		int rc;

		if (json_unpack(disk, "{s:s s:s s:I s:I}", "name", &name, "path", &path, "size",
				&bytes, "modified", &modified) < 0)
			return error_set(err, EINVAL, "'" SAVED_FILE "' is not as expected");
		rc = look_at_disk(path, &bytes_now, &modified_now, err);
		if (rc < 0)
			return error_wrap(err, rc, "disk '%s'", name);
		if (bytes != bytes_now || modified != modified_now)
			return error_set(err, EINVAL,
					 "disk '%s' has been written to since it was suspended",
					 name);
	}
	return 0;
}

int saved_take(int state_dirfd, struct error *err)
{
	if (renameat(state_dirfd, SAVED_FILE, state_dirfd, USED_FILE) < 0 || fsync(state_dirfd) < 0)
		return error_errno(err, errno, "rename '" SAVED_FILE "'");
	fault_point("saved state taken");
	return 0;
}

void saved_put_back(int state_dirfd)
{
	(void)renameat(state_dirfd, USED_FILE, state_dirfd, SAVED_FILE);
}

void saved_forget(int state_dirfd)
{
	(void)unlinkat(state_dirfd, SAVED_FILE, 0);
	(void)unlinkat(state_dirfd, USED_FILE, 0);
	(void)unlinkat(state_dirfd, MEMORY_FILE, 0);
}
