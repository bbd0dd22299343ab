/* SPDX-License-Identifier: MIT */
#include "firmware/nvram.h"

#include "base/child.h"
#include "base/cleanup.h"
#include "base/error.h"
#include "base/file.h"
#include "base/str.h"
#include "firmware/variables.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

enum { QEMU_IMG_MS = 60 * 1000, COPY_BYTES_MAX = 64 * 1024 * 1024 };

/* The name in the cache changes with the template. */
static int cache_name(const char *template_path, char *buf, size_t size, struct error *err)
{
	struct stat st;

	if (stat(template_path, &st) < 0)
		return error_errno(err, errno, "NVRAM template '%s'", template_path);
	(void)str_format(buf, size, "nvram-%" PRIx64 "-%" PRIx64 "-%" PRIx64 ".%09ld.qcow2",
			 (uint64_t)st.st_ino, (uint64_t)st.st_size, (uint64_t)st.st_mtim.tv_sec,
			 st.st_mtim.tv_nsec);
	return 0;
}

static int convert(const char *from, bool qcow2, const char *to, bool to_qcow2, struct error *err)
{
	cleanup_free char *program = file_find_program("qemu-img");
	char *argv[] = {(char *)"qemu-img",
			(char *)"convert",
			(char *)"-q",
			(char *)"-f",
			qcow2 ? (char *)"qcow2" : (char *)"raw",
			(char *)"-O",
			to_qcow2 ? (char *)"qcow2" : (char *)"raw",
			(char *)from,
			(char *)to,
			NULL};

	if (!program)
		return error_set(err, ENOENT, "qemu-img is not installed (apt install qemu-utils)");
	return child_run(program, argv, NULL, 0, QEMU_IMG_MS, NULL, err);
}

/* A power cut may have left less. */
static bool is_qcow2(const char *path)
{
	static const char magic[4] = {'Q', 'F', 'I', '\xfb'};
	cleanup_close int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	char start[sizeof(magic)];

	return fd >= 0 && read(fd, start, sizeof(start)) == (ssize_t)sizeof(start) &&
	       memcmp(start, magic, sizeof(magic)) == 0;
}

static int sync_file(const char *path, struct error *err)
{
	cleanup_close int fd = open(path, O_RDONLY | O_CLOEXEC);

	return fd < 0 || fsync(fd) < 0 ? error_errno(err, errno, "fsync '%s'", path) : 0;
}

/* Makes sure that the template's qcow2 is in the cache. */
static int fill_cache(const char *template_path, bool qcow2, const char *cached, struct error *err)
{
	cleanup_free char *temp = str_printf("%s.%d.new", cached, (int)getpid());
	int rc;

	if (!temp)
		return error_oom(err);
	if (is_qcow2(cached))
		return 0;
	rc = convert(template_path, qcow2, temp, true, err);
	if (rc == 0)
		rc = sync_file(temp, err);
	if (rc == 0 && rename(temp, cached) < 0)
		rc = error_errno(err, errno, "rename '%s'", temp);
	if (rc < 0)
		(void)unlink(temp);
	return rc;
}

static int copy(const char *cached, int dirfd, const char *name, struct error *err)
{
	cleanup_free char *data = NULL;
	size_t len;
	int rc;

	rc = file_read(AT_FDCWD, cached, COPY_BYTES_MAX, &data, &len, err);
	if (rc == 0)
		rc = file_write_atomic(dirfd, name, data, len, 0600, err);
	return rc;
}

int firmware_nvram_create(const char *template_path, bool template_qcow2, const char *cache,
			  int dirfd, const char *name, struct error *err)
{
	cleanup_free char *cached = NULL;
	char key[128];
	int rc;

	if (faccessat(dirfd, name, F_OK, AT_SYMLINK_NOFOLLOW) == 0)
		return error_errno(err, EEXIST, "create NVRAM '%s'", name);
	rc = cache_name(template_path, key, sizeof(key), err);
	if (rc < 0)
		return rc;
	cached = str_printf("%s/%s", cache, key);
	if (!cached)
		return error_oom(err);
	rc = fill_cache(template_path, template_qcow2, cached, err);
	if (rc == 0)
		rc = copy(cached, dirfd, name, err);
	return error_wrap_if(err, rc, "create NVRAM from '%s'", template_path);
}

/* The variables as they lie in flash, without what belongs to one machine alone. */
static int forget_identity(const char *raw, struct error *err)
{
	cleanup_close int fd = open(raw, O_RDWR | O_CLOEXEC | O_NOFOLLOW);
	cleanup_free char *data = NULL;
	size_t len;
	int rc;

	if (fd < 0)
		return error_errno(err, errno, "open '%s'", raw);
	rc = file_read(AT_FDCWD, raw, COPY_BYTES_MAX, &data, &len, err);
	if (rc < 0 || !firmware_variables_forget((uint8_t *)data, len))
		return rc;
	return file_write_all(fd, data, len, err);
}

int firmware_nvram_copy(const char *from, const char *to, struct error *err)
{
	cleanup_free char *raw = str_printf("%s.raw", to), *temp = str_printf("%s.new", to);
	int rc;

	if (!raw || !temp)
		return error_oom(err);
	rc = convert(from, true, raw, false, err);
	if (rc == 0)
		rc = forget_identity(raw, err);
	if (rc == 0)
		rc = convert(raw, false, temp, true, err);
	if (rc == 0 && chmod(temp, 0600) < 0)
		rc = error_errno(err, errno, "chmod '%s'", temp);
	if (rc == 0)
		rc = sync_file(temp, err);
	if (rc == 0 && rename(temp, to) < 0)
		rc = error_errno(err, errno, "rename '%s'", temp);
	(void)unlink(raw);
	if (rc < 0)
		(void)unlink(temp);
	return error_wrap_if(err, rc, "copy the NVRAM");
}
