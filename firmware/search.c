/* SPDX-License-Identifier: MIT */
/* The folders of descriptor files, of firmware/descriptor.h. */
#include "firmware/descriptor.h"

#include "base/cleanup.h"
#include "base/error.h"
#include "base/file.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

enum { DESCRIPTOR_BYTES_MAX = 256 * 1024, DESCRIPTORS_MAX = 256 };

static const char *const standard_dirs[] = {
	"/usr/share/qemu/firmware",
	"/etc/qemu/firmware",
	NULL,
};

struct candidate {
	char *name, *path;
};

struct candidates {
	struct candidate v[DESCRIPTORS_MAX];
	size_t n;
};

static void candidates_free(struct candidates *c)
{
	for (size_t i = 0; i < c->n; i++) {
		free(c->v[i].name);
		free(c->v[i].path);
	}
	free(c);
}

/* A later folder's file takes the place of its namesake. */
static int add_candidate(struct candidates *c, const char *dir, const char *name)
{
	struct candidate *slot = NULL;
	char *path = str_printf("%s/%s", dir, name);

	if (!path)
		return -ENOMEM;
	for (size_t i = 0; i < c->n; i++)
		if (str_eq(c->v[i].name, name))
			slot = &c->v[i];
	if (slot) {
		free(slot->path);
		slot->path = path;
		return 0;
	}
	if (c->n == DESCRIPTORS_MAX) {
		free(path);
		return 0;
	}
	slot = &c->v[c->n];
	*slot = (struct candidate){.name = strdup(name), .path = path};
	if (!slot->name) {
		free(path);
		return -ENOMEM;
	}
	c->n++;
	return 0;
}

static int collect(struct candidates *c, const char *dir)
{
	cleanup_closedir DIR *d = opendir(dir);
	struct dirent *entry;

	while (d && (entry = readdir(d))) {
		size_t len = strlen(entry->d_name);

		if (entry->d_name[0] == '.' || len < 6 || !str_eq(entry->d_name + len - 5, ".json"))
			continue;
		if (add_candidate(c, dir, entry->d_name) < 0)
			return -ENOMEM;
	}
	return 0;
}

static int by_name(const void *a, const void *b)
{
	return strcmp(((const struct candidate *)a)->name, ((const struct candidate *)b)->name);
}

/* As firmware_match(), for a file; it also has to name files that are there. */
static int try_file(const char *path, const struct firmware_want *want,
		    struct firmware_found *ret_found, struct strbuf *why)
{
	cleanup_free char *text = NULL;
	struct firmware_found found;
	struct error err = ERROR_INIT;
	size_t len;
	int rc;

	rc = file_read(AT_FDCWD, path, DESCRIPTOR_BYTES_MAX, &text, &len, &err);
	/* An empty file hides its namesake. */
	if (rc == 0 && len == 0) {
		strbuf_addf(why, "switched off by an empty file");
		return 0;
	}
	if (rc == 0)
		rc = firmware_match(text, len, want, &found, why, &err);
	if (rc < 0)
		strbuf_add_printable(why, err.text, strlen(err.text), false);
	if (rc <= 0)
		return 0;
	if (access(found.code, R_OK) < 0 || access(found.vars_template, R_OK) < 0) {
		strbuf_addf(why, "the files it names are not there");
		firmware_found_free(&found);
		return 0;
	}
	found.descriptor = strdup(path);
	if (!found.descriptor) {
		firmware_found_free(&found);
		return -ENOMEM;
	}
	*ret_found = found;
	return 1;
}

static int find_in(const struct candidates *c, const struct firmware_want *want,
		   struct firmware_found *ret_found, struct error *err)
{
	cleanup_strbuf struct strbuf why = {0};

	for (size_t i = 0; i < c->n; i++) {
		int rc;

		strbuf_addf(&why, "%s%s: ", i ? "; " : "", c->v[i].name);
		rc = try_file(c->v[i].path, want, ret_found, &why);
		if (rc < 0)
			return error_oom(err);
		if (rc > 0)
			return 0;
	}
	return error_set(err, ENOENT,
			 "no firmware for %s on %s fits (apt install ovmf); looked at: %s",
			 want->secure_boot ? "Secure Boot" : "UEFI", want->machine,
			 c->n && why.data ? why.data : "no descriptor at all");
}

int firmware_find(const char *const *dirs, const struct firmware_want *want,
		  struct firmware_found *ret_found, struct error *err)
{
	struct candidates *c = calloc(1, sizeof(*c));
	int rc = 0;

	if (!c)
		return error_oom(err);
	if (!dirs)
		dirs = standard_dirs;
	for (; rc == 0 && *dirs; dirs++)
		rc = collect(c, *dirs);
	if (rc < 0) {
		rc = error_oom(err);
	} else {
		qsort(c->v, c->n, sizeof(c->v[0]), by_name);
		rc = find_in(c, want, ret_found, err);
	}
	candidates_free(c);
	return rc;
}
