/* SPDX-License-Identifier: MIT */
#include "disk/copy.h"

#include "base/child.h"
#include "base/cleanup.h"
#include "base/error.h"
#include "base/file.h"
#include "base/str.h"
#include "disk/chain.h"
#include "disk/empty.h"
#include "disk/qemu_img.h"
#include "disk/record.h"
#include "disk/unfinished.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <jansson.h>
#include <linux/fs.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

enum { PIECE_BYTES = 4 * 1024 * 1024 };

static bool is_stopped(const struct disk_copy_watch *watch)
{
	return watch && watch->stop && *watch->stop;
}

/* By hand, where the file systems do not do it among themselves. */
static ssize_t copy_by_buffer(int from, int to, off_t at, size_t len)
{
	cleanup_free char *buf = malloc(PIECE_BYTES);
	size_t done = 0;
	ssize_t n;

	if (!buf) {
		errno = ENOMEM;
		return -1;
	}
	n = pread(from, buf, len < PIECE_BYTES ? len : PIECE_BYTES, at);
	while (n > 0 && done < (size_t)n) {
		ssize_t m = pwrite(to, buf + done, (size_t)n - done, at + (off_t)done);

		if (m < 0 && errno != EINTR)
			return -1;
		done += m > 0 ? (size_t)m : 0;
	}
	return n;
}

static ssize_t copy_piece(int from, int to, off_t at, size_t len)
{
	off_t in = at, out = at;
	ssize_t n = copy_file_range(from, &in, to, &out, len < PIECE_BYTES ? len : PIECE_BYTES, 0);

	if (n >= 0 || (errno != EXDEV && errno != EINVAL && errno != EOPNOTSUPP && errno != ENOSYS))
		return n;
	return copy_by_buffer(from, to, at, len);
}

/* One stretch of data, from at to end. */
static int copy_data(int from, int to, off_t at, off_t end, uint64_t total,
		     const struct disk_copy_watch *watch, struct error *err)
{
	while (at < end) {
		ssize_t n = copy_piece(from, to, at, (size_t)(end - at));

		if (n < 0 && errno == EINTR)
			n = 0;
		else if (n == 0)
			return error_set(err, EIO, "the image became shorter while it was copied");
		if (n < 0)
			return error_errno(err, errno, "copy the image");
		at += n;
		if (is_stopped(watch))
			return error_set(err, ECANCELED, "interrupted");
		if (watch && watch->progress)
			watch->progress(watch->arg, (uint64_t)at, total);
	}
	return 0;
}

int disk_copy_bytes(int from, int to, const struct disk_copy_watch *watch, struct error *err)
{
	struct stat st;
	off_t at = 0;

	if (ioctl(to, FICLONE, from) == 0)
		return 0;
	if (fstat(from, &st) < 0 || ftruncate(to, st.st_size) < 0)
		return error_errno(err, errno, "copy the image");
	while (at < st.st_size) {
		off_t data = lseek(from, at, SEEK_DATA), hole;
		int rc;

		if (data < 0 && errno == ENXIO)
			break;
		/* A file system that knows no holes has data all over. */
		if (data < 0)
			data = at;
		hole = lseek(from, data, SEEK_HOLE);
		if (hole < 0 || hole > st.st_size)
			hole = st.st_size;
		rc = copy_data(from, to, data, hole, (uint64_t)st.st_size, watch, err);
		if (rc < 0)
			return rc;
		at = hole;
	}
	return 0;
}

/* As QEMU is to open it: every layer named here, and no header followed. */
static json_t *describe_layers(const struct disk_chain *chain)
{
	json_t *below = json_null();

	for (size_t i = chain->n; i-- > 0;) {
		const struct disk_layer *layer = &chain->v[i];
		json_t *file = json_pack("{s:s s:s}", "driver", "file", "filename", layer->path);

		if (layer->format == DISK_FORMAT_RAW) {
			json_decref(below);
			below = json_pack("{s:s s:o}", "driver", "raw", "file", file);
		} else {
			below = json_pack("{s:s s:o s:o}", "driver", "qcow2", "file", file,
					  "backing", below);
		}
	}
	return below;
}

/* qemu-img, which somebody looks on to. */
struct convert {
	const struct disk_copy_watch *watch;
	uint64_t total;
};

