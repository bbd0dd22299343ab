/* SPDX-License-Identifier: MIT */
#include "disk/record.h"

#include "base/cleanup.h"
#include "base/error.h"
#include "base/file.h"
#include "base/str.h"

#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { RECORD_BYTES_MAX = 64 * 1024 };

static const char *const formats[DISK_FORMAT_COUNT] = {
	[DISK_FORMAT_QCOW2] = "qcow2",
	[DISK_FORMAT_RAW] = "raw",
};

/* Where the record of an image lies. */
struct place {
	char *folder; /* of the image */
	char *name; /* of the record */
};

static void place_free(struct place *p)
{
	free(p->folder);
	free(p->name);
}
#define cleanup_place __attribute__((cleanup(place_free)))

static int find_place(const char *path, struct place *ret_place, struct error *err)
{
	const char *name = strrchr(path, '/');

	if (!name || path[0] != '/' || !name[1])
		return error_set(err, EINVAL, "'%s' is not the absolute path of a file", path);
	*ret_place = (struct place){
		.folder = str_printf("%.*s", name == path ? 1 : (int)(name - path), path),
		.name = str_printf("%s.json", name + 1),
	};
	return ret_place->folder && ret_place->name ? 0 : error_oom(err);
}

static int open_folder(const struct place *p, int *ret_fd)
{
	cleanup_close int parent = open(p->folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (parent < 0)
		return -errno;
	*ret_fd =
		openat(parent, DISK_RECORD_FOLDER, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	return *ret_fd < 0 ? -errno : 0;
}

/* Whoever could write there could name any file of this host. */
static int check_owner(int dirfd, const struct place *p, struct error *err)
{
	struct stat st;

	if (fstat(dirfd, &st) < 0)
		return error_errno(err, errno, "look at folder '%s/%s'", p->folder,
				   DISK_RECORD_FOLDER);
	if ((st.st_uid == 0 || st.st_uid == geteuid()) && !(st.st_mode & (S_IWGRP | S_IWOTH)))
		return 0;
	return error_set(err, EPERM,
			 "folder '%s/%s' can be written by others, so nothing in it is believed "
			 "(chown root and chmod 700, when you know who made it)",
			 p->folder, DISK_RECORD_FOLDER);
}

static int parse(const char *text, struct disk_record *ret_record, struct error *err)
{
	json_error_t why;
	json_t *j = json_loads(text, JSON_REJECT_DUPLICATES, &why);
	const char *backing = NULL, *format = NULL;
	int shared = 0, rc = 0;

	if (!j ||
	    json_unpack(j, "{s?s s?s s?b}", "backing", &backing, "backing_format", &format,
			"shared", &shared) < 0 ||
	    !backing != !format || (!backing && !shared) ||
	    (backing && (!*backing || (strchr(backing, '/') && backing[0] != '/'))))
		rc = error_set(err, EINVAL, "not a record of a backing file");
	ret_record->shared = rc == 0 && shared;
	for (int i = 0; rc == 0 && format && i < DISK_FORMAT_COUNT; i++)
		if (str_eq(format, formats[i])) {
			ret_record->backing = strdup(backing);
			ret_record->backing_format = (enum disk_format)i;
			rc = ret_record->backing ? 0 : error_oom(err);
		}
	if (rc == 0 && format && !ret_record->backing)
		rc = error_set(err, EINVAL, "a backing file of no known format");
	json_decref(j);
	return rc;
}

int disk_record_read(const char *path, struct disk_record *ret_record, struct error *err)
{
	cleanup_place struct place p = {0};
	cleanup_close int dirfd = -1;
	cleanup_free char *text = NULL;
	int rc = find_place(path, &p, err);

	*ret_record = (struct disk_record){0};
	if (rc < 0)
		return rc;
	rc = open_folder(&p, &dirfd);
	if (rc == -ENOENT || rc == -ENOTDIR || rc == -ELOOP)
		return 0;
	if (rc < 0)
		return error_errno(err, -rc, "open folder '%s/%s'", p.folder, DISK_RECORD_FOLDER);
	rc = check_owner(dirfd, &p, err);
	if (rc < 0)
		return rc;
	rc = file_read_plain(dirfd, p.name, RECORD_BYTES_MAX, &text, NULL, err);
	if (rc == -ENOENT)
		return 0;
	if (rc == 0)
		rc = parse(text, ret_record, err);
	return error_wrap_if(err, rc, "record '%s/%s/%s'", p.folder, DISK_RECORD_FOLDER, p.name);
}

int disk_record_write(const char *path, const struct disk_record *record, struct error *err)
{
	cleanup_place struct place p = {0};
	cleanup_close int parent = -1, dirfd = -1;
	cleanup_free char *text = NULL;
	json_t *j;
	int rc = find_place(path, &p, err);

	if (rc < 0)
		return rc;
	parent = open(p.folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (parent < 0)
		return error_errno(err, errno, "open folder '%s'", p.folder);
	rc = file_open_dir(parent, DISK_RECORD_FOLDER, 0700, &dirfd, err);
	if (rc == 0)
		rc = check_owner(dirfd, &p, err);
	if (rc < 0)
		return rc;
	j = json_object();
	if (record->backing)
		(void)json_object_update_new(j, json_pack("{s:s s:s}", "backing", record->backing,
							  "backing_format",
							  formats[record->backing_format]));
	if (record->shared)
		(void)json_object_set_new(j, "shared", json_true());
	text = j ? json_dumps(j, JSON_COMPACT) : NULL;
	json_decref(j);
	if (!text)
		return error_oom(err);
	if (fsync(parent) < 0)
		return error_errno(err, errno, "fsync '%s'", p.folder);
	rc = file_write_atomic(dirfd, p.name, text, strlen(text), 0600, err);
	return error_wrap_if(err, rc, "record '%s/%s'", p.folder, DISK_RECORD_FOLDER);
}

int disk_record_remove(const char *path, struct error *err)
{
	cleanup_place struct place p = {0};
	cleanup_free char *folder = NULL;
	cleanup_close int dirfd = -1;
	int rc = find_place(path, &p, err);

	if (rc < 0)
		return rc;
	rc = open_folder(&p, &dirfd);
	if (rc == -ENOENT || rc == -ENOTDIR || rc == -ELOOP)
		return 0;
	if (rc < 0 || (unlinkat(dirfd, p.name, 0) < 0 && errno != ENOENT) || fsync(dirfd) < 0)
		return error_errno(err, rc < 0 ? -rc : errno, "remove record '%s/%s/%s'", p.folder,
				   DISK_RECORD_FOLDER, p.name);
	folder = str_printf("%s/%s", p.folder, DISK_RECORD_FOLDER);
	if (folder)
		(void)rmdir(folder);
	return 0;
}

void disk_record_free(struct disk_record *record)
{
	free(record->backing);
	record->backing = NULL;
}

char *disk_record_resolve(const char *path, const char *backing)
{
	const char *name = strrchr(path, '/');

	if (backing[0] == '/' || !name)
		return strdup(backing);
	return str_printf("%.*s/%s", (int)(name - path), path, backing);
}
