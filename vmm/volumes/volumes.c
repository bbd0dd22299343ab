/* SPDX-License-Identifier: MIT */
#include "vmm/volumes/volumes.h"

#include "base/cleanup.h"
#include "base/error.h"
#include "base/str.h"
#include "disk/chain.h"
#include "disk/record.h"
#include "vmm/inspect.h"
#include "vmm/json.h"
#include "vmm/volumes/volume_users.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>

/* Every disk of the lab, looked at once: with many machines and many images, asking for
 * each pair would take its time. */
struct users {
	struct user {
		const struct spec_vm *vm;
		const struct spec_disk *disk;
		dev_t device;
		ino_t inode; /* 0: not there */
	} * v;
	size_t n;
};

void volume_free(struct volume *v)
{
	free(v->path);
	*v = (struct volume){0};
}

static int find_users(const struct lab *lab, struct users *ret_users, struct error *err)
{
	size_t n = 0;

	for (size_t i = 0; i < lab->n_vms; i++)
		n += lab->vms[i].n_disks;
	*ret_users = (struct users){.v = calloc(n + 1, sizeof(*ret_users->v))};
	if (!ret_users->v)
		return error_oom(err);
	for (size_t i = 0; i < lab->n_vms; i++)
		for (size_t j = 0; j < lab->vms[i].n_disks; j++) {
			struct user *u = &ret_users->v[ret_users->n++];
			struct stat st;

			*u = (struct user){.vm = &lab->vms[i], .disk = &lab->vms[i].disks[j]};
			if (stat(u->disk->path, &st) == 0) {
				u->device = st.st_dev;
				u->inode = st.st_ino;
			}
		}
	return 0;
}

static bool is_used_by(const struct user *u, const char *path, const struct stat *st)
{
	return str_eq(u->disk->path, path) ||
	       (u->inode && u->inode == st->st_ino && u->device == st->st_dev);
}

static enum disk_format format_by_header(const char *path)
{
	static const char magic[4] = {'Q', 'F', 'I', '\xfb'};
	cleanup_close int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	char start[sizeof(magic)];

	return fd >= 0 && pread(fd, start, sizeof(start), 0) == (ssize_t)sizeof(start) &&
			       memcmp(start, magic, sizeof(magic)) != 0
		       ? DISK_FORMAT_RAW
		       : DISK_FORMAT_QCOW2;
}

/* What a machine calls it counts: a raw image is raw whatever it begins with. */
static enum disk_format format_of(const struct users *users, const char *path,
				  const struct stat *st)
{
	for (size_t i = 0; i < users->n; i++)
		if (is_used_by(&users->v[i], path, st))
			return inspect_format(users->v[i].disk);
	return format_by_header(path);
}

static int no_pool(const struct lab *lab, const char *name, struct error *err)
{
	cleanup_strbuf struct strbuf known = {0};

	for (size_t i = 0; i < lab->n_pools; i++)
		strbuf_addf(&known, "%s%s", i ? ", " : "", lab->pools[i].name);
	return error_set(err, ENOENT, "'%s': there is no such pool; there %s: %s", name,
			 lab->n_pools == 1 ? "is" : "are", known.data ? known.data : "none");
}

int volume_find(const struct lab *lab, const char *name, struct volume *ret_volume,
		struct error *err)
{
	const char *slash = strchr(name, '/');
	cleanup_volume struct volume v = {0};
	struct users users = {0};
	struct stat st = {0};
	int rc;

	if (!slash || slash == name || !slash[1] || strchr(slash + 1, '/') || slash[1] == '.' ||
	    !str_is_printable(slash))
		return error_set(err, EINVAL, "'%s' is not POOL/FILE, as in homelab/dc01.qcow2",
				 name);
	for (size_t i = 0; i < lab->n_pools; i++)
		if (strlen(lab->pools[i].name) == (size_t)(slash - name) &&
		    strncmp(lab->pools[i].name, name, (size_t)(slash - name)) == 0)
			v.pool = &lab->pools[i];
	if (!v.pool)
		return no_pool(lab, name, err);
	v.file = slash + 1;
	v.path = str_printf("%s/%s", v.pool->path, v.file);
	if (!v.path)
		return error_oom(err);
	rc = find_users(lab, &users, err);
	if (rc < 0)
		return rc;
	(void)stat(v.path, &st);
	v.format = format_of(&users, v.path, &st);
	free(users.v);
	*ret_volume = v;
	v = (struct volume){0};
	return 0;
}

static bool lies_in_pool(const struct lab *lab, const char *path)
{
	for (size_t i = 0; i < lab->n_pools; i++) {
		cleanup_free char *pool = realpath(lab->pools[i].path, NULL);
		const char *rest = pool ? str_after(path, pool) : NULL;

		if (rest && *rest == '/')
			return true;
	}
	return false;
}

/* Whoever may make a link in a pool's folder does not choose what root writes to by it; what the
 * configuration calls a disk is root's own word. */
int volume_check_place(const struct lab *lab, const struct volume *volume, struct error *err)
{
	cleanup_strv struct strv users = {0};
	cleanup_free char *real = NULL;
	struct stat st;

	if (lstat(volume->path, &st) < 0 || !S_ISLNK(st.st_mode))
		return 0;
	real = realpath(volume->path, NULL);
	if (!real)
		return error_errno(err, errno, "follow '%s'", volume->path);
	volume_users_find(lab, volume->path, &users);
	if (users.n || users.failed || lies_in_pool(lab, real))
		return users.failed ? error_oom(err) : 0;
	return error_set(err, EXDEV,
			 "'%s' is a symbolic link to '%s', which lies in no pool and is no "
			 "machine's disk",
			 volume->path, real);
}

