/* SPDX-License-Identifier: MIT */
#include "disk/qcow2.h"

#include "base/error.h"
#include "disk/big_endian.h"

#include <errno.h>
#include <inttypes.h>
#include <stdbool.h>
#include <string.h>

enum {
	INCOMPATIBLE_DIRTY = 1 << 0,
	INCOMPATIBLE_CORRUPT = 1 << 1,
	INCOMPATIBLE_DATA_FILE = 1 << 2,
	INCOMPATIBLE_COMPRESSION = 1 << 3,
	INCOMPATIBLE_EXTENDED_L2 = 1 << 4,
};

/* Where in the header a field is. */
enum {
	AT_VERSION = 4,
	AT_BACKING_OFFSET = 8,
	AT_BACKING_BYTES = 16,
	AT_CLUSTER_BITS = 20,
	AT_VIRTUAL_BYTES = 24,
	AT_ENCRYPTION = 32,
	AT_L1_ENTRIES = 36,
	AT_L1_OFFSET = 40,
	AT_REFCOUNT_OFFSET = 48,
	AT_REFCOUNT_CLUSTERS = 56,
	AT_SNAPSHOTS = 60,
	AT_SNAPSHOTS_OFFSET = 64,
	V2_BYTES = 72,
	AT_INCOMPATIBLE = 72,
	AT_AUTOCLEAR = 88,
	AT_REFCOUNT_ORDER = 96,
	AT_HEADER_BYTES = 100,
	V3_BYTES_MIN = 104,
	AT_COMPRESSION = 104,
};

/* QEMU's own bounds (block/qcow2.h there). */
enum {
	CLUSTER_BITS_MIN = 9,
	CLUSTER_BITS_MAX = 21,
	L1_BYTES_MAX = 32 * 1024 * 1024,
	REFCOUNT_TABLE_BYTES_MAX = 8 * 1024 * 1024,
	REFCOUNT_ORDER_MAX = 6,
	SNAPSHOTS_MAX = 65536,
	SNAPSHOT_BYTES_MIN = 40,
};

enum extension {
	EXTENSION_END = 0,
	EXTENSION_BITMAPS = 0x23852875,
	EXTENSION_BACKING_FORMAT = 0xe2792aca,
};

/* Of the extension for bitmaps: where in it a field is. */
enum { BITMAPS_AT_BYTES = 8, BITMAPS_AT_OFFSET = 16, BITMAPS_BYTES = 24 };

enum { AUTOCLEAR_BITMAPS = 1 << 0 };

static const uint64_t virtual_max = 64ULL << 40;

/* A header, as far as it was understood. */
struct header {
	const uint8_t *buf;
	size_t len;
	uint64_t file_bytes;
	uint32_t version;
	uint32_t cluster_bits;
	uint64_t cluster_bytes;
	uint64_t features;
	uint32_t bytes; /* its own length */
};

/* A table has to lie inside the file, on a cluster's border, behind the header. */
static int check_table(const struct header *h, const char *what, uint64_t offset, uint64_t bytes,
		       uint64_t most, struct error *err)
{
	uint64_t end;

	if (bytes > most)
		return error_set(err, EINVAL,
				 "qcow2: its %s table has %" PRIu64 " bytes, more than %" PRIu64
				 " (damaged, or made to do harm)",
				 what, bytes, most);
	if (bytes && !offset)
		return error_set(err, EINVAL, "qcow2: its %s table lies on the header (damaged)",
				 what);
	if (offset % h->cluster_bytes || __builtin_add_overflow(offset, bytes, &end) ||
	    end > h->file_bytes)
		return error_set(err, EINVAL,
				 "qcow2: its %s table lies outside of the file (cut short, or not "
				 "an image)",
				 what);
	return 0;
}

static int check_features(const struct header *h, struct error *err)
{
	const uint64_t known =
		INCOMPATIBLE_DIRTY | INCOMPATIBLE_COMPRESSION | INCOMPATIBLE_EXTENDED_L2;

	if (h->features & INCOMPATIBLE_DATA_FILE)
		return error_set(err, EINVAL,
				 "qcow2: the image names an external data file, which is not "
				 "followed (qemu-img convert makes it one file)");
	if (h->features & INCOMPATIBLE_CORRUPT)
		return error_set(err, EINVAL,
				 "qcow2: the image is marked corrupt (qemu-img check -r all)");
	if (h->features & ~known)
		return error_set(err, EINVAL,
				 "qcow2: unknown features 0x%" PRIx64
				 " (qemu-img convert with the program that made it)",
				 h->features & ~known);
	return 0;
}