/* "    (12.34/100%)\r", as often as it likes; the last of them counts. */
static void on_said(void *arg, const char *data, size_t len)
{
	const struct convert *c = arg;
	const char *at = memrchr(data, '(', len);
	uint64_t hundredths = 0;
	unsigned digits = 0;

	if (!at || !c->watch || !c->watch->progress)
		return;
	for (at++; at < data + len && (*at == '.' || (*at >= '0' && *at <= '9')); at++)
		if (*at != '.' && digits++ < 5)
			hundredths = hundredths * 10 + (unsigned)(*at - '0');
	if (at < data + len && *at == '/' && hundredths <= 10000)
		c->watch->progress(c->watch->arg, c->total / 10000 * hundredths, c->total);
}

static int put_together(const struct disk_chain *chain, uint64_t bytes, const char *temp,
			const struct disk_copy_watch *watch, struct error *err)
{
	struct convert convert = {watch, bytes};
	const struct child_watch looks = {on_said, watch ? watch->stop : NULL, &convert};
	json_t *layers = describe_layers(chain);
	cleanup_free char *text = layers ? json_dumps(layers, JSON_COMPACT) : NULL;
	cleanup_free char *source = text ? str_printf("json:%s", text) : NULL;
	char *argv[] = {(char *)"qemu-img", (char *)"convert",
			(char *)"-p",       (char *)"-O",
			(char *)"qcow2",    source,
			(char *)temp,       NULL};

	json_decref(layers);
	return source ? qemu_img_run_watched(argv, &looks, err) : error_oom(err);
}

int disk_copy(const char *from, enum disk_format format, const char *path,
	      const struct disk_copy_watch *watch, struct error *err)
{
	struct disk_unfinished made = DISK_UNFINISHED_INIT;
	struct disk_chain chain = {.n = 0};
	struct disk_info info;
	int rc;

	rc = disk_chain_open(from, format, true, &chain, &info, err);
	if (rc == 0 && info.written)
		rc = error_set(err, EBUSY, "'%s' is in use by another process", from);
	if (rc == 0)
		rc = disk_unfinished_begin(path, &made, err);
	if (rc == 0)
		rc = chain.n > 1 || info.n_snapshots
			     ? put_together(&chain, info.virtual_bytes, made.temp, watch, err)
			     : disk_copy_bytes(chain.v[0].fd, made.fd, watch, err);
	if (rc == 0 && is_stopped(watch))
		rc = error_set(err, ECANCELED, "interrupted");
	if (rc == 0)
		rc = disk_unfinished_finish(&made, err);
	disk_unfinished_abandon(&made);
	disk_chain_close(&chain);
	return error_wrap_if(err, rc, "copy '%s' to '%s'", from, path);
}

/* How the header and the record of an image at path call base. */
static const char *name_of_base(const char *path, const char *base)
{
	const char *name = strrchr(path, '/'), *base_name = strrchr(base, '/');

	if (name && base_name && name - path == base_name - base &&
	    strncmp(path, base, (size_t)(name - path)) == 0)
		return base_name + 1;
	return base;
}

int disk_overlay(const char *path, const char *base, enum disk_format base_format, uint64_t bytes,
		 struct error *err)
{
	const struct disk_record record = {
		.backing = (char *)name_of_base(path, base),
		.backing_format = base_format,
	};
	struct disk_unfinished made = DISK_UNFINISHED_INIT;
	struct disk_info info;
	int rc;

	rc = disk_chain_examine(base, base_format, &info, err);
	if (rc == 0 && bytes && bytes < info.virtual_bytes)
		rc = error_set(err, EINVAL,
			       "%" PRIu64 " bytes are less than '%s' has (%" PRIu64 ")", bytes,
			       base, info.virtual_bytes);
	if (rc == 0)
		rc = disk_unfinished_begin(path, &made, err);
	if (rc == 0)
		rc = disk_write_overlay(made.fd, bytes ? bytes : info.virtual_bytes, record.backing,
					base_format == DISK_FORMAT_RAW ? "raw" : "qcow2", err);
	/* First the record: an image without is refused, a record without is nothing. */
	if (rc == 0)
		rc = disk_record_write(path, &record, err);
	if (rc == 0) {
		rc = disk_unfinished_finish(&made, err);
		if (rc < 0)
			(void)disk_record_remove(path, NULL);
	}
	disk_unfinished_abandon(&made);
	return error_wrap_if(err, rc, "create '%s' on '%s'", path, base);
}
