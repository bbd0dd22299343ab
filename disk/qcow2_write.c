/* SPDX-License-Identifier: MIT */
#include "disk/qcow2_write.h"

#include "base/cleanup.h"

#include <errno.h>
#include <unistd.h>

void qcow2_put(uint8_t *p, uint64_t value, unsigned bytes)
{
	while (bytes--) {
		p[bytes] = (uint8_t)value;
		value >>= 8;
	}
}

void qcow2_put_header(uint8_t *header, const struct qcow2_layout *l)
{
	const struct {
		unsigned at, bytes;
		uint64_t value;
	} fields[] = {
		{0, 4, 0x514649fb}, /* "QFI\xfb" */
		{4, 4, 3}, /* version */
		{20, 4, l->cluster_bits},
		{24, 8, l->bytes},
		{36, 4, l->l1_entries},
		{40, 8, l->l1_at},
		{48, 8, l->refcounts_at},
		{56, 4, 1}, /* its clusters */
		{60, 4, l->snapshots},
		{64, 8, l->snapshots_at},
		{72, 8, l->incompatible},
		{96, 4, 4}, /* reference counts of 2^4 bits */
		{100, 4, QCOW2_HEADER_LENGTH},
	};

	for (size_t i = 0; i < ARRAY_SIZE(fields); i++)
		qcow2_put(header + fields[i].at, fields[i].value, fields[i].bytes);
}

int qcow2_write_at(int fd, const void *data, size_t len, uint64_t offset)
{
	ssize_t n = pwrite(fd, data, len, (off_t)offset);

	if (n == (ssize_t)len)
		return 0;
	return n < 0 ? -errno : -ENOSPC;
}