/* What version 3 added. */
static int check_version_3(struct header *h, struct error *err)
{
	uint32_t refcount_order;

	if (h->len < V3_BYTES_MIN)
		return error_set(err, EINVAL, "qcow2: the header is cut short");
	h->features = be64(h->buf + AT_INCOMPATIBLE);
	h->bytes = be32(h->buf + AT_HEADER_BYTES);
	refcount_order = be32(h->buf + AT_REFCOUNT_ORDER);
	if (h->bytes < V3_BYTES_MIN || h->bytes % 8 || h->bytes > h->cluster_bytes)
		return error_set(err, EINVAL, "qcow2: a header of %" PRIu32 " bytes (damaged)",
				 h->bytes);
	if (h->len < h->bytes)
		return error_set(err, EINVAL, "qcow2: the header is cut short");
	if (refcount_order > REFCOUNT_ORDER_MAX)
		return error_set(err, EINVAL, "qcow2: reference counts of 2^%" PRIu32 " bits",
				 refcount_order);
	if (h->bytes > AT_COMPRESSION && h->buf[AT_COMPRESSION] > 1)
		return error_set(err, EINVAL, "qcow2: unknown compression %u",
				 h->buf[AT_COMPRESSION]);
	return check_features(h, err);
}

/* The entries that it takes to reach the end of the disk. */
static uint64_t l1_entries_needed(const struct header *h, uint64_t virtual_bytes)
{
	unsigned entry_bits = h->features & INCOMPATIBLE_EXTENDED_L2 ? 4 : 3;
	unsigned shift = h->cluster_bits + h->cluster_bits - entry_bits;

	return (virtual_bytes + (1ULL << shift) - 1) >> shift;
}

static int check_tables(const struct header *h, uint64_t virtual_bytes, struct error *err)
{
	uint64_t l1_entries = be32(h->buf + AT_L1_ENTRIES);
	uint64_t refcount_bytes = be32(h->buf + AT_REFCOUNT_CLUSTERS) * h->cluster_bytes;
	uint64_t snapshots = be32(h->buf + AT_SNAPSHOTS);
	int rc;

	rc = check_table(h, "L1", be64(h->buf + AT_L1_OFFSET), l1_entries * 8, L1_BYTES_MAX, err);
	if (rc == 0 && l1_entries < l1_entries_needed(h, virtual_bytes))
		rc = error_set(err, EINVAL,
			       "qcow2: its L1 table of %" PRIu64
			       " entries is too small for %" PRIu64 " bytes (damaged)",
			       l1_entries, virtual_bytes);
	if (rc == 0 && !refcount_bytes)
		rc = error_set(err, EINVAL, "qcow2: it has no refcount table (damaged)");
	if (rc == 0)
		rc = check_table(h, "refcount", be64(h->buf + AT_REFCOUNT_OFFSET), refcount_bytes,
				 REFCOUNT_TABLE_BYTES_MAX, err);
	if (rc == 0 && snapshots > SNAPSHOTS_MAX)
		rc = error_set(err, EINVAL, "qcow2: %" PRIu64 " snapshots, more than %d (damaged)",
			       snapshots, SNAPSHOTS_MAX);
	/* Where there is none, nobody looks at the offset. */
	if (rc == 0 && snapshots)
		rc = check_table(h, "snapshot", be64(h->buf + AT_SNAPSHOTS_OFFSET),
				 snapshots * SNAPSHOT_BYTES_MIN, UINT64_MAX, err);
	return rc;
}

static void read_bitmaps(const struct header *h, const uint8_t *p, uint32_t bytes,
			 struct qcow2_info *info)
{
	/* Without that bit somebody wrote to the image who knows no bitmaps, and they are void. */
	if (h->version < 3 || !(be64(h->buf + AT_AUTOCLEAR) & AUTOCLEAR_BITMAPS) ||
	    bytes < BITMAPS_BYTES || info->n_bitmaps)
		return;
	info->n_bitmaps = be32(p);
	info->bitmaps_bytes = be64(p + BITMAPS_AT_BYTES);
	info->bitmaps_offset = be64(p + BITMAPS_AT_OFFSET);
}

/* From the header's end to the backing file's name, or the cluster's end. */
static int read_extensions(const struct header *h, uint64_t end, struct qcow2_info *info,
			   struct error *err)
{
	uint64_t at = h->bytes;

