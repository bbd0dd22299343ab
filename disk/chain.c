/* SPDX-License-Identifier: MIT */
#include "disk/chain.h"

#include "base/cleanup.h"
#include "base/error.h"
#include "base/str.h"
#include "disk/record.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

/* A layer that is its own base has no end. */
static int check_new(const struct disk_chain *chain, int fd, struct error *err)
{
	struct stat mine, other;

	if (fstat(fd, &mine) < 0)
		return error_errno(err, errno, "look at the image");
	for (size_t i = 0; i < chain->n; i++)
		if (fstat(chain->v[i].fd, &other) == 0 && other.st_dev == mine.st_dev &&
		    other.st_ino == mine.st_ino)
			return error_set(err, EINVAL, "the image is its own backing file");
	return 0;
}

/* Opens and examines one layer; *ret_below is the path of the next, NULL at the bottom. */
static int add_layer(struct disk_chain *chain, const char *path, enum disk_format format,
		     bool read_only, struct disk_info *ret_info, char **ret_below,
		     enum disk_format *ret_below_format, struct error *err)
{
	cleanup_disk_record struct disk_record record = {0};
	cleanup_free char *copy = strdup(path);
	cleanup_close int fd = -1;
	int rc;

	*ret_below = NULL;
	if (!copy)
		return error_oom(err);
	if (chain->n == DISK_LAYERS_MAX)
		return error_set(err, EINVAL, "more than %d images, one below the other",
				 DISK_LAYERS_MAX);
	rc = disk_open(path, read_only, &fd, err);
	if (rc < 0)
		return rc;
	rc = check_new(chain, fd, err);
	/* A raw image has no header that could name anything. */
	if (rc == 0 && format == DISK_FORMAT_QCOW2)
		rc = disk_record_read(path, &record, err);
	if (rc == 0)
		rc = disk_examine(fd, format, record.backing ? &record : NULL, ret_info, err);
	if (rc < 0)
		return error_wrap(err, rc, "'%s'", path);
	if (ret_info->has_backing) {
		*ret_below = disk_record_resolve(path, record.backing);
		*ret_below_format = record.backing_format;
		if (!*ret_below)
			return error_oom(err);
	}
	chain->v[chain->n++] = (struct disk_layer){
		.fd = steal_fd(&fd),
		.format = format,
		.path = steal_ptr(&copy),
	};
	return 0;
}

int disk_chain_open(const char *path, enum disk_format format, bool read_only,
		    struct disk_chain *ret_chain, struct disk_info *ret_info, struct error *err)
{
	struct disk_chain chain = {.n = 0};
	cleanup_free char *below = NULL;
	enum disk_format below_format;
	struct disk_info info;
	int rc;

	rc = add_layer(&chain, path, format, read_only, &info, &below, &below_format, err);
	while (rc == 0 && below) {
		cleanup_free char *at = steal_ptr(&below);
		struct disk_info unused;

		rc = add_layer(&chain, at, below_format, true, &unused, &below, &below_format, err);
		/* It is not the image that was asked for. */
		if (rc == -ENOENT)
			rc = error_set(err, EINVAL, "'%s' is missing", at);
		rc = error_wrap_if(err, rc, "'%s': below it", path);
	}
	if (rc < 0) {
		disk_chain_close(&chain);
		return rc;
	}
	*ret_chain = chain;
	if (ret_info)
		*ret_info = info;
	return 0;
}

void disk_chain_close(struct disk_chain *chain)
{
	for (size_t i = 0; i < chain->n; i++) {
		close_fd(&chain->v[i].fd);
		free(chain->v[i].path);
	}
	chain->n = 0;
}

int disk_chain_examine(const char *path, enum disk_format format, struct disk_info *ret_info,
		       struct error *err)
{
	struct disk_chain chain;
	int rc = disk_chain_open(path, format, true, &chain, ret_info, err);

	if (rc == 0)
		disk_chain_close(&chain);
	return rc;
}