/* What its header says; info->… stay 0 where that is nonsense. */
static int examine(int fd, const char *path, enum disk_format format,
		   struct disk_record *ret_record, struct disk_info *ret_info, struct error *err)
{
	int rc = 0;

	if (format == DISK_FORMAT_QCOW2)
		rc = disk_record_read(path, ret_record, err);
	return rc < 0 ? rc
		      : disk_examine(fd, format, ret_record->backing ? ret_record : NULL, ret_info,
				     err);
}

static json_t *list_users(const struct users *users, const char *path, const struct stat *st)
{
	json_t *list = json_array();

	for (size_t i = 0; i < users->n; i++)
		if (is_used_by(&users->v[i], path, st))
			(void)json_array_append_new(list, json_string(users->v[i].vm->name));
	return list;
}

/* Of files that somebody else put there, whatever they are called; NULL: no memory. */
static char *shown(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

static char *shown(const char *fmt, ...)
{
	cleanup_strbuf struct strbuf text = {0};
	cleanup_free char *raw = NULL;
	va_list ap;

	va_start(ap, fmt);
	raw = str_vprintf(fmt, ap);
	va_end(ap);
	if (raw)
		strbuf_add_printable(&text, raw, strlen(raw), false);
	return raw ? strbuf_steal(&text) : NULL;
}

static int describe(const struct users *users, const struct spec_pool *pool, const char *file,
		    const char *path, json_t **ret_volume, struct error *err)
{
	cleanup_disk_record struct disk_record record = {0};
	struct disk_info info = {.has_backing = false};
	cleanup_close int fd = -1;
	struct error why = ERROR_INIT;
	cleanup_free char *name = shown("%s/%s", pool->name, file);
	cleanup_free char *shown_path = shown("%s", path);
	enum disk_format format;
	struct stat st = {0};
	json_t *j;
	int rc;

	(void)stat(path, &st);
	format = format_of(users, path, &st);
	rc = disk_open(path, true, &fd, &why);
	if (rc == 0)
		rc = examine(fd, path, format, &record, &info, &why);
	j = json_pack("{s:s? s:s s:s s:s s:n s:I s:s? s:i s:b s:b s:o s:s?}", "name", name, "pool",
		      pool->name, "path", shown_path, "format",
		      format == DISK_FORMAT_RAW ? "raw" : "qcow2", "virtual", "allocated",
		      (json_int_t)st.st_blocks * 512, "backing",
		      info.has_backing ? record.backing : NULL, "snapshots", (int)info.n_snapshots,
		      "in_use", info.in_use, "read_only", !(st.st_mode & 0222), "users",
		      list_users(users, path, &st), "error", rc < 0 ? why.text : NULL);
	if (j && rc == 0)
		(void)json_object_set_new(j, "virtual",
					  json_integer((json_int_t)info.virtual_bytes));
	if (!j)
		return error_oom(err);
	*ret_volume = j;
	return 0;
}

static int by_name(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

/* Images, not what hvup has beside them. */
static int list_files(const char *folder, struct strv *files, struct error *err)
{
	cleanup_closedir DIR *dir = opendir(folder);
	struct dirent *entry;

	if (!dir)
		return errno == ENOENT ? 0 : error_errno(err, errno, "open folder '%s'", folder);
	while ((entry = readdir(dir)))
		if (entry->d_name[0] != '.' && entry->d_type != DT_DIR)
			strv_add(files, entry->d_name);
	if (files->failed)
		return error_oom(err);
	if (files->n)
		qsort(files->v, files->n, sizeof(files->v[0]), by_name);
	return 0;
}

int volumes_list(const struct lab *lab, const struct spec_pool *pool, json_t *list,
		 struct error *err)
{
	cleanup_strv struct strv files = {0};
	struct users users = {0};
	int rc = list_files(pool->path, &files, err);

	if (rc == 0)
		rc = find_users(lab, &users, err);
	for (size_t i = 0; rc == 0 && i < files.n; i++) {
		cleanup_free char *path = str_printf("%s/%s", pool->path, files.v[i]);
		json_t *volume = NULL;

		rc = path ? describe(&users, pool, files.v[i], path, &volume, err) : error_oom(err);
		if (rc == 0 && json_array_append_new(list, volume) < 0)
			rc = error_oom(err);
	}
	free(users.v);
	return error_wrap_if(err, rc, "pool '%s'", pool->name);
}

int volume_describe(const struct paths *paths, const struct lab *lab, const struct volume *volume,
		    json_t **ret_volume, struct error *err)
{
	cleanup_strv struct strv clones = {0};
	cleanup_json json_t *j = NULL;
	struct users users = {0};
	json_t *list = json_array();
	int rc;

	if (access(volume->path, F_OK) < 0)
		rc = error_errno(err, errno, "'%s'", volume->path);
	else
		rc = find_users(lab, &users, err);
	if (rc == 0)
		rc = describe(&users, volume->pool, volume->file, volume->path, &j, err);
	if (rc == 0)
		rc = volume_clones_find(paths, lab, volume->path, &clones, err);
	for (size_t i = 0; rc == 0 && i < clones.n; i++)
		(void)json_array_append_new(list, json_string(clones.v[i]));
	free(users.v);
	if (rc == 0 && json_object_set(j, "clones", list) < 0)
		rc = error_oom(err);
	json_decref(list);
	if (rc == 0)
		*ret_volume = json_incref(j);
	return rc;
}
