/* SPDX-License-Identifier: MIT */
#include "disk/empty.h"

#include "base/cleanup.h"
#include "base/error.h"
#include "disk/qcow2.h"
#include "disk/qcow2_write.h"
#include "disk/volume.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/*
 * What a snapshot's memory is written to has large clusters, for with each table of clusters that
 * QEMU begins it flushes the disk some six times: here that is once for a GiB, and not once for
 * 32 MiB. It is large without having to be filled up: with extended L2 entries QEMU keeps account
 * of its 32 parts, 4 KiB each. A disk has what qemu-img would give it.
 */
enum { MEMORY_CLUSTER_BITS = 17, DISK_CLUSTER_BITS = 16 };

#define INCOMPATIBLE_EXTENDED_L2 (1U << 4)

enum {
	SECTOR_BYTES = 512,
	/* Header, refcount table and one refcount block have a cluster each; then the L1 table. */
	TABLES_AT = 3,
	/* A disk as large as QEMU takes one has 16 clusters of them. */
	CLUSTERS_MAX = 64,
	BACKING_FORMAT = 0xe2792aca,
};

/* Everything is in its place by the size of a cluster alone. */
struct layout {
	uint64_t cluster_bytes, bytes, l1_entries, clusters;
	uint64_t incompatible; /* features, as the header has them */
	const char *backing, *format; /* NULL: none */
};

static uint64_t get(const uint8_t *p, unsigned bytes)
{
	uint64_t value = 0;

	while (bytes--)
		value = value << 8 | *p++;
	return value;
}

/* What it lies on: its format is an extension of the header, and its name comes behind. */
static size_t put_backing(uint8_t *header, const struct layout *l)
{
	size_t at = QCOW2_HEADER_LENGTH, len = strlen(l->format);

	qcow2_put(header + at, BACKING_FORMAT, 4);
	qcow2_put(header + at + 4, len, 4);
	memcpy(header + at + 8, l->format, len);
	/* Filled up to eight bytes, and an empty extension is the end of them. */
	at += 8 + (len + 7) / 8 * 8 + 8;
	len = strlen(l->backing);
	memcpy(header + at, l->backing, len);
	qcow2_put(header + 8, at, 8);
	qcow2_put(header + 16, len, 4);
	return at + len;
}

static int write_header(int fd, unsigned cluster_bits, const struct layout *l)
{
	uint8_t header[QCOW2_HEADER_LENGTH + 64 + QCOW2_NAME_MAX] = {0};
	size_t len = QCOW2_HEADER_LENGTH + 8;

	qcow2_put_header(header, &(struct qcow2_layout){
					 .cluster_bits = cluster_bits,
					 .bytes = l->bytes,
					 .l1_entries = l->l1_entries,
					 .l1_at = TABLES_AT * l->cluster_bytes,
					 .refcounts_at = l->cluster_bytes,
					 .incompatible = l->incompatible,
				 });
	if (l->backing)
		len = put_backing(header, l);
	return qcow2_write_at(fd, header, len, 0);
}

static int write_image(int fd, unsigned cluster_bits, struct layout *l, struct error *err)
{
	uint8_t table[QCOW2_ENTRY_BYTES] = {0}, counts[2 * CLUSTERS_MAX] = {0};
	uint64_t per_entry;
	int rc = 0;

	l->cluster_bytes = 1ULL << cluster_bits;
	/* Of the disk, by one entry of the L1 table, which is a cluster of entries. */
	per_entry = l->cluster_bytes / QCOW2_ENTRY_BYTES * l->cluster_bytes;
	l->l1_entries = (l->bytes + per_entry - 1) / per_entry;
	l->clusters = TABLES_AT +
		      (l->l1_entries * QCOW2_ENTRY_BYTES + l->cluster_bytes - 1) / l->cluster_bytes;
	if (l->clusters > CLUSTERS_MAX)
		return error_set(err, EFBIG, "make an empty image: it would be too large");
	qcow2_put(table, 2 * l->cluster_bytes, QCOW2_ENTRY_BYTES);
	for (size_t i = 0; i < l->clusters; i++)
		qcow2_put(counts + 2 * i, 1, 2);
	if (ftruncate(fd, (off_t)(l->clusters * l->cluster_bytes)) < 0)
		rc = -errno;
	if (rc == 0)
		rc = qcow2_write_at(fd, table, sizeof(table), l->cluster_bytes);
	if (rc == 0)
		rc = qcow2_write_at(fd, counts, sizeof(counts), 2 * l->cluster_bytes);
	if (rc == 0)
		rc = write_header(fd, cluster_bits, l);
	return rc < 0 ? error_errno(err, -rc, "make an empty image") : 0;
}

int disk_write_empty(int fd, struct error *err)
{
	/* Of no size it has no entry of any table, whatever one of them is like. */
	return write_image(fd, MEMORY_CLUSTER_BITS,
			   &(struct layout){.incompatible = INCOMPATIBLE_EXTENDED_L2}, err);
}

int disk_write_overlay(int fd, uint64_t bytes, const char *backing, const char *format,
		       struct error *err)
{
	struct layout l = {.backing = backing, .format = format};

	if (strlen(backing) > QCOW2_NAME_MAX || strlen(format) > 16)
		return error_set(err, ENAMETOOLONG, "'%s'", backing);
	if (bytes > UINT64_MAX - SECTOR_BYTES)
		return error_set(err, EFBIG, "make an empty image: it would be too large");
	l.bytes = (bytes + SECTOR_BYTES - 1) / SECTOR_BYTES * SECTOR_BYTES;
	return write_image(fd, DISK_CLUSTER_BITS, &l, err);
}

int disk_is_untouched(int fd, bool *ret_yes, struct error *err)
{
	uint8_t header[QCOW2_HEADER_LENGTH], entries[4096];
	uint64_t at, left;
	size_t len;
	int rc = disk_read_at(fd, 0, header, sizeof(header), &len, err);

	if (rc < 0)
		return rc;
	*ret_yes = len == sizeof(header) && get(header + 60, 4) == 0; /* no snapshots */
	left = get(header + 36, 4) * QCOW2_ENTRY_BYTES;
	at = get(header + 40, 8);
	while (rc == 0 && *ret_yes && left) {
		rc = disk_read_at(fd, at, entries, left < sizeof(entries) ? left : sizeof(entries),
				  &len, err);
		*ret_yes = rc == 0 && len > 0;
		for (size_t i = 0; *ret_yes && i < len; i++)
			*ret_yes = entries[i] == 0;
		at += len;
		left -= len;
	}
	return rc;
}
