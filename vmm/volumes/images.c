/* SPDX-License-Identifier: MIT */
#include "vmm/volumes/images.h"

#include "base/cleanup.h"
#include "base/error.h"
#include "base/fault.h"
#include "base/file.h"
#include "base/sha256.h"
#include "base/str.h"
#include "disk/copy.h"
#include "vmm/json.h"
#include "vmm/volumes/download.h"
#include "vmm/volumes/volume_users.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>

enum { PIECE_BYTES = 1 << 20, PART_BYTES = 80, SHA256_DIGITS = 64 };

char *image_path(const struct paths *paths, const struct spec_image *image)
{
	return str_printf("%s/images/%s", paths->state, image->sha256);
}

bool image_is_cached(const struct paths *paths, const struct spec_image *image)
{
	cleanup_free char *path = image_path(paths, image);

	return path && access(path, F_OK) == 0;
}

static int open_cache(const struct paths *paths, int *ret_dirfd, struct error *err)
{
	cleanup_free char *folder = str_printf("%s/images", paths->state);
	int rc = folder ? file_mkdir_all(folder, 0755, err) : error_oom(err);

	if (rc < 0)
		return rc;
	*ret_dirfd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return *ret_dirfd < 0 ? error_errno(err, errno, "open folder '%s'", folder) : 0;
}

static void part_name(const struct spec_image *image, char ret_name[static PART_BYTES])
{
	(void)str_format(ret_name, PART_BYTES, ".%s.part", image->sha256);
}

/* The unfinished file, locked: the lock is held as long as anybody writes to it, also by the
 * process that fetches. */
static int open_part(int dirfd, const struct spec_image *image, int *ret_fd, struct error *err)
{
	char name[PART_BYTES];
	int rc;

	part_name(image, name);
	rc = file_lock(dirfd, name, ret_fd, err);
	if (rc == -EWOULDBLOCK)
		return error_set(err, EBUSY, "it is being fetched by another hv");
	return rc;
}

static bool is_stopped(const struct image_watch *watch)
{
	return watch && watch->stop && *watch->stop;
}

static void show(const struct image_watch *watch, const char *what, uint64_t done, uint64_t total)
{
	if (watch && watch->progress)
		watch->progress(watch->arg, what, done, total);
}

static int checksum(int fd, const struct image_watch *watch,
		    char ret_text[static SHA256_TEXT_BYTES], struct error *err)
{
	cleanup_free char *buf = malloc(PIECE_BYTES);
	struct sha256 hash;
	struct stat st;
	off_t at = 0;

	if (!buf)
		return error_oom(err);
	if (fstat(fd, &st) < 0)
		return error_errno(err, errno, "look at it");
	sha256_init(&hash);
	for (;;) {
		ssize_t n = pread(fd, buf, PIECE_BYTES, at);

		if (n < 0 && errno == EINTR)
			n = 0;
		else if (n < 0)
			return error_errno(err, errno, "read it");
		else if (n == 0)
			break;
		if (is_stopped(watch))
			return error_set(err, ECANCELED, "interrupted");
		sha256_add(&hash, buf, (size_t)n);
		at += n;
		show(watch, "checking", (uint64_t)at, (uint64_t)st.st_size);
	}
	sha256_finish(&hash, ret_text);
	return 0;
}

static char *show_source(const struct spec_image *image)
{
	return image->url ? download_show_url(image->url) : strdup(image->path);
}

static int check(int fd, const struct spec_image *image, const struct image_watch *watch,
		 struct error *err)
{
	cleanup_free char *source = show_source(image);
	char found[SHA256_TEXT_BYTES], size[32];
	struct stat st = {0};
	int rc = checksum(fd, watch, found, err);

	if (rc < 0 || str_eq(found, image->sha256))
		return rc;
	(void)fstat(fd, &st);
	str_format_size(size, sizeof(size), (uint64_t)st.st_size);
	return error_set(err, EBADMSG,
			 "'%s' (%s) has the checksum %s, and the configuration says %s (%s:%u)",
			 source ? source : "it", st.st_size ? size : "empty", found, image->sha256,
			 image->where.file, image->where.line);
}

struct relay {
	const struct image_watch *watch;
};