	if (end > h->len)
		end = h->len;
	while (at + 8 <= end) {
		uint32_t kind = be32(h->buf + at), bytes = be32(h->buf + at + 4);

		at += 8;
		if (kind == EXTENSION_END)
			break;
		if (bytes > end - at)
			return error_set(err, EINVAL,
					 "qcow2: an extension of the header (0x%08" PRIx32
					 ") runs beyond its end (damaged)",
					 kind);
		if (kind == EXTENSION_BACKING_FORMAT) {
			if (bytes >= sizeof(info->backing_format) || memchr(h->buf + at, 0, bytes))
				return error_set(err, EINVAL,
						 "qcow2: a backing format of %" PRIu32
						 " bytes (damaged)",
						 bytes);
			memcpy(info->backing_format, h->buf + at, bytes);
			info->backing_format[bytes] = '\0';
		} else if (kind == EXTENSION_BITMAPS) {
			read_bitmaps(h, h->buf + at, bytes, info);
		}
		at += ((uint64_t)bytes + 7) / 8 * 8;
	}
	return 0;
}

static int read_backing(const struct header *h, struct qcow2_info *info, struct error *err)
{
	uint64_t offset = be64(h->buf + AT_BACKING_OFFSET),
		 end = offset ? offset : h->cluster_bytes;
	uint32_t bytes = be32(h->buf + AT_BACKING_BYTES);

	if (!offset && !bytes)
		return read_extensions(h, end, info, err);
	if (!bytes || bytes > QCOW2_NAME_MAX || offset < h->bytes || offset > h->cluster_bytes ||
	    bytes > h->cluster_bytes - offset)
		return error_set(err, EINVAL,
				 "qcow2: the name of its backing file lies outside of the header "
				 "(damaged, or made to do harm)");
	if (offset + bytes > h->len || memchr(h->buf + offset, 0, bytes))
		return error_set(err, EINVAL,
				 "qcow2: the name of its backing file is cut short (damaged)");
	memcpy(info->backing, h->buf + offset, bytes);
	info->backing[bytes] = '\0';
	return read_extensions(h, end, info, err);
}

static bool is_qcow2(const uint8_t *buf, size_t len)
{
	return len >= V2_BYTES && memcmp(buf, "QFI\xfb", 4) == 0;
}

size_t qcow2_want_bytes(const uint8_t *buf, size_t len)
{
	uint32_t cluster_bits = is_qcow2(buf, len) ? be32(buf + AT_CLUSTER_BITS) : 0;

	return cluster_bits < CLUSTER_BITS_MIN || cluster_bits > CLUSTER_BITS_MAX
		       ? len
		       : (size_t)1 << cluster_bits;
}

int qcow2_parse(const uint8_t *buf, size_t len, uint64_t file_bytes, struct qcow2_info *ret_info,
		struct error *err)
{
	struct header h = {.buf = buf, .len = len, .file_bytes = file_bytes, .bytes = V2_BYTES};
	struct qcow2_info info = {0};
	int rc = 0;

	if (!is_qcow2(buf, len))
		return error_set(err, EINVAL,
				 "not a qcow2 image (say format: raw if it is a raw one)");
	h.version = be32(buf + AT_VERSION);
	if (h.version != 2 && h.version != 3)
		return error_set(err, EINVAL, "qcow2: version %" PRIu32 ", not 2 or 3", h.version);
	h.cluster_bits = be32(buf + AT_CLUSTER_BITS);
	if (h.cluster_bits < CLUSTER_BITS_MIN || h.cluster_bits > CLUSTER_BITS_MAX)
		return error_set(err, EINVAL, "qcow2: clusters of 2^%" PRIu32 " bytes",
				 h.cluster_bits);
	h.cluster_bytes = 1ULL << h.cluster_bits;
	info.virtual_bytes = be64(buf + AT_VIRTUAL_BYTES);
	info.n_snapshots = be32(buf + AT_SNAPSHOTS);
	if (info.virtual_bytes > virtual_max)
		return error_set(err, EINVAL,
				 "qcow2: a virtual size of %" PRIu64 " bytes, more than 64 TiB",
				 info.virtual_bytes);
	if (be32(buf + AT_ENCRYPTION))
		return error_set(err, EINVAL,
				 "qcow2: encrypted images are not supported (qemu-img convert "
				 "makes a plain one)");
	if (h.version == 3)
		rc = check_version_3(&h, err);
	if (rc == 0)
		rc = read_backing(&h, &info, err);
	if (rc == 0)
		rc = check_tables(&h, info.virtual_bytes, err);
	info.snapshots_offset = be64(buf + AT_SNAPSHOTS_OFFSET);
	if (rc == 0)
		*ret_info = info;
	return rc;
}
