/* SPDX-License-Identifier: MIT */
#include "disk/empty.h"

#include "base/cleanup.h"
#include "base/error.h"

#include <errno.h>
#include <stdint.h>
#include <string.h>
#include <unistd.h>

/* Header, refcount table and one refcount block have a cluster each. QEMU writes what it saves in
 * pieces of some 32 KiB and fills up each cluster that one begins with zeroes: larger ones would be
 * written nearly twice. */
enum { CLUSTER_BITS = 14, CLUSTER_BYTES = 1 << CLUSTER_BITS, CLUSTERS_USED = 3 };

/* Where in the header a field is, and how long it is. */
static const struct {
	unsigned at, bytes;
	uint64_t value;
} fields[] = {
	{0, 4, 0x514649fb}, /* "QFI\xfb" */
	{4, 4, 3}, /* version */
	{20, 4, CLUSTER_BITS},
	{40, 8, CLUSTERS_USED *CLUSTER_BYTES}, /* the L1 table, of no entry yet */
	{48, 8, CLUSTER_BYTES}, /* the refcount table */
	{56, 4, 1}, /* in clusters */
	{96, 4, 4}, /* reference counts of 2^4 bits */
	{100, 4, 104}, /* the header's length */
};

static void put(uint8_t *p, uint64_t value, unsigned bytes)
{
	while (bytes--) {
		p[bytes] = (uint8_t)value;
		value >>= 8;
	}
}

static int write_at(int fd, const void *data, size_t len, off_t offset)
{
	return pwrite(fd, data, len, offset) == (ssize_t)len ? 0 : -(errno ? errno : EIO);
}

int disk_write_empty(int fd, struct error *err)
{
	uint8_t header[112] = {0}, table[8] = {0}, counts[2 * CLUSTERS_USED] = {0};
	int rc = 0;

	for (size_t i = 0; i < ARRAY_SIZE(fields); i++)
		put(header + fields[i].at, fields[i].value, fields[i].bytes);
	put(table, 2ULL * CLUSTER_BYTES, 8);
	for (size_t i = 0; i < CLUSTERS_USED; i++)
		put(counts + 2 * i, 1, 2);
	if (ftruncate(fd, (off_t)CLUSTERS_USED * CLUSTER_BYTES) < 0)
		rc = -errno;
	if (rc == 0)
		rc = write_at(fd, table, sizeof(table), CLUSTER_BYTES);
	if (rc == 0)
		rc = write_at(fd, counts, sizeof(counts), (off_t)2 * CLUSTER_BYTES);
	if (rc == 0)
		rc = write_at(fd, header, sizeof(header), 0);
	return rc < 0 ? error_errno(err, -rc, "make an empty image") : 0;
}
