/* SPDX-License-Identifier: MIT */
/* The only file of lab/ that opens anything: see lab/config.h. */
#include "lab/config.h"

#include "base/cleanup.h"
#include "base/error.h"
#include "base/file.h"
#include "base/str.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>

enum { FILE_BYTES_MAX = 4 * 1024 * 1024 };

static int add_file(struct lab_config *c, const char *path, struct error *err)
{
	cleanup_free char *text = NULL;
	size_t len;
	int rc;

	rc = file_read(AT_FDCWD, path, FILE_BYTES_MAX, &text, &len, err);
	if (rc < 0)
		return rc;
	rc = lab_config_add(c, path, text, len, err);
	/* It may hold secrets. */
	explicit_bzero(text, len);
	return rc;
}

static int by_bytes(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

/* Sorted by name. -ENOENT where there is no such folder. */
static int list_files(const char *folder, struct strv *files, struct error *err)
{
	cleanup_closedir DIR *dir = opendir(folder);
	struct dirent *entry;

	if (!dir)
		return error_errno(err, errno, "open folder '%s'", folder);
	while ((entry = readdir(dir))) {
		size_t len = strlen(entry->d_name);

		if (entry->d_name[0] != '.' && len > 5 && str_eq(entry->d_name + len - 5, ".yaml"))
			strv_addf(files, "%s/%s", folder, entry->d_name);
	}
	if (files->failed)
		return error_oom(err);
	if (files->n)
		qsort(files->v, files->n, sizeof(files->v[0]), by_bytes);
	return 0;
}

static int add_all(struct lab_config *c, const char *path, struct error *err)
{
	cleanup_strv struct strv files = {0};
	struct stat st;
	int rc;

	if (stat(path, &st) < 0)
		return error_errno(err, errno, "configuration '%s'", path);
	if (!S_ISDIR(st.st_mode))
		return add_file(c, path, err);
	rc = list_files(path, &files, err);
	if (rc == 0 && !files.n)
		rc = error_set(err, ENOENT,
			       "the configuration folder '%s' has no *.yaml (hv.yaml(5) tells what "
			       "to write there)",
			       path);
	for (size_t i = 0; rc == 0 && i < files.n; i++)
		rc = add_file(c, files.v[i], err);
	return rc;
}

/* One that was removed since it was listed is no machine any more. */
static int add_made(struct lab_config *c, const char *folder, struct error *err)
{
	cleanup_strv struct strv files = {0};
	int rc = list_files(folder, &files, err);

	if (rc < 0)
		return rc == -ENOENT ? 0 : rc;
	for (size_t i = 0; rc == 0 && i < files.n; i++) {
		rc = add_file(c, files.v[i], err);
		if (rc == -ENOENT)
			rc = 0;
	}
	return rc;
}

int lab_load_all(const char *path, const char *made, const struct lab_extra *extra,
		 struct lab **ret_lab, struct lab_faults *ret_faults, struct error *err)
{
	struct lab_config *c = lab_config_new();
	int rc;

	if (!c)
		return error_oom(err);
	rc = add_all(c, path, err);
	if (rc == 0 && made)
		rc = add_made(c, made, err);
	if (rc == 0 && extra)
		rc = lab_config_add(c, extra->file, extra->text, strlen(extra->text), err);
	if (rc == 0)
		rc = lab_config_resolve(c, ret_lab, ret_faults, err);
	lab_config_free(c);
	return rc;
}

int lab_load(const char *path, struct lab **ret_lab, struct lab_faults *ret_faults,
	     struct error *err)
{
	return lab_load_all(path, NULL, NULL, ret_lab, ret_faults, err);
}
