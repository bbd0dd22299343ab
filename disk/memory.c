/* SPDX-License-Identifier: MIT */
/*
 * The image's clusters are as large as QEMU takes them, so that each table fits into one, whatever
 * the stream's length is going to be. What a table does not fill is a hole in the file.
 *
 * The disk itself has no size: the state of a machine lies behind a disk's end, and so here at
 * its beginning. All that is in the image belongs to its one snapshot.
 */
#include "disk/memory.h"

#include "base/cleanup.h"
#include "base/error.h"
#include "disk/qcow2_write.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum {
	CLUSTER_BITS = 21,
	CLUSTER_BYTES = 1 << CLUSTER_BITS,
	/* One table names as many clusters: 512 GiB. */
	CLUSTERS_MAX = CLUSTER_BYTES / QCOW2_ENTRY_BYTES,
};

/* Which cluster has what. */
enum {
	AT_HEADER,
	AT_REFCOUNT_TABLE,
	AT_REFCOUNTS,
	AT_L1, /* of the disk as it is now: it has nothing */
	AT_SNAPSHOT_L1,
	AT_SNAPSHOTS,
	AT_L2,
	AT_STREAM
};

static uint64_t offset_of(uint64_t cluster)
{
	return cluster << CLUSTER_BITS;
}

/* A table with as many entries, the i-th of which is value + i * step. */
static int write_table(int fd, uint64_t at, size_t n, unsigned bytes, uint64_t value, uint64_t step)
{
	cleanup_free uint8_t *table = malloc(n * bytes);

	if (!table)
		return -ENOMEM;
	for (size_t i = 0; i < n; i++)
		qcow2_put(table + i * bytes, value + i * step, bytes);
	return qcow2_write_at(fd, table, n * bytes, offset_of(at));
}

/* The table of snapshots, which has one. Its number is its name: QEMU takes either. */
static int write_snapshot(int fd, const char *name, uint32_t date, uint64_t bytes)
{
	enum { FIXED = 40, EXTRA = 24, NAME_MAX_BYTES = 1024 };
	uint8_t entry[FIXED + EXTRA + 2 * NAME_MAX_BYTES + 1] = {0};
	size_t len = strlen(name);

	if (len > NAME_MAX_BYTES)
		return -ENAMETOOLONG;
	qcow2_put(entry, offset_of(AT_SNAPSHOT_L1), 8);
	qcow2_put(entry + 8, 1, 4); /* entries of that */
	qcow2_put(entry + 12, len, 2); /* of the number */
	qcow2_put(entry + 14, len, 2); /* of the name */
	qcow2_put(entry + 16, date, 4);
	qcow2_put(entry + 36, EXTRA, 4);
	qcow2_put(entry + FIXED, bytes, 8); /* of the state */
	qcow2_put(entry + FIXED + 16, UINT64_MAX, 8); /* no count of instructions */
	(void)stpcpy(stpcpy((char *)entry + FIXED + EXTRA, name), name);
	return qcow2_write_at(fd, entry, FIXED + EXTRA + 2 * len, offset_of(AT_SNAPSHOTS));
}

static int write_tables(int fd, const char *name, uint32_t date, uint64_t bytes)
{
	const struct qcow2_layout layout = {
		.cluster_bits = CLUSTER_BITS,
		.l1_entries = 1,
		.l1_at = offset_of(AT_L1),
		.refcounts_at = offset_of(AT_REFCOUNT_TABLE),
		.snapshots = 1,
		.snapshots_at = offset_of(AT_SNAPSHOTS),
	};
	size_t n = (bytes + CLUSTER_BYTES - 1) / CLUSTER_BYTES;
	uint8_t header[QCOW2_HEADER_LENGTH + 8] = {0}; /* and no extension */
	int rc;

	/* QEMU wants whole clusters. */
	if (ftruncate(fd, (off_t)offset_of(AT_STREAM + n)) < 0)
		return -errno;
	rc = write_table(fd, AT_REFCOUNT_TABLE, 1, QCOW2_ENTRY_BYTES, offset_of(AT_REFCOUNTS), 0);
	if (rc == 0)
		rc = write_table(fd, AT_REFCOUNTS, AT_STREAM + n, QCOW2_COUNT_BYTES, 1, 0);
	if (rc == 0)
		rc = write_table(fd, AT_SNAPSHOT_L1, 1, QCOW2_ENTRY_BYTES, offset_of(AT_L2), 0);
	if (rc == 0)
		rc = write_table(fd, AT_L2, n, QCOW2_ENTRY_BYTES, offset_of(AT_STREAM),
				 CLUSTER_BYTES);
	if (rc == 0)
		rc = write_snapshot(fd, name, date, bytes);
	qcow2_put_header(header, &layout);
	return rc < 0 ? rc : qcow2_write_at(fd, header, sizeof(header), offset_of(AT_HEADER));
}

int disk_memory_begin(int fd, struct error *err)
{
	if (lseek(fd, (off_t)offset_of(AT_STREAM), SEEK_SET) < 0)
		return error_errno(err, errno, "make room for its tables");
	return 0;
}

int disk_memory_end(int fd, const char *name, uint32_t date, uint64_t *ret_bytes, struct error *err)
{
	off_t end = lseek(fd, 0, SEEK_CUR);
	uint64_t bytes;
	int rc;

	if (end < 0)
		return error_errno(err, errno, "look how much was written");
	if ((uint64_t)end <= offset_of(AT_STREAM))
		return error_set(err, EIO, "QEMU has written nothing");
	bytes = (uint64_t)end - offset_of(AT_STREAM);
	if (bytes > offset_of(CLUSTERS_MAX))
		return error_set(err, EFBIG, "it is larger than the %d GiB that its image can hold",
				 (int)(offset_of(CLUSTERS_MAX) >> 30));
	rc = write_tables(fd, name, date, bytes);
	if (rc < 0)
		return error_errno(err, -rc, "make an image of it");
	*ret_bytes = bytes;
	return 0;
}