static void on_progress(void *arg, uint64_t done, uint64_t total)
{
	show(((struct relay *)arg)->watch, "fetching", done, total);
}

static int copy_in(const struct spec_image *image, int fd, const struct image_watch *watch,
		   struct error *err)
{
	struct relay relay = {watch};
	const struct disk_copy_watch copy = {on_progress, watch ? watch->stop : NULL, &relay};
	cleanup_close int from = -1;
	int rc = disk_open(image->path, true, &from, err);

	if (rc == 0 && ftruncate(fd, 0) < 0)
		rc = error_errno(err, errno, "begin anew");
	return rc < 0 ? rc : disk_copy_bytes(from, fd, &copy, err);
}

static int bring(const struct paths *paths, const struct spec_image *image, int fd,
		 const struct image_watch *watch, struct error *err)
{
	struct relay relay = {watch};

	if (!image->url)
		return copy_in(image, fd, watch, err);
	return download_run(
		&(struct download){
			.paths = paths,
			.url = image->url,
			.fd = fd,
			.progress = on_progress,
			.stop = watch ? watch->stop : NULL,
			.arg = &relay,
		},
		err);
}

/* What was there before may be of another file, or not have reached the disk: then once
 * more from the beginning. */
static int bring_and_check(const struct paths *paths, const struct spec_image *image, int fd,
			   const struct image_watch *watch, struct error *err)
{
	struct stat st;
	bool resumed = fstat(fd, &st) == 0 && st.st_size > 0;
	int rc = bring(paths, image, fd, watch, err);

	if (rc == 0)
		rc = check(fd, image, watch, err);
	if (rc != -EBADMSG || !resumed)
		return rc;
	if (ftruncate(fd, 0) < 0)
		return error_errno(err, errno, "begin anew");
	rc = bring(paths, image, fd, watch, err);
	return rc < 0 ? rc : check(fd, image, watch, err);
}

/* Nobody writes to it any more: it is closed to all before it gets its name. */
static int put_in_place(int dirfd, int fd, const struct spec_image *image, const char *part,
			struct error *err)
{
	if (fchmod(fd, 0444) < 0 || fsync(fd) < 0)
		return error_errno(err, errno, "fsync it");
	fault_point("image checked");
	if (renameat(dirfd, part, dirfd, image->sha256) < 0 || fsync(dirfd) < 0)
		return error_errno(err, errno, "give it its name");
	return 0;
}

/* What is no use to the next try, or takes the last of the space from the guests whose disks may
 * lie beside it. */
static bool is_worth_keeping(int fd, int rc)
{
	struct stat st;

	return rc != -EBADMSG && rc != -EFBIG && rc != -ENOSPC && rc != -EDQUOT &&
	       fstat(fd, &st) == 0 && st.st_size > 0;
}

int image_fetch(const struct paths *paths, const struct spec_image *image,
		const struct image_watch *watch, struct error *err)
{
	cleanup_close int dirfd = -1, fd = -1;
	char part[PART_BYTES];
	int rc;

	if (image_is_cached(paths, image))
		return 0;
	part_name(image, part);
	rc = open_cache(paths, &dirfd, err);
	if (rc == 0)
		rc = open_part(dirfd, image, &fd, err);
	/* Whoever had the lock before may have brought it in. */
	if (rc == 0 && faccessat(dirfd, image->sha256, F_OK, 0) == 0) {
		(void)unlinkat(dirfd, part, 0);
		return 0;
	}
	if (rc == 0) {
		rc = bring_and_check(paths, image, fd, watch, err);
		if (rc == 0)
			rc = put_in_place(dirfd, fd, image, part, err);
		if (rc < 0 && !is_worth_keeping(fd, rc))
			(void)unlinkat(dirfd, part, 0);
	}
	return error_wrap_if(err, rc, "image '%s'", image->name);
}

int image_remove(const struct paths *paths, const struct lab *lab, const struct spec_image *image,
		 struct error *err)
{
	cleanup_free char *path = image_path(paths, image);
	cleanup_close int dirfd = -1, fd = -1;
	char part[PART_BYTES];
	int rc = path ? open_cache(paths, &dirfd, err) : error_oom(err);

