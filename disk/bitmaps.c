/* SPDX-License-Identifier: MIT */
#include "disk/bitmaps.h"

#include "base/cleanup.h"
#include "base/error.h"
#include "base/str.h"
#include "disk/big_endian.h"
#include "disk/qcow2.h"
#include "disk/volume.h"

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

/* Where in an entry a field is. */
enum {
	ENTRY_AT_NAME_BYTES = 18,
	ENTRY_AT_EXTRA_BYTES = 20,
	ENTRY_BYTES = 24,
	NAME_BYTES_MAX = 1023,
};

int disk_bitmaps_parse(const uint8_t *buf, size_t len, uint32_t count, struct strv *names,
		       struct error *err)
{
	size_t at = 0;

	for (uint32_t i = 0; i < count; i++) {
		size_t name_bytes, extra_bytes, whole;

		if (at > len || len - at < ENTRY_BYTES)
			return error_set(err, EINVAL, "qcow2: its list of bitmaps is cut off");
		name_bytes = be16(buf + at + ENTRY_AT_NAME_BYTES);
		extra_bytes = be32(buf + at + ENTRY_AT_EXTRA_BYTES);
		if (!name_bytes || name_bytes > NAME_BYTES_MAX || extra_bytes > len)
			return error_set(err, EINVAL, "qcow2: a bitmap without a name (damaged)");
		whole = ENTRY_BYTES + extra_bytes + name_bytes;
		if (len - at < whole)
			return error_set(err, EINVAL, "qcow2: its list of bitmaps is cut off");
		strv_addf(names, "%.*s", (int)name_bytes,
			  (const char *)buf + at + ENTRY_BYTES + extra_bytes);
		at += (whole + 7) & ~(size_t)7;
	}
	return names->failed ? error_oom(err) : 0;
}

static int read_names(int fd, struct strv *names, struct error *err)
{
	/* Also of a block device. */
	off_t file_bytes = lseek(fd, 0, SEEK_END);
	cleanup_free uint8_t *buf = NULL;
	struct qcow2_info info;
	size_t len;
	int rc;

	if (file_bytes < 0)
		return error_errno(err, errno, "look at the image");
	rc = disk_read_header(fd, (uint64_t)file_bytes, &info, err);
	if (rc < 0 || !info.n_bitmaps)
		return rc;
	if (info.n_bitmaps > DISK_BITMAPS_MAX || info.bitmaps_bytes > DISK_BITMAP_DIRECTORY_MAX ||
	    info.bitmaps_offset > INT64_MAX - DISK_BITMAP_DIRECTORY_MAX)
		return error_set(err, EINVAL, "qcow2: its list of bitmaps is too long (damaged)");
	buf = malloc((size_t)info.bitmaps_bytes + 1);
	if (!buf)
		return error_oom(err);
	rc = disk_read_at(fd, info.bitmaps_offset, buf, (size_t)info.bitmaps_bytes, &len, err);
	if (rc == 0 && len < info.bitmaps_bytes)
		rc = error_set(err, EINVAL, "qcow2: the image is cut off");
	return rc < 0 ? rc : disk_bitmaps_parse(buf, len, info.n_bitmaps, names, err);
}

int disk_bitmaps_read_path(const char *path, struct strv *names, struct error *err)
{
	cleanup_close int fd = -1;
	int rc = disk_open(path, true, &fd, err);

	return rc < 0 ? rc : error_wrap_if(err, read_names(fd, names, err), "'%s'", path);
}
