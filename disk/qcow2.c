/* SPDX-License-Identifier: MIT */
#include "disk/qcow2.h"

#include "base/error.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

enum {
	INCOMPATIBLE_DIRTY = 1 << 0,
	INCOMPATIBLE_CORRUPT = 1 << 1,
	INCOMPATIBLE_DATA_FILE = 1 << 2,
	INCOMPATIBLE_COMPRESSION = 1 << 3,
	INCOMPATIBLE_EXTENDED_L2 = 1 << 4,
};

static const uint64_t virtual_max = 64ULL << 40;

static uint32_t be32(const uint8_t *p)
{
	return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

static uint64_t be64(const uint8_t *p)
{
	return (uint64_t)be32(p) << 32 | be32(p + 4);
}

/* A table has to lie inside the file, on a cluster's border. */
static int check_table(const char *what, uint64_t offset, uint64_t bytes, uint64_t cluster_bytes,
		       uint64_t file_bytes, struct error *err)
{
	uint64_t end;

	if (offset % cluster_bytes || __builtin_add_overflow(offset, bytes, &end) ||
	    end > file_bytes)
		return error_set(err, EINVAL,
				 "qcow2: its %s table lies outside of the file (cut short, or not "
				 "an image)",
				 what);
	return 0;
}

static int check_features(const uint8_t *buf, size_t len, struct error *err)
{
	const uint64_t known =
		INCOMPATIBLE_DIRTY | INCOMPATIBLE_COMPRESSION | INCOMPATIBLE_EXTENDED_L2;
	uint64_t features;

	if (len < 104)
		return error_set(err, EINVAL, "qcow2: the header is cut short");
	features = be64(buf + 72);
	if (features & INCOMPATIBLE_DATA_FILE)
		return error_set(err, EINVAL,
				 "qcow2: the image names an external data file, which is not "
				 "followed (qemu-img convert makes it one file)");
	if (features & INCOMPATIBLE_CORRUPT)
		return error_set(err, EINVAL,
				 "qcow2: the image is marked corrupt (qemu-img check -r all)");
	if (features & ~known)
		return error_set(err, EINVAL, "qcow2: unknown features 0x%" PRIx64,
				 features & ~known);
	return 0;
}

int qcow2_parse(const uint8_t *buf, size_t len, uint64_t file_bytes, uint64_t *ret_virtual_bytes,
		struct error *err)
{
	uint64_t virtual_bytes, cluster_bytes;
	uint32_t version, cluster_bits;
	int rc = 0;

	if (len < 72 || memcmp(buf, "QFI\xfb", 4) != 0)
		return error_set(err, EINVAL,
				 "not a qcow2 image (say format: raw if it is a raw one)");
	version = be32(buf + 4);
	if (version != 2 && version != 3)
		return error_set(err, EINVAL, "qcow2: version %" PRIu32 ", not 2 or 3", version);
	if (be64(buf + 8) || be32(buf + 16))
		return error_set(err, EINVAL,
				 "qcow2: the image names a backing file, which is not followed "
				 "(qemu-img rebase -b '' folds it in)");
	cluster_bits = be32(buf + 20);
	if (cluster_bits < 9 || cluster_bits > 21)
		return error_set(err, EINVAL, "qcow2: clusters of 2^%" PRIu32 " bytes",
				 cluster_bits);
	cluster_bytes = 1ULL << cluster_bits;
	virtual_bytes = be64(buf + 24);
	if (virtual_bytes > virtual_max)
		return error_set(err, EINVAL, "qcow2: a virtual size of %" PRIu64 " bytes",
				 virtual_bytes);
	if (be32(buf + 32))
		return error_set(err, EINVAL, "qcow2: encrypted images are not supported");
	if (version == 3)
		rc = check_features(buf, len, err);
	if (rc == 0)
		rc = check_table("L1", be64(buf + 40), (uint64_t)be32(buf + 36) * 8, cluster_bytes,
				 file_bytes, err);
	if (rc == 0)
		rc = check_table("refcount", be64(buf + 48),
				 (uint64_t)be32(buf + 56) * cluster_bytes, cluster_bytes,
				 file_bytes, err);
	if (rc == 0)
		*ret_virtual_bytes = virtual_bytes;
	return rc;
}