	part_name(image, part);
	if (rc == 0)
		rc = open_part(dirfd, image, &fd, err);
	if (rc == 0 && image_is_cached(paths, image))
		rc = volume_check_clones(paths, lab, path, err);
	if (rc == 0 && unlink(path) < 0 && errno != ENOENT)
		rc = error_errno(err, errno, "remove '%s'", path);
	if (fd >= 0 && rc == 0)
		(void)unlinkat(dirfd, part, 0);
	return error_wrap_if(err, rc, "image '%s'", image->name);
}

static json_t *describe(int dirfd, const struct spec_image *image)
{
	cleanup_free char *source = show_source(image);
	const char *state = "missing";
	char part[PART_BYTES];
	struct stat st = {0};

	part_name(image, part);
	if (fstatat(dirfd, image->sha256, &st, 0) == 0)
		state = "cached";
	else if (fstatat(dirfd, part, &st, 0) == 0 && st.st_size)
		state = "partial";
	return json_pack("{s:s s:s s:s? s:s s:s s:I}", "name", image->name, "sha256", image->sha256,
			 "source", source, "format", spec_format_name(image->format), "state",
			 state, "bytes", (json_int_t)st.st_size);
}

static bool is_known(const struct lab *lab, const char *sha256)
{
	for (size_t i = 0; i < lab->n_images; i++)
		if (str_eq(lab->images[i].sha256, sha256))
			return true;
	return false;
}

/* Images of an earlier configuration. */
static void list_others(int dirfd, const struct lab *lab, json_t *list)
{
	int copy = openat(dirfd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	cleanup_closedir DIR *dir = copy >= 0 ? fdopendir(copy) : NULL;
	struct dirent *entry;

	while (dir && (entry = readdir(dir))) {
		struct stat st = {0};

		if (strlen(entry->d_name) != SHA256_DIGITS || is_known(lab, entry->d_name))
			continue;
		(void)fstatat(dirfd, entry->d_name, &st, 0);
		(void)json_array_append_new(list,
					    json_pack("{s:n s:s s:n s:n s:s s:I}", "name", "sha256",
						      entry->d_name, "source", "format", "state",
						      "cached", "bytes", (json_int_t)st.st_size));
	}
}

int images_list(const struct paths *paths, const struct lab *lab, json_t **ret_list,
		struct error *err)
{
	cleanup_free char *folder = str_printf("%s/images", paths->state);
	cleanup_json json_t *list = json_array();
	cleanup_close int dirfd = -1;

	if (!folder || !list)
		return error_oom(err);
	dirfd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (dirfd < 0 && errno != ENOENT)
		return error_errno(err, errno, "open folder '%s'", folder);
	for (size_t i = 0; i < lab->n_images; i++)
		if (json_array_append_new(list, describe(dirfd, &lab->images[i])) < 0)
			return error_oom(err);
	if (dirfd >= 0)
		list_others(dirfd, lab, list);
	*ret_list = json_incref(list);
	return 0;
}

int image_make_volume(const struct paths *paths, const struct spec_disk *disk, struct error *err)
{
	cleanup_free char *path = image_path(paths, disk->image);
	enum disk_format format =
		disk->image->format == SPEC_FORMAT_RAW ? DISK_FORMAT_RAW : DISK_FORMAT_QCOW2;
	int rc;

	if (!path)
		return error_oom(err);
	if (access(path, F_OK) < 0)
		return error_set(err, ENOENT, "image '%s' is not in the cache (hv image fetch %s)",
				 disk->image->name, disk->image->name);
	if (disk->format != SPEC_FORMAT_RAW)
		return error_wrap_if(err,
				     disk_overlay(disk->path, path, format, disk->size_bytes, err),
				     "image '%s'", disk->image->name);
	rc = disk_copy(path, DISK_FORMAT_RAW, disk->path, NULL, err);
	if (rc == 0 && disk->size_bytes)
		rc = disk_grow(disk->path, DISK_FORMAT_RAW, disk->size_bytes, err);
	if (rc < 0)
		(void)unlink(disk->path);
	return error_wrap_if(err, rc, "image '%s'", disk->image->name);
}
