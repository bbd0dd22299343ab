/* SPDX-License-Identifier: MIT */
#include "disk/snapshots.h"

#include "base/cleanup.h"
#include "base/error.h"
#include "base/str.h"
#include "disk/big_endian.h"
#include "disk/qcow2.h"
#include "disk/volume.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <unistd.h>

/* Where in an entry a field is. */
enum {
	AT_ID_BYTES = 12,
	AT_NAME_BYTES = 14,
	AT_DATE = 16,
	AT_MEMORY_BYTES = 32,
	AT_EXTRA_BYTES = 36,
	ENTRY_BYTES = 40,
	/* Of what follows. */
	EXTRA_AT_MEMORY = 0,
	EXTRA_AT_DISK = 8,
	EXTRA_MAX = 1024,
};

enum { FIRST_READ = 16 * 1024 };

void disk_snapshots_free(struct disk_snapshots *s)
{
	for (size_t i = 0; i < s->n; i++)
		free(s->v[i].name);
	free(s->v);
	*s = (struct disk_snapshots){0};
}

const struct disk_snapshot *disk_snapshots_find(const struct disk_snapshots *s, const char *name)
{
	for (size_t i = 0; i < s->n; i++)
		if (str_eq(s->v[i].name, name))
			return &s->v[i];
	return NULL;
}

/* One entry at *at, which moves behind it. */
static int parse_entry(const uint8_t *buf, size_t len, size_t *at, struct disk_snapshot *ret,
		       struct error *err)
{
	struct disk_snapshot s = {0};
	const uint8_t *p = buf + *at;
	size_t id_bytes, name_bytes, extra_bytes, whole;

	if (len - *at < ENTRY_BYTES)
		return -EMSGSIZE;
	id_bytes = be16(p + AT_ID_BYTES);
	name_bytes = be16(p + AT_NAME_BYTES);
	extra_bytes = be32(p + AT_EXTRA_BYTES);
	if (extra_bytes > EXTRA_MAX)
		return error_set(err, EINVAL,
				 "qcow2: a snapshot with %zu bytes of extra data, more than %d "
				 "(damaged)",
				 extra_bytes, EXTRA_MAX);
	whole = ENTRY_BYTES + extra_bytes + id_bytes + name_bytes;
	if (len - *at < whole)
		return -EMSGSIZE;
	s.date = be32(p + AT_DATE);
	s.memory_bytes = be32(p + AT_MEMORY_BYTES);
	if (extra_bytes >= EXTRA_AT_MEMORY + 8)
		s.memory_bytes = be64(p + ENTRY_BYTES + EXTRA_AT_MEMORY);
	if (extra_bytes >= EXTRA_AT_DISK + 8)
		s.disk_bytes = be64(p + ENTRY_BYTES + EXTRA_AT_DISK);
	p += ENTRY_BYTES + extra_bytes + id_bytes;
	if (memchr(p, 0, name_bytes))
		return error_set(err, EINVAL, "qcow2: a snapshot's name has a NUL (damaged)");
	s.name = strndup((const char *)p, name_bytes);
	if (!s.name)
		return error_oom(err);
	*ret = s;
	/* The last one need not be padded. */
	whole = (whole + 7) / 8 * 8;
	*at = whole < len - *at ? *at + whole : len;
	return 0;
}

int disk_snapshots_parse(const uint8_t *buf, size_t len, uint32_t count,
			 struct disk_snapshots *ret_snapshots, struct error *err)
{
	struct disk_snapshots s = {0};
	size_t at = 0;
	int rc = 0;

	if (count > DISK_SNAPSHOTS_MAX)
		return error_set(err, EINVAL,
				 "qcow2: %" PRIu32 " snapshots, more than %d (damaged)", count,
				 DISK_SNAPSHOTS_MAX);
	/* Before anything is allocated for as many as it says. */
	if (len / ENTRY_BYTES < count)
		return -EMSGSIZE;
	s.v = calloc(count + 1, sizeof(*s.v));
	if (!s.v)
		return error_oom(err);
	for (; rc == 0 && s.n < count; s.n += rc == 0)
		rc = parse_entry(buf, len, &at, &s.v[s.n], err);
	if (rc < 0)
		disk_snapshots_free(&s);
	else
		*ret_snapshots = s;
	return rc;
}

/* Names have any length, so how long the table is shows while it is read. */
static int read_table(int fd, const struct qcow2_info *info, uint64_t file_bytes,
		      struct disk_snapshots *ret_snapshots, struct error *err)
{
	uint64_t most = file_bytes - info->snapshots_offset;
	size_t want = FIRST_READ;
	int rc = -EMSGSIZE;

	if (most > DISK_SNAPSHOT_TABLE_MAX)
		most = DISK_SNAPSHOT_TABLE_MAX;
	while (rc == -EMSGSIZE) {
		cleanup_free uint8_t *buf = NULL;
		size_t len;
		bool all = want >= most;

		want = all ? (size_t)most : want;
		buf = malloc(want ? want : 1);
		if (!buf)
			return error_oom(err);
		rc = disk_read_at(fd, info->snapshots_offset, buf, want, &len, err);
		if (rc == 0)
			rc = disk_snapshots_parse(buf, len, info->n_snapshots, ret_snapshots, err);
		if (rc == -EMSGSIZE && all)
			return error_set(err, EINVAL,
					 "qcow2: its snapshot table is cut short (damaged)");
		want *= 4;
	}
	return rc;
}

int disk_snapshots_read(int fd, struct disk_snapshots *ret_snapshots, struct error *err)
{
	struct qcow2_info info;
	off_t bytes;
	int rc;

	/* Also of a block device. */
	bytes = lseek(fd, 0, SEEK_END);
	if (bytes < 0)
		return error_errno(err, errno, "look at the image");
	rc = disk_read_header(fd, (uint64_t)bytes, &info, err);
	if (rc < 0)
		return rc;
	if (!info.n_snapshots) {
		*ret_snapshots = (struct disk_snapshots){0};
		return 0;
	}
	return read_table(fd, &info, (uint64_t)bytes, ret_snapshots, err);
}

int disk_snapshots_read_path(const char *path, struct disk_snapshots *ret_snapshots,
			     struct error *err)
{
	cleanup_close int fd = -1;
	int rc = disk_open(path, true, &fd, err);

	return rc < 0 ? rc
		      : error_wrap_if(err, disk_snapshots_read(fd, ret_snapshots, err), "'%s'",
				      path);
}
